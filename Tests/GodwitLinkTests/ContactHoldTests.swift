import GodwitProtocol
import Testing

@testable import GodwitLink

/// What holds an item, and from when on it can go (issue 3, "Forecast").
@Suite("What holds a contact")
struct ContactHoldTests {
    private static let policy = ContactMachine.Policy(
        poll: PollPlan(min: .seconds(10), max: .seconds(300)), batchDelay: .seconds(2), fullFrame: ByteCount(1_000))

    /// A machine after its first poll, at 1 s, with something small waiting.
    private static func machine() -> ContactMachine {
        var machine = ContactMachine(policy, at: .zero)
        var random = SeededGenerator(seed: 1)
        _ = machine.next(at: .zero)
        machine.contactEnded(.success(useful: true, more: false), at: .seconds(1), using: &random)
        machine.itemsWaiting(urgent: false, bytes: ByteCount(100), at: .seconds(1))
        return machine
    }

    @Test("an item waits for company, and goes when the delay is over")
    func batching() {
        var machine = Self.machine()
        #expect(machine.holds(urgent: false, at: .seconds(2)) == [.batching(until: .seconds(3))])
        #expect(machine.departure(urgent: false, at: .seconds(2)) == .seconds(3))
        machine.itemsWaiting(urgent: true, bytes: ByteCount(200), at: .seconds(2))
        #expect(machine.holds(urgent: false, at: .seconds(2)).isEmpty)
        #expect(machine.departure(urgent: false, at: .seconds(2)) == .seconds(2))
        #expect(machine.next(at: .seconds(2)) == .startContact)
        #expect(machine.holds(urgent: false, at: .seconds(2)) == [.inContact(since: .seconds(2))])
    }

    @Test("a window that is closed holds everything; a spent budget only what it does not spare")
    func gates() {
        var machine = Self.machine()
        machine.budgetSpent(until: .seconds(500), sparesUrgent: true)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(200), at: .seconds(5))
        #expect(machine.holds(urgent: true, at: .seconds(5)).isEmpty)
        #expect(machine.departure(urgent: true, at: .seconds(5)) == .seconds(5))
        #expect(
            machine.holds(urgent: false, at: .seconds(5)) == [.budget(until: .seconds(500), sparesUrgent: true)])
        #expect(machine.departure(urgent: false, at: .seconds(5)) == .seconds(500))
        machine.windowClosed(until: .seconds(60))
        #expect(machine.holds(urgent: true, at: .seconds(5)) == [.window(until: .seconds(60))])
        #expect(machine.departure(urgent: true, at: .seconds(5)) == .seconds(60))
        machine.windowClosed(until: nil)
        #expect(machine.departure(urgent: true, at: .seconds(5)) == nil)
    }

    @Test("failures, a delay that the peer named, and a halt are told apart")
    func failures() {
        var random = SeededGenerator(seed: 2)
        var machine = Self.machine()
        _ = machine.next(at: .seconds(3))
        machine.contactEnded(.failure(.nodeUnreachable), at: .seconds(4), using: &random)
        guard case .backoff(let until, let failures)? = machine.holds(urgent: true, at: .seconds(4)).first else {
            Issue.record("no backoff")
            return
        }
        #expect(failures == 1 && until > .seconds(4))
        #expect(machine.departure(urgent: true, at: .seconds(4)) == until)
        _ = machine.next(at: until)
        machine.contactEnded(.failure(.rateLimited, retryAfter: .seconds(40)), at: until, using: &random)
        let named = machine.holds(urgent: true, at: until)
        #expect(named.contains { if case .askedToWait(let end) = $0 { end >= until + .seconds(40) } else { false } })
        _ = machine.next(at: until + .seconds(100))
        machine.contactEnded(.failure(.invalidCredentials), at: until + .seconds(101), using: &random)
        #expect(machine.holds(urgent: true, at: until + .seconds(101)) == [.halted(.invalidCredentials)])
        #expect(machine.departure(urgent: true, at: until + .seconds(101)) == nil)
    }

    @Test("the departure is when the machine does start", arguments: 0..<200 as Range<UInt64>)
    func departure(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = ContactMachine(Self.policy, at: .zero)
        var now = Duration.zero
        for _ in 0..<60 {
            now += .milliseconds(Int.random(in: 1...20_000, using: &random))
            let urgent = Bool.random(using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: machine.itemsWaiting(urgent: urgent, bytes: ByteCount(100), at: now)
            case 1: machine.windowClosed(until: now + .seconds(30))
            case 2: machine.windowOpened()
            case 3: machine.budgetSpent(until: now + .seconds(50), sparesUrgent: false)
            case 4: machine.budgetRenewed()
            default: machine.itemsWaiting(urgent: urgent, bytes: ByteCount(5_000), at: now)
            }
            let expected = machine.departure(urgent: urgent, at: now)
            switch machine.next(at: now) {
            case .startContact:
                #expect(expected == now)
                let outcome: ContactMachine.Outcome =
                    Bool.random(using: &random) ? .failure(.nodeUnreachable) : .success(useful: true, more: false)
                machine.contactEnded(outcome, at: now, using: &random)
            case .waitUntil(let time): #expect(expected == time)
            case .idle: #expect(expected == nil)
            }
        }
    }
}
