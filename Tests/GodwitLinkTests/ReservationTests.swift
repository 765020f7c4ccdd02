import GodwitProtocol
import Testing

@testable import GodwitLink

/// Booked before it goes (D-20): a crash in the middle of a contact forgets nothing.
@Suite("Reservations of a budget")
struct ReservationTests {
    private static let start = Timestamp(milliseconds: 1_795_257_000_000)
    private static let budget = Budget(
        bytesPerDay: ByteCount(10_000), bytesPerMonth: ByteCount(100_000), moneyPerMonth: 1, dutyCycle: 0.1)

    private static func ledger() -> BudgetLedger {
        BudgetLedger(budget: budget, costPerMegabyte: 4, at: start)
    }

    @Test("what is reserved and settled in one day is what was spent, whatever was reserved")
    func settled() {
        var (one, other) = (Self.ledger(), Self.ledger())
        let reservation = one.reserve(ByteCount(5_000), airtime: .seconds(60), at: Self.start)
        let later = Self.start.adding(milliseconds: 90_000)
        one.settle(reservation, bytes: ByteCount(1_234), airtime: .seconds(3), at: later)
        other.spend(ByteCount(1_234), airtime: .seconds(3), at: later)
        #expect(one == other)
    }

    @Test("a ledger that was saved with a reservation and never settled has it spent")
    func crash() throws {
        var ledger = Self.ledger()
        _ = ledger.reserve(ByteCount(9_000), airtime: .seconds(300), at: Self.start)
        let again = try BudgetLedger(budget: Self.budget, costPerMegabyte: 4, saved: ledger.saved)
        #expect(again.remaining(for: .control, at: Self.start).bytes == ByteCount(1_000))
        #expect(again.remaining(for: .bulk, at: Self.start).bytes == .zero)
        #expect(again.remaining(for: .control, at: Self.start).airtime == .seconds(60))
    }

    @Test("nothing is given back of a day that has ended: what went counts in the new one as well")
    func midnight() throws {
        var ledger = Self.ledger()
        let evening = try #require(Timestamp(iso8601: "2026-11-29T23:59:59Z"))
        let reservation = ledger.reserve(ByteCount(4_000), airtime: .zero, at: evening)
        let morning = evening.adding(milliseconds: 5_000)
        ledger.settle(reservation, bytes: ByteCount(1_000), airtime: .zero, at: morning)
        #expect(ledger.usage(at: morning).bytesToday == ByteCount(1_000))
        #expect(ledger.usage(at: morning).bytesThisMonth == ByteCount(1_000))
        var last = Self.ledger()
        let end = try #require(Timestamp(iso8601: "2026-11-30T23:59:59Z"))
        let open = last.reserve(ByteCount(4_000), airtime: .zero, at: end)
        last.settle(open, bytes: ByteCount(1_000), airtime: .zero, at: end.adding(milliseconds: 5_000))
        #expect(last.usage(at: end.adding(milliseconds: 5_000)).bytesThisMonth == ByteCount(1_000))
    }

    @Test(
        "over any course of exchanges and crashes less is granted than the budget has, and the reserve is kept",
        arguments: 0..<40 as Range<UInt64>)
    func neverOverspent(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var ledger = Self.ledger()
        var now = Self.start
        var went: [Int64: (all: Int, others: Int)] = [:]
        for _ in 0..<400 {
            now = now.adding(milliseconds: Int64.random(in: 0...1_800_000, using: &random))
            let isUrgent = Bool.random(using: &random)
            let most = ByteCount(Int.random(in: 1...3_000, using: &random))
            guard ledger.maySend(most, airtime: .zero, of: isUrgent ? .control : .bulk, at: now) else { continue }
            let reservation = ledger.reserve(most, airtime: .zero, at: now)
            let saved = ledger.saved
            let actual = Int.random(in: 0...most.bytes, using: &random)
            let day = now.milliseconds / 86_400_000
            went[day, default: (0, 0)].all += actual
            if !isUrgent { went[day, default: (0, 0)].others += actual }
            if Int.random(in: 0..<4, using: &random) == 0 {
                ledger = try BudgetLedger(budget: Self.budget, costPerMegabyte: 4, saved: saved)
            } else {
                ledger.settle(reservation, bytes: ByteCount(actual), airtime: .zero, at: now)
            }
        }
        #expect(went.values.allSatisfy { $0.all <= 10_000 && $0.others <= 9_000 })
        #expect(went.values.contains { $0.all > 5_000 }, "and something goes")
    }
}
