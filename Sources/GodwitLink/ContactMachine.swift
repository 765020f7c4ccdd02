public import GodwitProtocol

/// Decides when the next contact with one peer starts (GW-04, NET-12, RETRY-01 to RETRY-06).
///
/// All times are durations since an arbitrary start, and never run backwards. The caller reports what happens, then asks
/// `next`; when it is told to start it runs one contact and reports its end, always. In between the answer is `idle`.
///
/// - Urgent items, and a full frame of others, start a contact at once; other items wait for company for `batchDelay`.
/// - Where a contact has to be worthwhile (`minBatch`), items wait for so many bytes, or for `maxWait`. Which urgent items
///   spare themselves that, and whether they open a closed window, says `WakeRule`.
/// - Where nothing waits the peer is asked after `poll.min`, and the pause doubles to `poll.max` as long as nothing is to
///   be had.
/// - After a failure `RetryPolicy` decides. A delay that the peer named stands; other delays end when a window opens.
///   After a failure that is not to be repeated the machine halts until `resume`.
/// - A contact that moved nothing is followed by no other in the same instant, so that nothing spins.
public struct ContactMachine: Sendable {
    /// Least pause after a contact that moved nothing.
    public static let pauseMin = Duration.milliseconds(100)
    /// Pauses between fruitless contacts where the policy has no poll.
    private static let pausesWithoutPoll = PollPlan(min: .seconds(1), max: .seconds(60))

    private struct Gate: Hashable {
        /// Nil: until it is opened.
        var until: Duration?
        var sparesUrgent = false
    }

    public let policy: Policy

    private var started: Duration?
    private var halt: ErrorCode?
    /// Since when items wait; nil: none.
    private var waitingSince: Duration?
    private var urgent = false
    private var bytes = ByteCount.zero
    /// The same as it will be on the wire.
    private var wire = ByteCount.zero
    /// Most bytes that were reported since something last moved.
    private var known = ByteCount.zero
    /// The last contact moved something and more waits: go on at once.
    private var goOn = false
    private var requested = false
    private var startedWithItems = false
    private var fruitless = 0
    private var failures = 0
    private var retryAt = Duration.zero
    private var heldUntil = Duration.zero
    private var pauseUntil = Duration.zero
    private var lastEnd: Duration?
    private var pollAt: Duration?
    private var pollPause: Duration
    private var window: Gate?
    private var budget: Gate?

    /// The peer is asked for the first time at once, unless the policy has no poll.
    public init(_ policy: Policy, at now: Duration) {
        self.policy = policy
        pollPause = policy.poll?.min ?? .zero
        pollAt = policy.poll == nil ? nil : now
    }

    public var isInContact: Bool { started != nil }
    /// Failures since the last success.
    public var failuresInARow: Int { failures }
}

// MARK: - Reports

extension ContactMachine {
    /// What waits for the peer now; to be called whenever it changes, and again after a contact.
    /// - Parameters:
    ///   - bytes: of bodies in all classes; zero: nothing waits.
    ///   - wire: what they are expected to take on the wire; nil: as many.
    public mutating func itemsWaiting(urgent: Bool, bytes: ByteCount, wire: ByteCount? = nil, at now: Duration) {
        self.urgent = urgent && bytes > .zero
        self.bytes = bytes
        self.wire = wire ?? bytes
        waitingSince = bytes > .zero ? waitingSince ?? now : nil
        guard bytes > known else { return }
        known = bytes
        // Something new came: a pause because of the old is no reason to let it wait.
        if let lastEnd { pauseUntil = min(pauseUntil, lastEnd + Self.pauseMin) }
    }

    /// Somebody asked for a contact (`godwit sync`), or the peer announced something. Does not lift a backoff.
    public mutating func contactRequested() {
        requested = true
    }

    /// The contact ended. Ignored if none runs.
    public mutating func contactEnded(
        _ outcome: Outcome, at now: Duration, using random: inout some RandomNumberGenerator
    ) {
        guard started != nil else { return }
        started = nil
        lastEnd = now
        switch outcome {
        case .success(let useful, let more): succeeded(useful: useful, more: more, at: now)
        case .failure(let code, let retryAfter): failed(code, retryAfter: retryAfter, at: now, using: &random)
        }
    }

    private mutating func succeeded(useful: Bool, more: Bool, at now: Duration) {
        failures = 0
        retryAt = now
        waitingSince = more ? waitingSince ?? now : nil
        urgent = urgent && more
        goOn = useful && more
        if useful {
            fruitless = 0
            known = .zero
            pauseUntil = now
            pollPause = policy.poll?.min ?? .zero
        } else {
            fruitless = startedWithItems || more ? fruitless + 1 : 0
            pauseUntil = now + (fruitless == 0 ? Self.pauseMin : fruitlessPause())
            if let poll = policy.poll { pollPause = min(pollPause * 2, poll.max) }
        }
        pollAt = policy.poll == nil ? nil : now + pollPause
    }

    private mutating func failed(
        _ code: ErrorCode, retryAfter: Duration?, at now: Duration, using random: inout some RandomNumberGenerator
    ) {
        failures += 1
        pauseUntil = now + Self.pauseMin
        pollAt = policy.poll == nil ? nil : now
        switch policy.retry.decision(after: code, attempt: failures, retryAfter: retryAfter, using: &random) {
        case .after(let delay):
            if retryAfter == nil { retryAt = now + delay } else { heldUntil = now + delay }
        case .userIntervention, .never:
            halt = code
        }
    }

    /// The operator acted, or the peer's entry changed: failures are forgotten.
    public mutating func resume() {
        halt = nil
        failures = 0
        retryAt = .zero
    }

    /// The link is there again; a backoff from before ends, a delay that the peer named does not.
    public mutating func windowOpened() {
        guard window != nil else { return }
        window = nil
        failures = 0
        retryAt = .zero
    }

    /// - Parameter until: when it opens by itself; nil: when `windowOpened` says so.
    public mutating func windowClosed(until: Duration?) {
        window = Gate(until: until)
    }

    /// - Parameters:
    ///   - until: when the budget is looked at again; nil: when `budgetRenewed` says so.
    ///   - sparesUrgent: urgent items may still go, on the budget's reserve.
    public mutating func budgetSpent(until: Duration?, sparesUrgent: Bool) {
        budget = Gate(until: until, sparesUrgent: sparesUrgent)
    }

    public mutating func budgetRenewed() {
        budget = nil
    }

    /// Whether an urgent item goes at once, and in a closed window.
    private func wakes(_ isUrgent: Bool) -> Bool { isUrgent && policy.wake != .never }
    private func opensWindow(_ isUrgent: Bool) -> Bool { isUrgent && policy.wake == .always }

    /// When what has waited since then is worth a contact.
    private func worthwhile(since: Duration, urgent: Bool) -> Duration {
        if wakes(urgent) { return .zero }
        if policy.minBatch > .zero, wire < policy.minBatch { return since + max(policy.maxWait, policy.batchDelay) }
        return bytes >= policy.fullFrame ? .zero : since + policy.batchDelay
    }

    private func fruitlessPause() -> Duration {
        let limits = policy.poll ?? Self.pausesWithoutPoll
        var pause = max(limits.min, Self.pauseMin)
        for _ in 1..<max(fruitless, 1) where pause < limits.max { pause = pause * 2 }
        return max(min(pause, limits.max), Self.pauseMin)
    }
}

// MARK: - Decision

extension ContactMachine {
    /// What to do now. `startContact` is given once; then the machine waits for `contactEnded`.
    public mutating func next(at now: Duration) -> Action {
        switch due() {
        case nil: return .idle
        case let time? where time > now: return .waitUntil(time)
        default:
            started = now
            startedWithItems = waitingSince != nil
            goOn = false
            requested = false
            pollAt = nil
            return .startContact
        }
    }

    public func phase(at now: Duration) -> Phase {
        if let halt { return .halted(halt) }
        if started != nil { return .inContact }
        if isWindowClosed(at: now), !opensWindow(urgent) { return .windowClosed }
        if let budget, budget.until.map({ $0 > now }) ?? true, !(urgent && budget.sparesUrgent) { return .budgetSpent }
        if max(retryAt, heldUntil) > now, failures > 0 { return .backoff }
        return waitingSince != nil || goOn ? .waiting : .idle
    }

    /// All that keeps an item from going now, and until when.
    /// - Parameter isUrgent: the item may use the reserve of a budget.
    public func holds(urgent isUrgent: Bool, at now: Duration) -> [Hold] {
        if let halt { return [.halted(halt)] }
        var holds: [Hold] = []
        if let started { holds.append(.inContact(since: started)) }
        if isWindowClosed(at: now), !opensWindow(isUrgent) { holds.append(.window(until: window?.until)) }
        if let budget, budget.until.map({ $0 > now }) ?? true, !(isUrgent && budget.sparesUrgent) {
            holds.append(.budget(until: budget.until, sparesUrgent: budget.sparesUrgent))
        }
        if retryAt > now, failures > 0 { holds.append(.backoff(until: retryAt, failures: failures)) }
        if heldUntil > now { holds.append(.askedToWait(until: heldUntil)) }
        guard started == nil else { return holds }
        if pauseUntil > now, fruitless > 0 { holds.append(.pause(until: pauseUntil)) }
        if let waitingSince, !wakes(urgent) {
            let until = min(worthwhile(since: waitingSince, urgent: false), pollAt ?? .seconds(Int64.max))
            let least = policy.minBatch > wire ? policy.minBatch : nil
            if until > now { holds.append(.batching(until: until, bytes: least)) }
        }
        return holds
    }

    private func isWindowClosed(at now: Duration) -> Bool { window.map { $0.until.map { $0 > now } ?? true } ?? false }

    /// When an item that waits can begin to go, as things stand; nil: not before a report.
    public func departure(urgent isUrgent: Bool, at now: Duration) -> Duration? {
        guard halt == nil else { return nil }
        var time = now
        if started == nil {
            guard let due = due() else { return nil }
            time = max(time, due)
            if isWindowClosed(at: time), !opensWindow(isUrgent) {
                guard let until = window?.until else { return nil }
                time = max(time, until)
            }
        }
        guard let budget, !(isUrgent && budget.sparesUrgent) else { return time }
        return budget.until.map { max(time, $0) }
    }

    /// When the next contact starts as things stand; nil: not before a report.
    private func due() -> Duration? {
        guard started == nil, halt == nil else { return nil }
        var wanted: [Duration] = []
        if let waitingSince { wanted.append(worthwhile(since: waitingSince, urgent: urgent)) }
        if goOn || requested { wanted.append(.zero) }
        if let pollAt { wanted.append(pollAt) }
        guard var time = wanted.min() else { return nil }
        for pause in [retryAt, heldUntil, pauseUntil] { time = max(time, pause) }
        if let window, !opensWindow(urgent) {
            guard let until = window.until else { return nil }
            time = max(time, until)
        }
        if let budget, !(urgent && budget.sparesUrgent) {
            guard let until = budget.until else { return nil }
            time = max(time, until)
        }
        return time
    }
}
