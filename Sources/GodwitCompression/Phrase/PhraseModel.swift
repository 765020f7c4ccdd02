public import GodwitProtocol
import Synchronization

/// A model of short texts: codes each by itself, and needs nothing but the text, what it quotes, and the model (D-9).
///
/// Reading is safe for all bytes: it ends within its limit and gives a text or an error. As with every codec, read only
/// what came out of a verified seal. Any number of threads may use a model at once.
public final class PhraseModel: Sendable {
    /// Coders kept for the next text.
    private static let coderMax = 4
    /// Bytes that a text may have.
    public static let textMax = PhraseCoder.textMax

    public let manifest: PhraseManifest
    private let tables: PhraseTables
    private let coders = Mutex<[PhraseCoder]>([])

    /// Maps a model file and checks it: sizes and digests.
    ///
    /// - Throws: `ProtocolError` 2000 for what is no whole, undamaged model of a known format; 2001 beyond 4,000,000 bytes.
    public convenience init(path: String) throws(ProtocolError) {
        let file = try MappedFile(path, bytesMax: PhraseModelFile.bytesMax)
        try self.init(file.bytes, owner: file)
    }

    /// A model from the bytes of its file.
    /// - Throws: as `init(path:)`.
    public convenience init(file: [UInt8]) throws(ProtocolError) {
        let memory = AlignedBytes(file)
        try self.init(memory.bytes, owner: memory)
    }

    private init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject) throws(ProtocolError) {
        let parts = try PhraseModelFile.parts(of: bytes)
        guard let tables = PhraseTables(body: parts.body, owner: owner) else {
            throw .malformed("the model's tables are none")
        }
        manifest = parts.manifest
        self.tables = tables
    }

    /// Codes a text of any bytes.
    ///
    /// - Parameters:
    ///   - quoting: a text that every reader has and that this one answers; what it repeats costs little.
    ///   - first: what the first byte of the code may be.
    /// - Returns: at least one byte. Nil beyond `textMax` bytes, or when the model has no code for it, which is rare.
    public func pack(
        _ text: [UInt8], quoting: [UInt8]? = nil, first: ClosedRange<UInt8> = 0...255
    ) -> [UInt8]? {
        withCoder { $0.encode(text, quoting: quoting ?? [], head: [], first: first) }
    }

    /// The inverse of `pack`, with the same `quoting` and `first`.
    ///
    /// - Parameter limit: bytes of text.
    /// - Throws: `ProtocolError` 2000 for what is no code, 2001 beyond `limit`.
    public func unpack(
        _ packed: [UInt8], quoting: [UInt8]? = nil, first: ClosedRange<UInt8> = 0...255,
        limit: Int = PhraseModel.textMax
    ) throws(ProtocolError) -> [UInt8] {
        try read(packed, first: first, limit: limit) { coder, decoder throws(PhraseCoder.Failure) in
            try coder.decode(&decoder, length: packed.count, quoting: quoting ?? [], limit: limit)
        }
    }

    /// Lends a coder to `use`.
    func withCoder<Value: Sendable>(_ use: (PhraseCoder) -> Value) -> Value {
        let coder = coders.withLock { $0.popLast() } ?? PhraseCoder(tables)
        let value = use(coder)
        coders.withLock { if $0.count < Self.coderMax { $0.append(coder) } }
        return value
    }

    /// Lends a coder and a decoder to `use`.
    func read(
        _ packed: [UInt8], first: ClosedRange<UInt8>, limit: Int,
        _ use: (PhraseCoder, inout RangeDecoder) throws(PhraseCoder.Failure) -> [UInt8]
    ) throws(ProtocolError) -> [UInt8] {
        let outcome = withCoder { coder in
            packed.withUnsafeBufferPointer { bytes -> Result<[UInt8], PhraseCoder.Failure> in
                guard !bytes.isEmpty, var decoder = RangeDecoder(bytes, first: first) else { return .failure(.corrupt) }
                do throws(PhraseCoder.Failure) {
                    return .success(try use(coder, &decoder))
                } catch {
                    return .failure(error)
                }
            }
        }
        switch outcome {
        case .success(let text): return text
        case .failure(.corrupt): throw .malformed("the phrase model's code is corrupt")
        case .failure(.tooLong):
            throw .tooLarge("the text exceeds the limit", actual: limit + 1, firstRefused: limit + 1)
        }
    }
}
