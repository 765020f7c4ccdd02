public import GodwitProtocol

/// An active measurement of a link (NET-05): padding up, padding down, where it costs nothing or on order
/// (docs/protocol.md §8.5).
public enum Probe {
    public static let path = "/batch/v1/probe"
    /// Padding in one direction.
    public static let bytesMax = 1_048_576

    /// - Throws: `ProtocolError` 2000 for more than `bytesMax` either way, or less than nothing.
    public static func check(up: Int, down: Int) throws(ProtocolError) {
        for (bytes, member) in [(up, "up"), (down, "down")] {
            guard (0...bytesMax).contains(bytes) else {
                throw .malformed("A probe has 0 to 1,048,576 bytes each way.", member: member)
            }
        }
    }

    /// Bytes that no link on the way compresses.
    public static func padding(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes += $0 } }
        return Array(bytes.prefix(count))
    }
}

/// The answering end of probes.
public protocol ProbeService: Sendable {
    /// Whether whoever sealed the record may have a probe now.
    ///
    /// - Throws: `ProtocolError` 1000 for a stranger, 3002 with `details.retry_after` for a peer that asks too often.
    func admitProbe(_ record: [UInt8]) async throws
}

/// A carrier that can measure its link.
public protocol LinkProbing: Sendable {
    /// - Parameter record: a loose frame, which says who asks.
    /// - Throws: `ProtocolError` 3000 when the peer could not be reached this way, its own error where it answered one.
    func probe(_ record: [UInt8], up: Int, down: Int) async throws -> ExchangeStatistics
    /// False for one whose ways all lead over what is measured otherwise.
    var canProbe: Bool { get }
}

extension LinkProbing {
    public var canProbe: Bool { true }
}
