import GodwitLink
import GodwitProtocol
import Testing

@Suite("Budgets (D-20)")
struct BudgetLedgerTests {
    private static func at(_ text: String) throws -> Timestamp { try #require(Timestamp(iso8601: text)) }

    private func ledger(_ budget: Budget, cost: Double = 0, at text: String = "2026-11-30T10:00:00Z") throws
        -> BudgetLedger
    {
        BudgetLedger(budget: budget, costPerMegabyte: cost, at: try Self.at(text))
    }

    @Test("without limits nothing is counted against anything")
    func unlimited() throws {
        var ledger = try ledger(.unlimited, cost: 5)
        let now = try Self.at("2026-11-30T10:00:00Z")
        ledger.spend(ByteCount(1 << 40), airtime: .seconds(100_000), at: now)
        #expect(ledger.remaining(for: .bulk, at: now) == BudgetLedger.Remaining())
        #expect(ledger.maySend(ByteCount(1 << 40), airtime: .seconds(9_999), of: .bulk, at: now))
        #expect(ledger.renews(after: now) == nil)
    }

    @Test("the last byte of the day's budget may go, the next may not, until midnight UTC")
    func day() throws {
        var ledger = try ledger(Budget(bytesPerDay: ByteCount(1_000), urgentReserve: 0))
        let now = try Self.at("2026-11-30T10:00:00Z")
        #expect(ledger.maySend(ByteCount(1_000), airtime: .zero, of: .bulk, at: now))
        #expect(!ledger.maySend(ByteCount(1_001), airtime: .zero, of: .bulk, at: now))
        ledger.spend(ByteCount(999), airtime: .zero, at: now)
        #expect(ledger.maySend(ByteCount(1), airtime: .zero, of: .bulk, at: now))
        ledger.spend(ByteCount(1), airtime: .zero, at: now)
        #expect(!ledger.maySend(ByteCount(1), airtime: .zero, of: .control, at: now))
        #expect(ledger.renews(after: now) == (try Self.at("2026-12-01T00:00:00Z")))
        #expect(ledger.remaining(for: .bulk, at: try Self.at("2026-11-30T23:59:59.999Z")).bytes == .zero)
        #expect(ledger.remaining(for: .bulk, at: try Self.at("2026-12-01T00:00:00Z")).bytes == ByteCount(1_000))
    }

    @Test("the month's budget and money survive midnight and end with the month")
    func month() throws {
        var ledger = try ledger(
            Budget(bytesPerMonth: ByteCount(10_000), moneyPerMonth: 0.02, urgentReserve: 0), cost: 4,
            at: "2026-11-29T10:00:00Z")
        // 0.02 buys 5,000 bytes at 4 a megabyte.
        let first = try Self.at("2026-11-29T10:00:00Z")
        #expect(ledger.remaining(for: .bulk, at: first).bytes == ByteCount(5_000))
        ledger.spend(ByteCount(4_000), airtime: .zero, at: first)
        #expect(ledger.spentThisMonth == 0.016)
        #expect(ledger.remaining(for: .bulk, at: try Self.at("2026-11-30T23:00:00Z")).bytes == ByteCount(1_000))
        let december = try Self.at("2026-12-01T00:00:00Z")
        #expect(ledger.remaining(for: .bulk, at: december).bytes == ByteCount(5_000))
        // A year later in the same month is another month.
        ledger.spend(ByteCount(4_000), airtime: .zero, at: december)
        #expect(ledger.remaining(for: .bulk, at: try Self.at("2027-12-01T00:00:00Z")).bytes == ByteCount(5_000))
    }

    @Test("small amounts of money are not lost to rounding")
    func smallMoney() throws {
        var ledger = try ledger(Budget(moneyPerMonth: 1), cost: 4)
        let now = try Self.at("2026-11-30T10:00:00Z")
        for _ in 0..<10_000 { ledger.spend(ByteCount(1), airtime: .zero, at: now) }
        #expect(ledger.spentThisMonth == 0.04)
    }

    @Test("the reserve is there for control, revocations and direct texts only", arguments: PriorityClass.allCases)
    func reserve(_ priority: PriorityClass) throws {
        var ledger = try ledger(Budget(bytesPerDay: ByteCount(1_000), dutyCycle: 0.1, urgentReserve: 0.1))
        let now = try Self.at("2026-11-30T10:00:00Z")
        let urgent = priority <= .directText
        #expect(ledger.remaining(for: priority, at: now).bytes == ByteCount(urgent ? 1_000 : 900))
        #expect(ledger.remaining(for: priority, at: now).airtime == .seconds(urgent ? 360 : 324))
        ledger.spend(ByteCount(900), airtime: .seconds(324), at: now)
        #expect(ledger.maySend(ByteCount(1), airtime: .milliseconds(1), of: priority, at: now) == urgent)
    }

    @Test("airtime counts in a sliding hour")
    func airtime() throws {
        var ledger = try ledger(Budget(dutyCycle: 0.01, urgentReserve: 0))
        ledger.spend(.zero, airtime: .seconds(30), at: try Self.at("2026-11-30T10:00:30Z"))
        ledger.spend(.zero, airtime: .seconds(6), at: try Self.at("2026-11-30T10:40:00Z"))
        let full = try Self.at("2026-11-30T11:00:59.999Z")
        #expect(!ledger.maySend(.zero, airtime: .milliseconds(1), of: .control, at: full))
        #expect(ledger.renews(after: full) == (try Self.at("2026-11-30T11:01:00Z")))
        let later = try Self.at("2026-11-30T11:01:00Z")
        #expect(ledger.remaining(for: .control, at: later).airtime == .seconds(30))
        #expect(ledger.remaining(for: .control, at: try Self.at("2026-11-30T11:41:00Z")).airtime == .seconds(36))
    }

    @Test("no hour has more than the duty cycle, whatever the pattern", arguments: 1...20)
    func dutyCycleHolds(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var ledger = try ledger(Budget(dutyCycle: 0.05, urgentReserve: 0))
        var now = try Self.at("2026-11-30T10:00:00Z")
        var spent: [(Timestamp, Int64)] = []
        for _ in 0..<600 {
            now = now.adding(milliseconds: Int64.random(in: 0...60_000, using: &random))
            let wanted = Int64.random(in: 1...20_000, using: &random)
            guard ledger.maySend(.zero, airtime: .milliseconds(wanted), of: .bulk, at: now) else { continue }
            ledger.spend(.zero, airtime: .milliseconds(wanted), at: now)
            spent.append((now, wanted))
            let hour = spent.filter { $0.0.milliseconds > now.milliseconds - 3_600_000 }.reduce(0) { $0 + $1.1 }
            #expect(hour <= 180_000, "seed \(seed)")
        }
        #expect(spent.count > 50, "seed \(seed)")
    }

    @Test("a clock that jumps back grants nothing, and midnight does not come twice")
    func backwards() throws {
        var ledger = try ledger(Budget(bytesPerDay: ByteCount(1_000), dutyCycle: 0.01, urgentReserve: 0))
        let now = try Self.at("2026-12-01T00:30:00Z")
        ledger.spend(ByteCount(1_000), airtime: .seconds(36), at: now)
        for text in ["2026-11-30T23:30:00Z", "2026-12-01T00:00:01Z", "1970-01-01T00:00:00Z", "2026-12-01T00:30:00Z"] {
            let remaining = ledger.remaining(for: .control, at: try Self.at(text))
            #expect(remaining.bytes == .zero && remaining.airtime == .zero, "\(text)")
        }
        #expect(ledger.remaining(for: .control, at: try Self.at("2026-12-02T00:00:00Z")).bytes == ByteCount(1_000))
    }

    @Test("a clock wrongly ahead is put right by a confirmed time, and what was spent stays spent")
    func confirmed() throws {
        var ledger = try ledger(Budget(bytesPerDay: ByteCount(1_000), dutyCycle: 0.01, urgentReserve: 0))
        ledger.spend(ByteCount(600), airtime: .seconds(36), at: try Self.at("2040-05-05T12:00:00Z"))
        let real = try Self.at("2026-11-30T12:00:00Z")
        ledger.confirmTime(real)
        let remaining = ledger.remaining(for: .control, at: real)
        #expect(remaining.bytes == ByteCount(400) && remaining.airtime == .zero)
        #expect(ledger.remaining(for: .control, at: try Self.at("2026-11-30T13:01:00Z")).airtime == .seconds(36))
        #expect(ledger.remaining(for: .control, at: try Self.at("2026-12-01T00:00:00Z")).bytes == ByteCount(1_000))
    }

    @Test("the ledger survives a restart")
    func restart() throws {
        let budget = Budget(bytesPerDay: ByteCount(5_000), moneyPerMonth: 1, dutyCycle: 0.02)
        var ledger = try ledger(budget, cost: 0.05)
        for minute in 0..<90 {
            let now = try Self.at("2026-11-30T10:00:00Z").adding(milliseconds: Int64(minute) * 60_000)
            ledger.spend(ByteCount(17), airtime: .milliseconds(321), at: now)
        }
        let saved = try JSONValue.parse(ledger.saved.canonicalBytes())
        let again = try BudgetLedger(budget: budget, costPerMegabyte: 0.05, saved: saved)
        #expect(again == ledger)
    }

    static let alterations: [(String, JSONValue)] = [
        ("latest", JSONValue.null), ("latest", -1), ("bytes_today", "5"), ("bytes_month", -1),
        ("money_month", .double(1.5)), ("airtime", 5), ("airtime", [[1]]), ("airtime", [[1, 2], [1, 2]]),
        ("airtime", [[1, -2]]), ("airtime", [[.integer(JSONValue.integerMax / 60_000 + 1), 2]]),
        ("airtime", .array((0..<62).map { .array([.integer($0), 1]) })),
    ]

    @Test("a saved ledger that was altered is refused", arguments: alterations)
    func altered(_ key: String, value: JSONValue) throws {
        let good = try ledger(.unlimited).saved
        let object = try #require(good.object)
        #expect(throws: Never.self) { _ = try BudgetLedger(budget: .unlimited, costPerMegabyte: 0, saved: good) }
        let error = try #require(throws: ProtocolError.self) {
            _ = try BudgetLedger(budget: .unlimited, costPerMegabyte: 0, saved: .object(object.setting(key, value)))
        }
        #expect(error.details["member"] == .string(key))
    }

    @Test("counters stop at their end instead of overflowing")
    func saturate() throws {
        var ledger = try ledger(Budget(bytesPerDay: ByteCount(1_000)), cost: 1_000_000)
        let now = try Self.at("2026-11-30T10:00:00Z")
        for _ in 0..<3 { ledger.spend(ByteCount(Int.max), airtime: .seconds(Int64.max / 2), at: now) }
        ledger.spend(ByteCount(-5), airtime: .seconds(-5), at: now)
        #expect(ledger.remaining(for: .control, at: now).bytes == .zero)
    }
}
