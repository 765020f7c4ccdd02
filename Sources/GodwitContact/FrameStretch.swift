import GodwitProtocol

/// How many bytes of bodies as the spool has them go into a byte of frame. Bodies are JSON; what columns, elided
/// signatures and compression make of them differs from queue to queue, so it is learned from the frames before. With too
/// little a frame goes half empty, and every frame has its own signatures; with too much the shares of the classes mean
/// little, as the frame is full before the last of them had its turn.
struct FrameStretch: Sendable, Hashable {
    static let factors = 2.0...16.0
    /// Taken beyond what the last frames held, so that a frame is filled and more is learned.
    static let headroom = 1.25

    /// Chat in columns.
    private(set) var factor = 6.0

    /// Bodies to look at for a frame.
    func room(of frame: ByteCount) -> ByteCount { ByteCount(Int(Double(frame.bytes) * factor)) }

    /// Frame bytes that bodies are expected to make.
    func frame(of bodies: ByteCount) -> ByteCount {
        ByteCount(Int((Double(bodies.bytes) * Self.headroom / factor).rounded(.up)))
    }

    /// - Parameter frame: what the bodies have become; 0 is ignored.
    mutating func learn(bodies: ByteCount, frame: ByteCount) {
        guard frame > .zero else { return }
        let seen = Double(bodies.bytes) / Double(frame.bytes) * Self.headroom
        let next = (factor + seen) / 2
        factor = min(max(next, Self.factors.lowerBound), Self.factors.upperBound)
    }
}
