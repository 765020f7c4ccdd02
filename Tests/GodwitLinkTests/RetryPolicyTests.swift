import GodwitLink
import GodwitProtocol
import Testing

@Suite("Retries (RETRY-01 to RETRY-06)")
struct RetryPolicyTests {
    private let policy = RetryPolicy()

    @Test("delays double from 1 s to 60 s and vary by at most 25%", arguments: 1...20)
    func doubling(_ attempt: Int) {
        var random = SeededGenerator(seed: UInt64(attempt))
        let bases = [1, 2, 4, 8, 16, 32, 60]
        let base = Double(bases[min(attempt - 1, bases.count - 1)])
        let delays = (0..<2_000).map { _ in policy.delay(attempt: attempt, using: &random).inSeconds }
        let low = delays.min() ?? 0
        let high = delays.max() ?? 0
        #expect(low >= base * 0.75 && high <= min(base * 1.25, 60))
        // They do use the range.
        #expect(low < base * 0.78 && high > min(base * 1.22, 59))
    }

    @Test("attempts below one count as the first, and huge ones do not take long or overflow")
    func extremes() {
        var random = SeededGenerator(seed: 3)
        #expect(policy.delay(attempt: 0, using: &random) <= .milliseconds(1_250))
        #expect(policy.delay(attempt: .min, using: &random) <= .milliseconds(1_250))
        #expect(policy.delay(attempt: .max, using: &random) >= .seconds(45))
    }

    @Test("every code of 004 §14.2 is treated as its group says")
    func codes() {
        var random = SeededGenerator(seed: 1)
        for code in [ErrorCode.nodeUnreachable, .federationError, .internalError, .maintenanceMode] {
            let decision = policy.decision(after: code, attempt: 1, retryAfter: nil, using: &random)
            guard case .after(let delay) = decision else {
                Issue.record("\(code) is not tried again")
                continue
            }
            #expect(delay >= .milliseconds(750) && delay <= .milliseconds(1_250))
        }
        for code in [ErrorCode.invalidCredentials, .sessionExpired, .insufficientPermissions, .accountSuspended] {
            let decision = policy.decision(after: code, attempt: 1, retryAfter: .seconds(1), using: &random)
            #expect(decision == .userIntervention, "\(code)")
        }
        for code in [
            ErrorCode.invalidMessageFormat, .messageTooLarge, .channelNotFound, .userNotFound,
            .protocolVersionMismatch,
        ] {
            let decision = policy.decision(after: code, attempt: 1, retryAfter: .seconds(1), using: &random)
            #expect(decision == .never, "\(code)")
        }
    }

    @Test("the delay that the server names is never shortened (RETRY-04)", arguments: [1, 7, 60, 3_600, 86_400])
    func named(_ seconds: Int) {
        var random = SeededGenerator(seed: 9)
        for attempt in 1...50 {
            let decision = policy.decision(
                after: .rateLimited, attempt: attempt, retryAfter: .seconds(seconds), using: &random)
            guard case .after(let delay) = decision else {
                Issue.record("not tried again")
                return
            }
            #expect(delay >= .seconds(seconds))
            #expect(delay.inSeconds <= Double(seconds) + min(Double(seconds) * 0.25, 15))
        }
    }

    @Test("a named delay of more than a day counts as a day; none or zero gives the backoff")
    func namedExtremes() {
        var random = SeededGenerator(seed: 9)
        func delay(_ named: Duration?) -> Duration? {
            let decision = policy.decision(after: .rateLimited, attempt: 1, retryAfter: named, using: &random)
            return if case .after(let delay) = decision { delay } else { nil }
        }
        #expect(delay(.seconds(86_401)).map { $0 <= .seconds(86_415) } == true)
        #expect(delay(.seconds(Int64.max / 4)).map { $0 <= .seconds(86_415) } == true)
        for named in [nil, Duration.zero, .seconds(-5)] {
            #expect(delay(named).map { (.milliseconds(750)...(.milliseconds(1_250))).contains($0) } == true)
        }
    }
}
