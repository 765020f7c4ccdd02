import GodwitLink
import GodwitProtocol
import Testing

@Suite("Contact machine (GW-04, NET-12, RETRY-01 to RETRY-06)")
struct ContactMachineTests {
    static let policy = ContactMachine.Policy(
        poll: PollPlan(min: .seconds(10), max: .seconds(60)), batchDelay: .milliseconds(500),
        fullFrame: ByteCount(6_000))
    static let noPoll = ContactMachine.Policy(
        poll: nil, batchDelay: .milliseconds(500), fullFrame: ByteCount(6_000))

    private var random = SeededGenerator(seed: 5)

    /// A machine whose first contact has ended usefully at `now`.
    private mutating func settled(_ policy: ContactMachine.Policy = policy, at now: Duration) -> ContactMachine {
        var machine = ContactMachine(policy, at: now)
        machine.contactRequested()
        #expect(machine.next(at: now) == .startContact)
        machine.contactEnded(.success(useful: true, more: false), at: now, using: &random)
        return machine
    }

    @Test("a new machine asks its peer at once, one without poll waits for items")
    func first() {
        var polling = ContactMachine(Self.policy, at: .seconds(3))
        #expect(polling.next(at: .seconds(3)) == .startContact)
        var silent = ContactMachine(Self.noPoll, at: .seconds(3))
        #expect(silent.next(at: .seconds(3)) == .idle && silent.phase(at: .seconds(3)) == .idle)
    }

    @Test("in a contact there is nothing to do, whatever comes")
    func inContact() {
        var machine = ContactMachine(Self.policy, at: .zero)
        #expect(machine.next(at: .zero) == .startContact && machine.isInContact)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(9_999), at: .zero)
        machine.contactRequested()
        machine.windowClosed(until: .seconds(1))
        machine.windowOpened()
        machine.resume()
        #expect(machine.next(at: .seconds(999)) == .idle && machine.phase(at: .zero) == .inContact)
    }

    @Test("an urgent item starts a contact at once, others wait for the batch delay")
    mutating func urgentAndOthers() {
        var machine = settled(at: .zero)
        machine.itemsWaiting(urgent: false, bytes: ByteCount(100), at: .seconds(1))
        #expect(machine.next(at: .seconds(1)) == .waitUntil(.milliseconds(1_500)))
        #expect(machine.phase(at: .seconds(1)) == .waiting)
        // A second item does not prolong the wait of the first.
        machine.itemsWaiting(urgent: false, bytes: ByteCount(200), at: .milliseconds(1_400))
        #expect(machine.next(at: .milliseconds(1_400)) == .waitUntil(.milliseconds(1_500)))
        machine.itemsWaiting(urgent: true, bytes: ByteCount(300), at: .milliseconds(1_450))
        #expect(machine.next(at: .milliseconds(1_450)) == .startContact)
    }

    @Test("a full frame needs no company: 5,999 bytes wait, 6,000 do not")
    mutating func fullFrame() {
        var machine = settled(at: .zero)
        machine.itemsWaiting(urgent: false, bytes: ByteCount(5_999), at: .seconds(1))
        #expect(machine.next(at: .seconds(1)) == .waitUntil(.milliseconds(1_500)))
        machine.itemsWaiting(urgent: false, bytes: ByteCount(6_000), at: .seconds(1))
        #expect(machine.next(at: .seconds(1)) == .startContact)
    }

    @Test("items that went away start nothing")
    mutating func goneItems() {
        var machine = settled(Self.noPoll, at: .zero)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(100), at: .seconds(1))
        machine.itemsWaiting(urgent: false, bytes: .zero, at: .seconds(1))
        #expect(machine.next(at: .seconds(99)) == .idle)
    }

    @Test("polls: soon after useful traffic, then the pause doubles to its maximum and starts anew")
    mutating func polls() {
        var machine = ContactMachine(Self.policy, at: .zero)
        var now = Duration.zero
        var pauses: [Duration] = []
        for _ in 0..<6 {
            #expect(machine.next(at: now) == .startContact)
            machine.contactEnded(.success(useful: false, more: false), at: now, using: &random)
            guard case .waitUntil(let next) = machine.next(at: now) else {
                Issue.record("no poll")
                return
            }
            pauses.append(next - now)
            now = next
        }
        #expect(pauses == [20, 40, 60, 60, 60, 60].map { .seconds($0) })
        #expect(machine.next(at: now) == .startContact)
        machine.contactEnded(.success(useful: true, more: false), at: now, using: &random)
        #expect(machine.next(at: now) == .waitUntil(now + .seconds(10)))
    }

    @Test("as long as contacts move something and more waits, they follow at once, also if only the peer has more")
    mutating func more() {
        var machine = settled(at: .zero)
        machine.contactRequested()
        #expect(machine.next(at: .seconds(1)) == .startContact)
        machine.contactEnded(.success(useful: true, more: true), at: .seconds(2), using: &random)
        machine.itemsWaiting(urgent: false, bytes: .zero, at: .seconds(2))
        #expect(machine.next(at: .seconds(2)) == .startContact)
    }

    @Test("contacts that move nothing although something waits follow ever more slowly")
    mutating func fruitless() {
        var machine = settled(Self.noPoll, at: .zero)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(100), at: .zero)
        var now = Duration.zero
        var pauses: [Duration] = []
        for _ in 0..<8 {
            #expect(machine.next(at: now) == .startContact)
            machine.contactEnded(.success(useful: false, more: true), at: now, using: &random)
            machine.itemsWaiting(urgent: true, bytes: ByteCount(100), at: now)
            guard case .waitUntil(let next) = machine.next(at: now) else {
                Issue.record("no next contact")
                return
            }
            pauses.append(next - now)
            now = next
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        // A new item need not wait for that.
        machine.itemsWaiting(urgent: true, bytes: ByteCount(150), at: now - .seconds(50))
        #expect(machine.next(at: now - .seconds(50)) == .startContact)
    }

    @Test("a failure is followed by the backoff, which urgent items do not break")
    mutating func backoff() {
        var machine = ContactMachine(Self.noPoll, at: .zero)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(100), at: .zero)
        var now = Duration.zero
        for attempt in 1...10 {
            #expect(machine.next(at: now) == .startContact)
            machine.contactEnded(.failure(.nodeUnreachable), at: now, using: &random)
            #expect(machine.failuresInARow == attempt && machine.phase(at: now) == .backoff)
            machine.itemsWaiting(urgent: true, bytes: ByteCount(100 + attempt), at: now)
            machine.contactRequested()
            guard case .waitUntil(let next) = machine.next(at: now) else {
                Issue.record("not tried again")
                return
            }
            let base = Double(min(1 << (attempt - 1), 60))
            #expect((base * 0.75...min(base * 1.25, 60)).contains((next - now).inSeconds), "attempt \(attempt)")
            now = next
        }
        #expect(machine.next(at: now) == .startContact)
        machine.contactEnded(.success(useful: true, more: false), at: now, using: &random)
        #expect(machine.failuresInARow == 0)
    }

    @Test("a delay that the peer named is kept, also over the opening of a window")
    mutating func named() {
        var machine = ContactMachine(Self.policy, at: .zero)
        #expect(machine.next(at: .zero) == .startContact)
        machine.contactEnded(.failure(.rateLimited, retryAfter: .seconds(100)), at: .zero, using: &random)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(1), at: .zero)
        machine.windowClosed(until: nil)
        machine.windowOpened()
        guard case .waitUntil(let next) = machine.next(at: .seconds(1)) else {
            Issue.record("not tried again")
            return
        }
        #expect(next >= .seconds(100) && next <= .seconds(115))
    }

    @Test(
        "after a failure that is not to be repeated it halts until somebody acts",
        arguments: [ErrorCode.invalidCredentials, .accountSuspended, .protocolVersionMismatch, .invalidMessageFormat])
    func halts(_ code: ErrorCode) {
        var random = SeededGenerator(seed: 1)
        var machine = ContactMachine(Self.policy, at: .zero)
        #expect(machine.next(at: .zero) == .startContact)
        machine.contactEnded(.failure(code), at: .zero, using: &random)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(9_999), at: .seconds(1))
        machine.contactRequested()
        machine.windowClosed(until: nil)
        machine.windowOpened()
        #expect(machine.next(at: .seconds(100_000)) == .idle && machine.phase(at: .seconds(1)) == .halted(code))
        machine.resume()
        #expect(machine.next(at: .seconds(100_000)) == .startContact)
    }

    @Test("a closed window holds everything back, until it opens by report or by its time")
    mutating func window() {
        var machine = settled(at: .zero)
        machine.windowClosed(until: nil)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(1), at: .seconds(1))
        #expect(machine.next(at: .seconds(1)) == .idle && machine.phase(at: .seconds(1)) == .windowClosed)
        machine.windowClosed(until: .seconds(50))
        #expect(machine.next(at: .seconds(1)) == .waitUntil(.seconds(50)))
        #expect(machine.phase(at: .seconds(49)) == .windowClosed && machine.phase(at: .seconds(50)) == .waiting)
        #expect(machine.next(at: .seconds(50)) == .startContact)
        machine.contactEnded(.failure(.nodeUnreachable), at: .seconds(51), using: &random)
        machine.windowClosed(until: nil)
        machine.windowOpened()
        // The backoff was the closed link's; only the least pause remains.
        #expect(machine.next(at: .seconds(51)) == .waitUntil(.milliseconds(51_100)))
    }

    @Test("a spent budget holds polls and ordinary items back, and urgent ones where no reserve is left")
    mutating func budget() {
        var machine = settled(at: .zero)
        machine.budgetSpent(until: .seconds(3_600), sparesUrgent: true)
        machine.itemsWaiting(urgent: false, bytes: ByteCount(99_999), at: .seconds(1))
        #expect(machine.next(at: .seconds(100)) == .waitUntil(.seconds(3_600)))
        #expect(machine.phase(at: .seconds(100)) == .budgetSpent)
        var urgent = machine
        urgent.itemsWaiting(urgent: true, bytes: ByteCount(99_999), at: .seconds(100))
        #expect(urgent.next(at: .seconds(100)) == .startContact)
        machine.budgetSpent(until: nil, sparesUrgent: false)
        machine.itemsWaiting(urgent: true, bytes: ByteCount(99_999), at: .seconds(100))
        #expect(machine.next(at: .seconds(100_000)) == .idle)
        machine.budgetRenewed()
        #expect(machine.next(at: .seconds(100_000)) == .startContact)
    }

    @Test("an end that belongs to no contact changes nothing")
    mutating func strayEnd() {
        var machine = settled(at: .zero)
        machine.contactEnded(.failure(.invalidCredentials), at: .seconds(1), using: &random)
        #expect(machine.next(at: .seconds(1)) == .waitUntil(.seconds(10)) && machine.failuresInARow == 0)
    }

    @Test("a profile's policy is taken over")
    func fromProfile() {
        let policy = ContactMachine.Policy(.satellite)
        #expect(policy.batchDelay == .milliseconds(500) && policy.fullFrame.bytes == 6_000)
        #expect(policy.poll == PollPlan(min: .seconds(10), max: .seconds(300)))
    }
}
