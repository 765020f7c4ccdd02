import Foundation
import GodwitSimulator
import Testing

/// Seeds of a test: those that are committed, or the one of `GODWIT_SEED`.
enum Seeds {
    static func of(_ usual: [UInt64]) -> [UInt64] {
        ProcessInfo.processInfo.environment["GODWIT_SEED"].flatMap(UInt64.init).map { [$0] } ?? usual
    }
}

/// Findings of a kind that are shown: 3, or `GODWIT_FINDINGS`.
private let shownMax = ProcessInfo.processInfo.environment["GODWIT_FINDINGS"].flatMap(Int.init) ?? 3

/// Runs a world, and says how to see a failure again.
func run(_ plan: WorldPlan, seed: UInt64) async throws -> WorldTally {
    let world = try World(seed: seed, plan: plan)
    let findings = try await world.run()
    for (kind, all) in Dictionary(grouping: findings, by: \.kind) {
        Issue.record("\(world.replay) \(all.count) × \(kind.rawValue), first \(all.prefix(shownMax).map(\.text))")
    }
    // What it cost, to compare with another run of the same seed.
    if ProcessInfo.processInfo.environment["GODWIT_TALLY"] != nil { print(world.replay, world.tally) }
    return world.tally
}

@Suite("Worlds")
struct WorldTests {
    @Test("in two weeks over links that always hold everything arrives", arguments: Seeds.of([1, 2]))
    func quiet(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.faults, plan.changes, plan.darknesses, plan.restarts) = (.none, 0, 0, 0)
        (plan.clockJumps, plan.sticks) = (0, 0)
        let tally = try await run(plan, seed: seed)
        #expect(tally.written > 60 && tally.read > tally.written)
    }

    @Test(
        "in two weeks of broken links, crashes, wrong clocks and changes nothing is lost (GW-03, D-8, D-16)",
        arguments: Seeds.of([3, 4]))
    func rough(_ seed: UInt64) async throws {
        let tally = try await run(WorldPlan(), seed: seed)
        #expect(tally.written > 60 && tally.broken > 0 && tally.restarts > 0)
    }

    @Test(
        "used keys are nowhere in a stolen copy, and what is said after the next answers cannot be read with it (E2E-04, E2E-10)",
        arguments: Seeds.of([5]))
    func thief(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.users, plan.thefts, plan.direct) = (4, 12, 0.7)
        let tally = try await run(plan, seed: seed)
        #expect(tally.thefts == 12 && tally.withstood > 20 && tally.recovered > 0, "\(tally)")
    }

    @Test(
        "so it is where people have several devices, and a message's key goes over a session with each (D-13, E2E-04, E2E-10)",
        arguments: Seeds.of([10]))
    func thiefOfOneOfSeveral(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.users, plan.furtherDevices, plan.thefts, plan.direct) = (3, 4, 12, 0.9)
        let tally = try await run(plan, seed: seed)
        #expect(tally.thefts == 12 && tally.withstood > 20 && tally.recovered > 0, "\(tally)")
    }

    @Test(
        "a card that is put back or runs in a second box repeats no key with a nonce, and harms nobody else (D-6, E2E-02)",
        arguments: Seeds.of([6]))
    func copies(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.copies, plan.thefts) = (8, 24)
        let tally = try await run(plan, seed: seed)
        #expect(tally.copies > 3 && tally.nonces > 60)
    }

    @Test(
        "people with several devices read everything on each of them; who loses one loses nothing that comes after, and the lost one gets nothing more (D-13, E2E-12)",
        arguments: Seeds.of([8, 9]))
    func devices(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.furtherDevices, plan.losses, plan.mending) = (7, 4, 2 * WorldPlan.day)
        (plan.days, plan.messages) = (21, 160)
        let tally = try await run(plan, seed: seed)
        #expect(tally.losses == 4 && tally.devices >= 13 && tally.read > tally.written, "\(tally)")
    }
}
