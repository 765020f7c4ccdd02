import GodwitLink
import GodwitProtocol
import Testing

/// Contacts that have to be worth it, and what urgent items may start by themselves (GW-04, GW-07).
@Suite("Worthwhile contacts")
struct WorthwhileTests {
    private static func policy(_ wake: WakeRule, least: Int = 1_000) -> ContactMachine.Policy {
        var policy = ContactMachine.Policy(poll: nil, batchDelay: .seconds(1), fullFrame: ByteCount(500))
        policy.minBatch = ByteCount(least)
        policy.maxWait = .seconds(600)
        policy.wake = wake
        return policy
    }

    private static func seconds(_ time: Int64) -> Duration { .seconds(time) }

    @Test("below the batch an item waits for the time, with it for company only")
    func batch() {
        var machine = ContactMachine(Self.policy(.inWindow), at: .zero)
        machine.itemsWaiting(urgent: false, bytes: ByteCount(5_000), wire: ByteCount(999), at: .zero)
        #expect(machine.next(at: .zero) == .waitUntil(Self.seconds(600)))
        #expect(
            machine.holds(urgent: false, at: .zero)
                == [.batching(until: Self.seconds(600), bytes: ByteCount(1_000))])
        #expect(machine.departure(urgent: false, at: .zero) == Self.seconds(600))
        machine.itemsWaiting(urgent: false, bytes: ByteCount(5_100), wire: ByteCount(1_000), at: Self.seconds(5))
        #expect(machine.next(at: Self.seconds(5)) == .startContact)
        var late = ContactMachine(Self.policy(.inWindow), at: .zero)
        late.itemsWaiting(urgent: false, bytes: ByteCount(5), at: .zero)
        #expect(late.next(at: .milliseconds(599_999)) == .waitUntil(Self.seconds(600)))
        #expect(late.next(at: Self.seconds(600)) == .startContact)
    }

    @Test("an urgent item starts a contact at once, or waits like the others, as the profile says")
    func wake() {
        for wake in WakeRule.allCases {
            var machine = ContactMachine(Self.policy(wake), at: .zero)
            machine.itemsWaiting(urgent: true, bytes: ByteCount(50), at: .zero)
            #expect(
                machine.next(at: .zero) == (wake == .never ? .waitUntil(Self.seconds(600)) : .startContact), "\(wake)")
            var closed = ContactMachine(Self.policy(wake), at: .zero)
            closed.windowClosed(until: Self.seconds(50))
            closed.itemsWaiting(urgent: true, bytes: ByteCount(50), at: .zero)
            let action: ContactMachine.Action =
                switch wake {
                case .never: .waitUntil(Self.seconds(600))
                case .inWindow: .waitUntil(Self.seconds(50))
                case .always: .startContact
                }
            #expect(closed.phase(at: .zero) == (wake == .always ? .waiting : .windowClosed))
            let holdsUrgent = closed.holds(urgent: true, at: .zero).contains(.window(until: Self.seconds(50)))
            #expect(holdsUrgent == (wake != .always))
            #expect(closed.holds(urgent: false, at: .zero).contains(.window(until: Self.seconds(50))))
            #expect(closed.departure(urgent: false, at: .zero) ?? .zero >= Self.seconds(50), "others stay behind")
            #expect(closed.next(at: .zero) == action, "\(wake)")
        }
    }

    /// What the machine has to do, said again in a simple way: the time at which a contact with this queue is due.
    private static func due(
        since: Duration, urgent: Bool, wire: Int, policy: ContactMachine.Policy, opens: Duration?
    ) -> Duration {
        let isWoken = urgent && policy.wake != .never
        let wait =
            wire < policy.minBatch.bytes ? policy.maxWait : wire < policy.fullFrame.bytes ? policy.batchDelay : .zero
        let time = isWoken ? .zero : since + wait
        guard let opens, !(urgent && policy.wake == .always) else { return time }
        return max(time, opens)
    }

    @Test("seeded queues, windows and rules: never earlier, never later than due", arguments: 1...200)
    func seeded(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let wake = WakeRule.allCases.randomElement(using: &random) ?? .inWindow
        let policy = Self.policy(wake, least: Bool.random(using: &random) ? 0 : 1_000)
        var machine = ContactMachine(policy, at: .zero)
        var (now, since, opens) = (Duration.zero, Duration?.none, Duration?.none)
        var (wire, urgent) = (0, false)
        for step in 0..<120 {
            now += .milliseconds(Int.random(in: 1...90_000, using: &random))
            if let time = opens, time <= now {
                opens = nil
                machine.windowOpened()
            }
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                wire += Int.random(in: 1...400, using: &random)
                urgent = urgent || Int.random(in: 0..<6, using: &random) == 0
                since = since ?? now
            case 1 where opens == nil:
                opens = now + .milliseconds(Int.random(in: 1...300_000, using: &random))
                machine.windowClosed(until: opens)
            default: break
            }
            machine.itemsWaiting(urgent: urgent, bytes: ByteCount(wire), at: now)
            let action = machine.next(at: now)
            guard let began = since else {
                #expect(action == .idle, "seed \(seed), step \(step)")
                continue
            }
            let due = Self.due(since: began, urgent: urgent, wire: wire, policy: policy, opens: opens)
            if due > now {
                #expect(action == .waitUntil(due), "seed \(seed), step \(step)")
                continue
            }
            #expect(action == .startContact, "seed \(seed), step \(step)")
            machine.contactEnded(.success(useful: true, more: false), at: now, using: &random)
            (wire, urgent, since) = (0, false, nil)
            machine.itemsWaiting(urgent: false, bytes: .zero, at: now)
        }
    }

    @Test("the profile's keys have their limits, and a batch spaces out polls that nobody asked for")
    func profile() throws {
        func read(_ keys: String) throws -> Profile {
            try Profile(YAMLProfile.value("{name: x, network_profile: {type: satellite}, \(keys)}"))
        }
        let plain = try read("mtu: 1500")
        #expect(plain.minBatch == .zero && plain.wakeOnUrgent == .inWindow && plain.poll == Profile.satellite.poll)
        let batch = try read("min_batch: 4000, max_wait: 7200, wake_on_urgent: always")
        #expect(batch.minBatch == ByteCount(4_000) && batch.maxWait == .seconds(7_200) && batch.wakeOnUrgent == .always)
        #expect(batch.poll == PollPlan(min: .seconds(7_200), max: .seconds(7_200)))
        #expect(
            try read("min_batch: 4000, poll: {min: 5, max: 9}").poll == PollPlan(min: .seconds(5), max: .seconds(9)))
        #expect(try read("min_batch: 4000, poll: never").poll == nil)
        for good in [
            "min_batch: 0", "min_batch: 1000000000", "max_wait: 1", "max_wait: 2592000", "wake_on_urgent: never",
        ] {
            #expect(throws: Never.self, "\(good)") { _ = try read(good) }
        }
        for bad in [
            "min_batch: -1", "min_batch: 1000000001", "max_wait: 0.9", "max_wait: 2592001", "wake_on_urgent: true",
        ] {
            let error = #expect(throws: ProtocolError.self, "\(bad)") { _ = try read(bad) }
            #expect(error?.details["key"] == .string(String(bad.prefix { $0 != ":" })))
        }
    }
}
