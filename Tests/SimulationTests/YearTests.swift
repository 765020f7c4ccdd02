import Foundation
import GodwitSimulator
import Testing

/// A year of a small network, some minutes of computing: run with `GODWIT_WORLD_YEAR=1`. `GODWIT_WORLD_MESSAGES` and
/// `GODWIT_WORLD_USERS` and `GODWIT_WORLD_DEVICES` make it larger or smaller.
@Suite("A year")
struct YearTests {
    private static func number(_ name: String, _ usual: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? usual
    }

    @Test(
        "in a year of thin links, dark months and wrong clocks every message is read by all who may and by nobody else",
        .enabled(if: ProcessInfo.processInfo.environment["GODWIT_WORLD_YEAR"] != nil), arguments: Seeds.of([2026]))
    func year(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        plan.days = 365
        plan.users = Self.number("GODWIT_WORLD_USERS", 30)
        plan.messages = Int64(Self.number("GODWIT_WORLD_MESSAGES", 2_000))
        (plan.nodes, plan.channels) = (3, 6)
        (plan.furtherDevices, plan.losses) = (Self.number("GODWIT_WORLD_DEVICES", 80) - plan.users, 10)
        plan.joining = 0.35
        plan.deviceContacts = 48 * WorldPlan.hour
        plan.nodeContacts = 18 * WorldPlan.hour
        plan.housekeeping = WorldPlan.day
        plan.idle = 15 * WorldPlan.day
        (plan.changes, plan.darknesses, plan.darkFor) = (60, 40, 120 * WorldPlan.day)
        (plan.restarts, plan.clockJumps, plan.sticks) = (60, 20, 40)
        (plan.thefts, plan.copies) = (24, 4)
        let tally = try await run(plan, seed: seed)
        #expect(tally.written > Int(plan.messages) * 3 / 4 && tally.read > tally.written, "\(tally)")
        #expect(tally.devices >= plan.users + plan.furtherDevices && tally.losses == plan.losses, "\(tally)")
        #expect(tally.thefts == plan.thefts && tally.withstood > 0 && tally.recovered > 0, "\(tally)")
    }
}

/// As the year, in a minute of computing.
@Suite("A season")
struct SeasonTests {
    @Test(
        "in four months, of which devices are dark for up to two, nobody is left behind and no queue is left over (D-12, D-14)",
        .enabled(if: ProcessInfo.processInfo.environment["GODWIT_WORLD_YEAR"] != nil), arguments: Seeds.of([7]))
    func season(_ seed: UInt64) async throws {
        var plan = WorldPlan()
        (plan.days, plan.users, plan.nodes, plan.channels) = (120, 12, 2, 3)
        (plan.messages, plan.joining) = (500, 0.5)
        plan.deviceContacts = 24 * WorldPlan.hour
        plan.nodeContacts = 12 * WorldPlan.hour
        plan.housekeeping = WorldPlan.day
        plan.idle = 10 * WorldPlan.day
        (plan.changes, plan.darknesses, plan.darkFor) = (20, 12, 60 * WorldPlan.day)
        (plan.restarts, plan.clockJumps, plan.sticks) = (20, 8, 12)
        (plan.thefts, plan.copies) = (12, 2)
        let tally = try await run(plan, seed: seed)
        #expect(tally.written > 375 && tally.read > tally.written, "\(tally)")
        for (table, most) in [("spool_item", 0), ("spool_frame", 0), ("client_pending", 200), ("client_lookup", 12)] {
            #expect(tally.deviceRows[table] ?? 0 <= most, "\(table): \(tally.deviceRows[table] ?? 0)")
        }
        for (table, most) in [("spool_item", 50), ("spool_frame", 10), ("node_held", 0), ("node_gap", 0)] {
            #expect(tally.nodeRows[table] ?? 0 <= most, "\(table): \(tally.nodeRows[table] ?? 0)")
        }
    }
}
