import Crypto
import Glibc
public import GodwitProtocol

/// A model file: 56 bytes of header, the manifest, the body. docs/phrase-model.md has the table.
public enum PhraseModelFile {
    /// Bytes of a file.
    public static let bytesMax = 4_000_000
    /// Bytes of a manifest.
    public static let manifestMax = 16_384
    /// Version of the format.
    public static let format: UInt16 = 1

    static let magic = Array("GODWITPM".utf8)
    static let headerBytes = 56

    /// The file of a model.
    /// - Throws: `ProtocolError` 2001 when it would be longer than `bytesMax`.
    public static func make(body: [UInt8], manifest: PhraseManifest) throws(ProtocolError) -> [UInt8] {
        var manifest = manifest
        manifest.digest = SHA256Digest.of(body)
        var text = manifest.object.canonicalBytes()
        // The body begins at a multiple of 8.
        text.append(contentsOf: repeatElement(0x20, count: (8 - text.count % 8) % 8))
        var start = magic
        for number in [UInt32(format) | UInt32(manifest.number) << 16, UInt32(text.count), UInt32(body.count), 0] {
            for shift in [0, 8, 16, 24] as [UInt32] { start.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        let file = start + SHA256Digest.of(start, text) + text + body
        guard text.count <= manifestMax, file.count <= bytesMax else {
            throw .tooLarge("the model is too large", actual: file.count, firstRefused: bytesMax + 1)
        }
        return file
    }

    struct Parts {
        var manifest: PhraseManifest
        var body: UnsafeRawBufferPointer
    }

    /// Checks everything that can be checked without using the tables: sizes, digests, manifest.
    static func parts(of file: UnsafeRawBufferPointer) throws(ProtocolError) -> Parts {
        guard file.count <= bytesMax else {
            throw .tooLarge("the model file is too large", actual: file.count, firstRefused: bytesMax + 1)
        }
        guard file.count >= headerBytes, file.prefix(8).elementsEqual(magic) else {
            throw .malformed("this is no phrase model")
        }
        func number(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: file.load(fromByteOffset: offset, as: UInt32.self)))
        }
        let (kind, manifestBytes, bodyBytes) = (number(8), number(12), number(16))
        guard kind & 0xFFFF == Int(format) else {
            throw .malformed("the model's format is not known here", hint: "A newer version of Godwit may read it.")
        }
        guard number(20) == 0, manifestBytes <= manifestMax, manifestBytes % 8 == 0,
            headerBytes + manifestBytes + bodyBytes == file.count
        else { throw .malformed("the model file is cut short or damaged") }
        let text = Array(file[headerBytes..<headerBytes + manifestBytes])
        guard SHA256Digest.of(Array(file[..<24]), text) == Array(file[24..<headerBytes]) else {
            throw .malformed("the model file's header is damaged")
        }
        let end = text.lastIndex { $0 != 0x20 } ?? -1
        let manifest = try PhraseManifest(Array(text[...end]))
        let body = UnsafeRawBufferPointer(rebasing: file[(headerBytes + manifestBytes)...])
        guard Int(manifest.number) == kind >> 16, digest(body) == manifest.digest else {
            throw .malformed("the model file is damaged")
        }
        return Parts(manifest: manifest, body: body)
    }

    private static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = SHA256()
        hasher.update(bufferPointer: bytes)
        return [UInt8](hasher.finalize())
    }
}

/// A file in memory, shared with whoever else reads it.
final class MappedFile {
    let bytes: UnsafeRawBufferPointer

    /// - Throws: `ProtocolError` 2000 when it cannot be read, 2001 beyond `bytesMax` bytes.
    init(_ path: String, bytesMax: Int) throws(ProtocolError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .malformed("the model file \(path) cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            throw .malformed("the model file \(path) cannot be read")
        }
        let count = Int(status.st_size)
        guard count <= bytesMax else {
            throw .tooLarge("the model file \(path) is too large", actual: count, firstRefused: bytesMax + 1)
        }
        guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw .malformed("the model file \(path) cannot be mapped")
        }
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
