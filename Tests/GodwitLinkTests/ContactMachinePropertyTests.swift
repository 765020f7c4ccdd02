import GodwitLink
import GodwitProtocol
import Testing

@Suite("Contact machine under seeded faults")
struct ContactMachinePropertyTests {
    /// A peer, a link and a clock that obey the machine and misbehave by seed.
    private struct World {
        var random: SeededGenerator
        var machine: ContactMachine
        var now = Duration.zero
        var waiting = 0
        var contactEnds: Duration?
        var windowOpen = true
        var starts: [(at: Duration, progressSince: Bool)] = []
        var progress = true

        init(seed: UInt64, policy: ContactMachine.Policy) {
            random = SeededGenerator(seed: seed)
            machine = ContactMachine(policy, at: .zero)
        }

        mutating func report() {
            machine.itemsWaiting(urgent: Int.random(in: 0..<3, using: &random) == 0, bytes: ByteCount(waiting), at: now)
        }

        mutating func endContact() {
            contactEnds = nil
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                machine.contactEnded(.failure(.nodeUnreachable), at: now, using: &random)
            case 1:
                machine.contactEnded(
                    .failure(.rateLimited, retryAfter: .seconds(Int.random(in: 0...20, using: &random))), at: now,
                    using: &random)
            case 2:
                machine.contactEnded(.success(useful: false, more: waiting > 0), at: now, using: &random)
            default:
                let moved = Int.random(in: 0...waiting, using: &random)
                waiting -= moved
                if moved > 0 { progress = true }
                machine.contactEnded(.success(useful: moved > 0, more: waiting > 0), at: now, using: &random)
            }
            report()
        }

        mutating func disturb() {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                waiting += Int.random(in: 1...5_000, using: &random)
                report()
            case 2:
                windowOpen = false
                machine.windowClosed(until: nil)
            case 3, 4:
                windowOpen = true
                machine.windowOpened()
            case 5: machine.contactRequested()
            case 6: report()
            default: break
            }
        }

        /// Asks until the machine waits; a contact that lasts no time ends at once.
        mutating func settle(instant: Bool) {
            var asked = 0
            while case .startContact = machine.next(at: now), asked < 1_000 {
                #expect(contactEnds == nil, "two contacts at once")
                #expect(windowOpen, "a contact in a closed window")
                starts.append((now, progress))
                progress = false
                asked += 1
                let length = instant ? Duration.zero : .milliseconds(Int.random(in: 0...3_000, using: &random))
                contactEnds = now + length
                if length == .zero { endContact() }
            }
            #expect(asked < 1_000, "it spins")
        }
    }

    @Test("never two at once, never in a closed window, never twice in an instant without progress", arguments: 1...60)
    func invariants(_ seed: UInt64) {
        let policy = seed.isMultiple(of: 2) ? ContactMachineTests.policy : ContactMachineTests.noPoll
        var world = World(seed: seed, policy: policy)
        for _ in 0..<600 {
            // Faults come in bursts in the same instant, too.
            if Bool.random(using: &world.random) {
                world.now += .milliseconds(Int.random(in: 0...1_500, using: &world.random))
            }
            if let end = world.contactEnds, end <= world.now { world.endContact() }
            world.disturb()
            world.settle(instant: seed.isMultiple(of: 3))
        }
        #expect(world.starts.count > 20, "seed \(seed)")
        for (earlier, later) in zip(world.starts, world.starts.dropFirst()) where !later.progressSince {
            #expect(later.at >= earlier.at + ContactMachine.pauseMin, "seed \(seed)")
        }
    }

    @Test("what waits is sent at last, by nothing but obeying the machine's own times", arguments: 1...60)
    func progress(_ seed: UInt64) {
        var world = World(
            seed: seed, policy: seed.isMultiple(of: 2) ? ContactMachineTests.policy : ContactMachineTests.noPoll)
        for _ in 0..<200 {
            world.now += .milliseconds(Int.random(in: 0...1_500, using: &world.random))
            if let end = world.contactEnds, end <= world.now { world.endContact() }
            world.disturb()
            world.settle(instant: false)
        }
        // The disturbances end; the link stays open; what waits is what waits.
        world.windowOpen = true
        world.machine.windowOpened()
        var steps = 0
        while steps < 2_000 {
            steps += 1
            if let end = world.contactEnds {
                world.now = max(world.now, end)
                world.endContact()
            }
            if world.waiting == 0, world.contactEnds == nil { break }
            switch world.machine.next(at: world.now) {
            case .startContact: world.contactEnds = world.now + .milliseconds(100)
            case .waitUntil(let time):
                #expect(time > world.now, "seed \(seed): a time that has passed")
                world.now = time
            case .idle:
                Issue.record("seed \(seed): \(world.waiting) bytes wait and the machine is idle")
                return
            }
        }
        #expect(world.waiting == 0, "seed \(seed)")
    }
}
