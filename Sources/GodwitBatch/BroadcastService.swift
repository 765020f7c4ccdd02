/// What became of a record of a broadcast.
public enum BroadcastVerdict: Sendable, Hashable {
    /// It was sealed by somebody known here, brought something new, and is durable.
    case taken
    /// It was sealed by somebody known here and brought nothing new. Anybody can repeat what he has once heard, so it
    /// proves nothing of the one who sent it.
    case repeated
    /// It is for somebody else, as most of a broadcast is.
    case forOthers
    /// It is no frame, was altered, or breaks a rule.
    case refused
    /// It could not be kept now: the next round of the broadcast may bring it again.
    case later
}

/// What a listener for broadcasts has heard since it started.
public struct BroadcastCounts: Sendable, Hashable {
    public var datagrams = 0
    /// Datagrams that were malformed, garbled, or beyond what is kept of one source.
    public var refused = 0
    /// Objects that became whole.
    public var objects = 0
    /// Objects that were dropped before they were.
    public var incomplete = 0
    /// Objects that were whole and not what their id says.
    public var damaged = 0

    public init() {}
}

/// Takes what broadcasts bring. Nothing is answered: acknowledgements go another way.
public protocol BroadcastService: Sendable {
    /// Takes one record. Returns after what it held is durable. The same record may come more than once.
    func take(_ record: [UInt8]) async -> BroadcastVerdict
    /// What the listener has heard until now.
    func note(_ counts: BroadcastCounts)
}
