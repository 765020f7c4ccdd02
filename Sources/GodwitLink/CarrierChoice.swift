public import GodwitProtocol

/// Decides which of several ways to a peer an exchange takes: the best that has not just failed, and where it
/// cannot be reached, the next one within the same contact. A way that failed is left alone for a while that grows with
/// what the failure cost, then tried again, so that a better way is found when it works again.
///
/// Ways are numbered, best first. All times are durations since an arbitrary start and never run backwards.
public struct CarrierChoice: Sendable {
    /// Least pause after a failure.
    public static let pauseMin = Duration.seconds(10)
    public static let pauseMax = Duration.seconds(600)
    /// A pause is at least so many times as long as the failure took: looking after a dead way costs at most a tenth.
    static let pauseFactor = 10
    /// Share by which a pause varies, up and down.
    static let jitter = 0.25

    /// What is known of a way.
    public struct Standing: Sendable, Hashable {
        /// Since it last worked.
        public var failures = 0
        public var error: ProtocolError?
        /// It is not preferred before.
        public var heldUntil = Duration.zero
    }

    public private(set) var standings: [Standing]
    /// The way that carried the last exchange.
    public private(set) var lastUsed: Int?

    /// - Parameter count: ways, 1 and up.
    public init(count: Int) { standings = Array(repeating: Standing(), count: count) }

    /// The ways in the order in which the next exchange tries them: those that are not held back, best first; then the
    /// others, the one that comes free first before the rest, for a contact that was begun is worth a try.
    public func candidates(at now: Duration) -> [Int] {
        let (ready, held) = (
            standings.indices.filter { !isHeld($0, at: now) }, standings.indices.filter { isHeld($0, at: now) }
        )
        return ready + held.sorted { (standings[$0].heldUntil, $0) < (standings[$1].heldUntil, $1) }
    }

    private func isHeld(_ way: Int, at now: Duration) -> Bool { standings[way].heldUntil > now }

    /// Whether an error says that the peer was not reached this way. Anything else is the peer's word, or a fault that
    /// another way would not mend.
    public static func isUnreachable(_ error: ProtocolError) -> Bool { error.code == .nodeUnreachable }

    /// An exchange over the way found no peer.
    /// - Parameter took: how long that took to show.
    public mutating func failed(
        _ way: Int, _ error: ProtocolError, after took: Duration, at now: Duration,
        using random: inout some RandomNumberGenerator
    ) {
        let before = standings[way].failures
        var pause = max(Self.pauseMin, min(max(took, .zero), Self.pauseMax) * Self.pauseFactor)
        for _ in 0..<before where pause < Self.pauseMax { pause = pause * 2 }
        pause = min(pause, Self.pauseMax) * Double.random(in: (1 - Self.jitter)...(1 + Self.jitter), using: &random)
        standings[way] = Standing(
            failures: before + 1, error: error, heldUntil: now + min(max(pause, Self.pauseMin), Self.pauseMax))
    }

    /// The way led to the peer, whatever the peer then said.
    public mutating func reached(_ way: Int) {
        standings[way] = Standing()
        lastUsed = way
    }
}
