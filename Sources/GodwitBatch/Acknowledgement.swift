import GodwitProtocol

/// Says which frames of one incarnation the sender of the acknowledgement has committed (D-8).
public struct Acknowledgement: Hashable, Sendable {
    public var incarnation: UInt32
    /// Numbers in ascending order, at least one number apart from each other; at most 1,024 ranges.
    public var ranges: [ClosedRange<UInt64>]
    /// 8 bytes: see `digest(of:)`. Who sent the frames compares it with its own; a difference shows that one of the two
    /// has lost its memory.
    public var digest: [UInt8]

    public init(incarnation: UInt32, ranges: [ClosedRange<UInt64>], digest: [UInt8]) {
        self.incarnation = incarnation
        self.ranges = ranges
        self.digest = digest
    }

    /// The first 8 bytes of SHA-256 over the digests of all acknowledged frames from the sender's floor up, in number
    /// order.
    ///
    /// - Parameter frames: for each frame the SHA-256 of its bytes before sealing, 32 bytes each.
    public static func digest(of frames: [[UInt8]]) -> [UInt8] {
        Array(SHA256Digest.of(frames.flatMap { $0 }).prefix(8))
    }

    public func contains(_ number: UInt64) -> Bool { ranges.contains { $0.contains(number) } }
}

extension Acknowledgement {
    /// - Throws: `ProtocolError` 9000 if the value breaks its own rules.
    func wire() throws(ProtocolError) -> WireAcknowledgement {
        guard digest.count == 8, ranges.count <= FrameLimits.rangesMax else {
            throw ProtocolError(.internalError, "an acknowledgement has 8 bytes of digest and at most 1,024 ranges")
        }
        var wire = WireAcknowledgement()
        wire.incarnation = incarnation
        wire.digest = WireBytes.make(digest)
        var next: UInt64 = 0
        var isFirst = true
        for range in ranges {
            // Ranges that touch would be one range, so the gap between two is sent less one.
            let least = isFirst ? next : next &+ 1
            guard isFirst || next != 0, range.lowerBound >= least else {
                throw ProtocolError(.internalError, "the ranges of an acknowledgement are not in order")
            }
            wire.ranges.append(range.lowerBound - least)
            wire.ranges.append(range.upperBound - range.lowerBound)
            next = range.upperBound &+ 1
            isFirst = false
        }
        return wire
    }

    /// - Throws: `ProtocolError` 2000.
    init(_ wire: WireAcknowledgement) throws(ProtocolError) {
        guard WireBytes.array(wire.digest).count == 8, wire.ranges.count % 2 == 0,
            wire.ranges.count / 2 <= FrameLimits.rangesMax
        else {
            throw .malformed("an acknowledgement of the frame is malformed")
        }
        var ranges: [ClosedRange<UInt64>] = []
        var least: UInt64 = 0
        for index in stride(from: 0, to: wire.ranges.count, by: 2) {
            let (lower, overflowsBelow) = least.addingReportingOverflow(wire.ranges[index])
            let (upper, overflowsAbove) = lower.addingReportingOverflow(wire.ranges[index + 1])
            let isLast = index + 2 == wire.ranges.count
            guard !overflowsBelow, !overflowsAbove, isLast || upper <= UInt64.max - 2 else {
                throw .malformed("a range of an acknowledgement overflows")
            }
            ranges.append(lower...upper)
            least = upper &+ 2
        }
        self.init(incarnation: wire.incarnation, ranges: ranges, digest: WireBytes.array(wire.digest))
    }
}
