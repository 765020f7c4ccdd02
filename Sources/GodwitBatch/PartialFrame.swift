import GodwitProtocol

/// Says that the beginning of a sealed frame has come and is kept (docs/protocol.md §8.1): its sender may send the rest.
public struct PartialFrame: Hashable, Sendable {
    /// Bytes that may be kept: fewer are not worth the words, more are no frame.
    public static let counts = 64...65_553

    public var incarnation: UInt32
    /// From 1 up: a loose frame is never sent again.
    public var number: UInt64
    /// Bytes from the beginning of the sealed frame.
    public var count: Int
    /// 8 bytes: see `digest(of:)`. Where the sender's own bytes have another, the beginning is of no use.
    public var digest: [UInt8]

    public init(incarnation: UInt32, number: UInt64, count: Int, digest: [UInt8]) {
        self.incarnation = incarnation
        self.number = number
        self.count = count
        self.digest = digest
    }

    /// The first 8 bytes of SHA-256 of the beginning.
    public static func digest(of beginning: some Sequence<UInt8>) -> [UInt8] {
        Array(SHA256Digest.of(Array(beginning)).prefix(8))
    }
}

extension PartialFrame {
    /// - Throws: `ProtocolError` 9000 if the value breaks its own rules.
    func wire() throws(ProtocolError) -> WirePartial {
        guard isSound else {
            throw ProtocolError(
                .internalError, "a partial frame has a number, 64 to 65,553 bytes and 8 bytes of digest")
        }
        var wire = WirePartial()
        wire.incarnation = incarnation
        wire.number = number
        wire.count = UInt32(count)
        wire.digest = WireBytes.make(digest)
        return wire
    }

    /// - Throws: `ProtocolError` 2000.
    init(_ wire: WirePartial) throws(ProtocolError) {
        self.init(
            incarnation: wire.incarnation, number: wire.number, count: Int(wire.count),
            digest: WireBytes.array(wire.digest))
        guard isSound else { throw .malformed("a partial frame is malformed") }
    }

    private var isSound: Bool { number > 0 && Self.counts.contains(count) && digest.count == 8 }
}
