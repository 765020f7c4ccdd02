import Glibc
public import GodwitProtocol

/// Where a party takes its time from (habit 13: injected).
public protocol TimeSource: Sendable {
    /// What the clock on the wall says. May be wrong by years on a box without a battery clock (D-16).
    func now() -> Timestamp
    /// Time since some start, only growing.
    func uptime() -> Duration
}

/// The system's clocks.
public struct SystemTime: TimeSource {
    public init() {}

    public func now() -> Timestamp {
        let time = Self.read(CLOCK_REALTIME)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public func uptime() -> Duration {
        let time = Self.read(CLOCK_BOOTTIME)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
