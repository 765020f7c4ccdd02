public import GodwitProtocol

/// When something that failed is tried again (004 §14.3; RETRY-01 to RETRY-06).
///
/// Delays double from 1 s to 60 s, each varied at random by up to 25%. The ceiling is a ceiling: at 60 s the variation
/// only shortens. A delay that the server names is kept, plus at most a quarter of it and at most 15 s, so that clients
/// that were refused together do not return together.
public struct RetryPolicy: Sendable, Hashable {
    public static let first = Duration.seconds(1)
    public static let ceiling = Duration.seconds(60)
    public static let multiplier = 2
    /// Share of a delay by which it varies, up and down.
    public static let jitter = 0.25
    /// Longest delay that a server may name; a longer one counts as this.
    public static let namedDelayMax = Duration.seconds(86_400)
    static let namedDelaySpreadMax = Duration.seconds(15)

    public enum Decision: Sendable, Hashable {
        /// Try again when so much time has passed.
        case after(Duration)
        /// Authentication: a user or operator has to act first.
        case userIntervention
        /// The same thing would fail again.
        case never
    }

    public init() {}

    /// Delay before the next try.
    /// - Parameter attempt: failures in a row, 1 and up; less counts as 1.
    /// - Returns: 0.75 s to 60 s.
    public func delay(attempt: Int, using random: inout some RandomNumberGenerator) -> Duration {
        var base = Self.first
        var left = max(attempt, 1) - 1
        while left > 0, base < Self.ceiling {
            base = min(base * Self.multiplier, Self.ceiling)
            left -= 1
        }
        let most = min(1 + Self.jitter, Self.ceiling / base)
        return min(base * Double.random(in: (1 - Self.jitter)...most, using: &random), Self.ceiling)
    }

    /// What follows a failure.
    /// - Parameters:
    ///   - attempt: failures in a row, this one included.
    ///   - retryAfter: delay that the server named. Kept for every code that may be tried again; never shortened.
    public func decision(
        after code: ErrorCode, attempt: Int, retryAfter: Duration?, using random: inout some RandomNumberGenerator
    ) -> Decision {
        switch code.retry {
        case .userIntervention: return .userIntervention
        case .never: return .never
        case .automatically, .afterDelay:
            guard let retryAfter, retryAfter > .zero else { return .after(delay(attempt: attempt, using: &random)) }
            let named = min(retryAfter, Self.namedDelayMax)
            let spread = min(named * Self.jitter, Self.namedDelaySpreadMax)
            return .after(named + spread * Double.random(in: 0...1, using: &random))
        }
    }
}
