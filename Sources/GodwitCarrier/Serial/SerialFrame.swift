import GodwitProtocol

/// The two nodes at the ends of a line. Not sent, but covered by the check of every frame, so that what other pairs say
/// on the same radio channel is not taken for one's own.
struct SerialPair: Sendable, Hashable {
    /// Both ids, the lower first.
    let bytes: [UInt8]

    init(_ one: NodeID, _ other: NodeID) {
        let (low, high) = one.text < other.text ? (one, other) : (other, one)
        bytes = Array(low.text.utf8) + Array(high.text.utf8)
    }
}

/// One datagram on a serial line (docs/protocol.md §8.3): `KISS(datagram ‖ u32(check))`. The check is CRC-32C over both
/// node ids and the datagram: lines and cheap radios garble bytes and do not say so, and a garbled frame that passed
/// could look like a forgery to the node.
enum SerialFrame {
    /// Bytes of the check.
    static let checkSize = 4
    /// Bytes of a frame beside its datagram, escapes not counted.
    static let overhead = KISS.overhead + checkSize

    static func check(_ datagram: some Sequence<UInt8>, of pair: SerialPair) -> UInt32 {
        CRC32C.checksum(datagram, after: CRC32C.checksum(pair.bytes))
    }

    /// The bytes on the line.
    static func bytes(_ datagram: [UInt8], of pair: SerialPair) -> [UInt8] {
        KISS.frame(datagram + Datagram.bytes(check(datagram, of: pair)))
    }

    /// The datagram in a KISS frame and the pair whose it is; nil for what is garbled, or of another pair.
    static func open(_ contents: [UInt8], of pairs: [SerialPair]) -> (datagram: [UInt8], pair: SerialPair)? {
        guard contents.count > checkSize else { return nil }
        let datagram = contents.dropLast(checkSize)
        let told = contents.suffix(checkSize).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return pairs.first { check(datagram, of: $0) == told }.map { (Array(datagram), $0) }
    }
}

/// CRC-32C (Castagnoli, RFC 3720 §12.1): polynomial 0x1EDC6F41, reflected, begun with and ended by all ones.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
    }

    /// - Parameter before: the checksum of what stood before these bytes; 0: nothing.
    static func checksum(_ bytes: some Sequence<UInt8>, after before: UInt32 = 0) -> UInt32 {
        ~bytes.reduce(~before) { sum, byte in sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] }
    }
}
