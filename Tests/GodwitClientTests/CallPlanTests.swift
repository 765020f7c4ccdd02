import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

/// When the chat calls its node (RETRY-01 to RETRY-06).
@Suite("Calls of a client that stays")
struct CallPlanTests {
    private static func error(_ code: ErrorCode, retryAfter: Int64? = nil) -> ProtocolError {
        ProtocolError(code, "no", details: retryAfter.map { ["retry_after": .integer($0)] } ?? [:])
    }

    private static func plan() -> CallPlan { CallPlan(every: .seconds(60), random: SeededRandom(1)) }

    @Test("it calls at once, then each minute, and at any time when something was written, announced or asked for")
    func regular() {
        var plan = Self.plan()
        #expect(plan.mayCall(for: .timer, at: .zero))
        plan.succeeded(at: .seconds(5))
        #expect(!plan.mayCall(for: .timer, at: .seconds(64)) && plan.mayCall(for: .timer, at: .seconds(65)))
        for cause in [CallPlan.Cause.person, .written, .announced] {
            #expect(plan.mayCall(for: cause, at: .seconds(6)))
        }
    }

    @Test("after network errors it tries again after 1, 2, 4 … 60 seconds, give or take a quarter (RETRY-01 to -03)")
    func backoff() {
        var plan = Self.plan()
        var now = Duration.zero
        for wanted in [1.0, 2, 4, 8, 16, 32, 60, 60] {
            plan.failed(Self.error(.nodeUnreachable), at: now)
            let least = now + .seconds(wanted * 0.74)
            let most = now + .seconds(min(wanted * 1.26, 60.01))
            for cause in [CallPlan.Cause.timer, .written, .announced] {
                #expect(!plan.mayCall(for: cause, at: least) && plan.mayCall(for: cause, at: most))
            }
            #expect(plan.mayCall(for: .person, at: now))
            now = most
        }
        plan.succeeded(at: now)
        plan.failed(Self.error(.nodeUnreachable), at: now)
        #expect(plan.mayCall(for: .timer, at: now + .seconds(1.26)))
    }

    @Test("a time that the node names is kept, by a person too (RETRY-04)")
    func named() {
        var plan = Self.plan()
        plan.failed(Self.error(.rateLimited, retryAfter: 40), at: .zero)
        for cause in [CallPlan.Cause.person, .timer, .written] {
            #expect(!plan.mayCall(for: cause, at: .seconds(39.9)) && plan.mayCall(for: cause, at: .seconds(50.1)))
        }
    }

    @Test("what needs a person, and faults of the protocol, are not tried again by themselves (RETRY-05, RETRY-06)")
    func held() {
        for code in [ErrorCode.invalidCredentials, .invalidMessageFormat, .protocolVersionMismatch] {
            var plan = Self.plan()
            plan.failed(Self.error(code), at: .zero)
            for cause in [CallPlan.Cause.timer, .written, .announced] {
                #expect(!plan.mayCall(for: cause, at: .seconds(1_000_000)), "\(code.name)")
            }
            #expect(plan.mayCall(for: .person, at: .zero))
            plan.succeeded(at: .seconds(1))
            #expect(plan.mayCall(for: .timer, at: .seconds(61)))
        }
    }
}
