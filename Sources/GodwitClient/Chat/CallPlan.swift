import GodwitLink
public import GodwitProtocol

/// When a client that stays calls its home node (004 §14.3). Told the time, on any scale that does not run backwards.
public struct CallPlan: Sendable {
    /// Why one might call.
    public enum Cause: Sendable, Hashable {
        /// Somebody asked for it.
        case person
        /// Something was written.
        case written
        /// The node said that something has come.
        case announced
        /// Time passes.
        case timer
    }

    private let every: Duration
    private var failures = 0
    private var lastEnd: Duration?
    /// Nothing but a person calls before.
    private var heldUntil = Duration.zero
    /// Of a failure that needs somebody: no time ends it.
    private var isHeld = false
    /// The node named this time; nobody calls before.
    private var namedUntil = Duration.zero
    private var random: any RandomNumberGenerator & Sendable

    public init(every: Duration, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.every = every
        self.random = random
    }

    public func mayCall(for cause: Cause, at now: Duration) -> Bool {
        guard now >= namedUntil else { return false }
        if cause == .person { return true }
        guard !isHeld, now >= heldUntil else { return false }
        guard cause == .timer, failures == 0, let lastEnd else { return true }
        return now >= lastEnd + every
    }

    public mutating func succeeded(at now: Duration) {
        (failures, heldUntil, namedUntil, isHeld, lastEnd) = (0, .zero, .zero, false, now)
    }

    /// What may succeed later is tried again by itself, later each time. Failed authentication and faults of the protocol
    /// wait for a person.
    public mutating func failed(_ error: ProtocolError, at now: Duration) {
        failures += 1
        lastEnd = now
        let named = error.retryAfter.map { Duration.seconds($0) }
        var generator: any RandomNumberGenerator & Sendable = random
        let decision = Self.decide(error.code, failures, named, &generator)
        random = generator
        guard case .after(let delay) = decision else {
            isHeld = true
            return
        }
        heldUntil = now + delay
        if named != nil { namedUntil = heldUntil }
    }

    private static func decide(
        _ code: ErrorCode, _ attempt: Int, _ named: Duration?, _ random: inout some RandomNumberGenerator
    ) -> RetryPolicy.Decision {
        RetryPolicy().decision(after: code, attempt: attempt, retryAfter: named, using: &random)
    }
}
