/// The rest of a sealed frame of which the receiver has the beginning (docs/protocol.md, section 4.5). Nothing of it is
/// proven before it was joined and the whole was opened.
public struct FrameContinuation: Hashable, Sendable {
    /// The first byte, where a sealed frame has `FrameHeader.kind`.
    public static let kind: UInt8 = 3
    /// A beginning of fewer bytes is not worth naming.
    public static let offsetMin = 64
    /// The longest sealed frame less its last byte.
    public static let offsetMax = 19 + NoiseK.messageMax - 1

    /// Of the sealed frame.
    public let header: FrameHeader
    /// Bytes of the sealed frame before `rest`, `offsetMin` to `offsetMax`.
    public let offset: Int
    /// Up to the end of the sealed frame; less where it has not all come yet.
    public let rest: [UInt8]

    /// - Parameters:
    ///   - sealed: a sealed frame.
    ///   - offset: so many bytes of it are left out.
    /// - Throws: `malformed` for an offset out of its range or at the end of the frame, and for what is no sealed frame.
    public init(of sealed: [UInt8], from offset: Int) throws(CryptoError) {
        guard (Self.offsetMin...Self.offsetMax).contains(offset), offset < sealed.count else { throw .malformed }
        header = try FrameHeader(beginning: sealed)
        self.offset = offset
        rest = Array(sealed[offset...])
    }

    /// Takes a continuation apart, also one of which only the beginning is there.
    ///
    /// - Throws: `malformed` for another kind, a loose frame, an offset out of its range, a varint that is not in shortest
    ///   form, or too few bytes for all of these.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        guard try reader.byte() == Self.kind else { throw .malformed }
        header = try FrameHeader(from: &reader)
        let offset = Int(clamping: try reader.varint())
        guard header.number > 0, (Self.offsetMin...Self.offsetMax).contains(offset) else { throw .malformed }
        self.offset = offset
        rest = reader.rest
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(header.bytes(kind: Self.kind))
        writer.append(varint: UInt64(offset))
        return writer.bytes + rest
    }

    /// The sealed frame, or as much of it as is there; nil for the beginning of another one, or too little of it.
    public func joined(to beginning: [UInt8]) -> [UInt8]? {
        guard beginning.count >= offset, (try? FrameHeader(beginning: beginning)) == header else { return nil }
        return beginning.prefix(offset) + rest
    }
}
