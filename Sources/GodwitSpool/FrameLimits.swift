import GodwitProtocol

/// What both ends of the frame ledger refuse.
enum FrameLimits {
    /// SQLite's integers are signed; no sender lives long enough to number more frames.
    static let numberMax = UInt64(Int64.max) - 1
    /// Numbers of which contexts are kept.
    static let contextsKept: Int64 = 512

    /// - Throws: `ProtocolError` 2000 for a number that no sender gives.
    static func check(_ number: FrameNumber, digest: [UInt8]) throws(ProtocolError) {
        guard 1...numberMax ~= number.number else {
            throw .malformed("A frame's number must be 1 to 2^63 − 2.", member: "number")
        }
        guard digest.count == 32 else { throw .malformed("A frame's digest has 32 bytes.", member: "digest") }
    }

    /// Ranges cut to what can be a frame's number.
    static func storable(_ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<Int64>] {
        ranges.filter { $0.lowerBound <= numberMax }
            .map { Int64($0.lowerBound)...Int64(min($0.upperBound, numberMax)) }
    }

    /// 3002: the peer must settle what it knows to be committed before it sends more.
    static var unsettled: ProtocolError {
        ProtocolError(
            .rateLimited, "Too many frames of this incarnation are not settled.",
            hint: "Raise the floor to the lowest number that is not acknowledged, or draw a new incarnation.",
            details: ["limit": "unsettled_frames", "value": .integer(Int64(SpoolConfiguration.unsettledMax))])
    }
}

extension SpoolError {
    static var wrongFrameNumber: Self { Self(.frameNumber, "A frame's number is not the next one.") }
    static var itemNotWaiting: Self { Self(.notWaiting, "An item of the frame is not waiting.") }
    static var zeroIncarnation: Self { Self(.incarnation, "An incarnation must not be 0.") }
    static var sameIncarnation: Self { Self(.incarnation, "The new incarnation is the present one.") }
}
