public import GodwitProtocol

/// What a link has cost and what it may still cost (D-20).
///
/// Bytes count by UTC day and month, money by month, airtime by the last hour. The ledger keeps the latest time that it
/// was ever told: a clock that jumps back grants nothing, because the days in between do not begin a second time. A clock
/// that was wrongly ahead is put right by `confirmTime`. Its JSON form survives a restart.
public struct BudgetLedger: Sendable, Hashable {
    /// What may still be used; nil: no limit.
    public struct Remaining: Sendable, Hashable {
        /// By day, month and money, whichever is least; 0 and up.
        public var bytes: ByteCount?
        /// In the last hour; zero and up.
        public var airtime: Duration?

        public init(bytes: ByteCount? = nil, airtime: Duration? = nil) {
            self.bytes = bytes
            self.airtime = airtime
        }
    }

    static let hour: Int64 = 3_600_000
    static let minute: Int64 = 60_000
    static let day: Int64 = 86_400_000
    /// Money is counted in units of 10^-9.
    static let moneyUnit = 1e9
    /// No counter grows beyond this.
    static let counterMax: Int64 = JSONValue.integerMax

    public var budget: Budget
    /// For 1,000,000 bytes.
    public var costPerMegabyte: Double

    var latest: Timestamp
    var bytesToday: Int64 = 0
    var bytesThisMonth: Int64 = 0
    var moneyThisMonth: Int64 = 0
    /// Milliseconds on the air, by minute since 1970; at most 61 entries.
    var airtime: [Int64: Int64] = [:]

    public init(budget: Budget, costPerMegabyte: Double, at now: Timestamp) {
        self.budget = budget
        self.costPerMegabyte = costPerMegabyte
        // Before 1970 there is no calendar here; a box that believes so has lost its clock.
        latest = max(now, Timestamp(milliseconds: 0))
    }

    public init(_ profile: Profile, at now: Timestamp) {
        self.init(budget: profile.budget, costPerMegabyte: profile.costPerMegabyte, at: now)
    }

    /// Money spent in this month, in the budget's currency.
    public var spentThisMonth: Double { Double(moneyThisMonth) / Self.moneyUnit }

    /// Books what went over the link, repeats and both directions included where they are paid for.
    /// - Parameter airtime: time on the air of this side's sender.
    public mutating func spend(_ bytes: ByteCount, airtime spent: Duration, at now: Timestamp) {
        advance(to: now)
        let count = Int64(max(bytes.bytes, 0))
        bytesToday = Self.sum(bytesToday, count)
        bytesThisMonth = Self.sum(bytesThisMonth, count)
        let money = (Double(count) / 1e6 * costPerMegabyte * Self.moneyUnit).rounded(.up)
        moneyThisMonth = Self.sum(moneyThisMonth, money < Double(Self.counterMax) ? Int64(money) : Self.counterMax)
        let time = max(spent.inMillisecondsRoundedUp, 0)
        if time > 0 {
            airtime[latest.milliseconds / Self.minute, default: 0] = Self.sum(
                airtime[latest.milliseconds / Self.minute] ?? 0, time)
        }
    }

    /// What is left for a class. Classes that are not urgent see each budget less its reserve.
    public func remaining(for priority: PriorityClass, at now: Timestamp) -> Remaining {
        var ledger = self
        ledger.advance(to: now)
        return ledger.remaining(for: priority)
    }

    private func remaining(for priority: PriorityClass) -> Remaining {
        let part = priority.isUrgent ? 1 : 1 - min(max(budget.urgentReserve, 0), 1)
        func left(_ limit: Double, _ used: Int64) -> Double { max(limit * part - Double(used), 0) }
        var bytes: [Double] = []
        if let limit = budget.bytesPerDay { bytes.append(left(Double(limit.bytes), bytesToday)) }
        if let limit = budget.bytesPerMonth { bytes.append(left(Double(limit.bytes), bytesThisMonth)) }
        if let limit = budget.moneyPerMonth, costPerMegabyte > 0 {
            bytes.append(left(limit * Self.moneyUnit, moneyThisMonth) / Self.moneyUnit / costPerMegabyte * 1e6)
        }
        var remaining = Remaining()
        // A hair is added before cutting to whole bytes: 0.9 × 1000 is a little less than 900 in binary.
        remaining.bytes = bytes.min().map { ByteCount(Int(min($0 + 1e-6, Double(Self.counterMax)))) }
        if let duty = budget.dutyCycle {
            let used = airtime.values.reduce(0, Self.sum)
            remaining.airtime = .milliseconds(Int64(left(duty * Double(Self.hour), used) + 1e-6))
        }
        return remaining
    }

    /// Whether so much may go now.
    public func maySend(
        _ bytes: ByteCount, airtime: Duration, of priority: PriorityClass, at now: Timestamp
    ) -> Bool {
        let remaining = remaining(for: priority, at: now)
        return bytes.bytes <= remaining.bytes?.bytes ?? .max && airtime <= remaining.airtime ?? airtime
    }

    /// When something is granted again: the next day or month, or the minute in which old airtime is forgotten,
    /// whichever is first; nil: nothing is limited. For a class that finds its budget spent.
    public func renews(after now: Timestamp) -> Timestamp? {
        var ledger = self
        ledger.advance(to: now)
        var times: [Int64] = []
        if budget.bytesPerDay != nil || budget.bytesPerMonth != nil || budget.moneyPerMonth != nil {
            times.append((ledger.latest.milliseconds / Self.day + 1) * Self.day)
        }
        if budget.dutyCycle != nil, let first = ledger.airtime.keys.min() {
            times.append(first * Self.minute + Self.hour + Self.minute)
        }
        return times.min().map { Timestamp(milliseconds: $0) }
    }

    /// Takes a time that an operator or several peers confirmed (D-16) for the current one, also if it is earlier. What was
    /// spent stays spent, now in the day and month of that time.
    public mutating func confirmTime(_ now: Timestamp) {
        guard now < latest else { return advance(to: now) }
        let now = max(now, Timestamp(milliseconds: 0))
        let shift = latest.milliseconds / Self.minute - now.milliseconds / Self.minute
        airtime = Dictionary(airtime.map { (max($0.key - shift, 0), $0.value) }, uniquingKeysWith: Self.sum)
        latest = now
    }

    mutating func advance(to now: Timestamp) {
        guard now > latest else { return }
        let before = CivilDate(daysSince1970: latest.milliseconds / Self.day)
        let after = CivilDate(daysSince1970: now.milliseconds / Self.day)
        if before != after { bytesToday = 0 }
        if before.year != after.year || before.month != after.month {
            bytesThisMonth = 0
            moneyThisMonth = 0
        }
        latest = now
        // A minute counts until all of it lies more than an hour back.
        let oldest = now.milliseconds / Self.minute - Self.hour / Self.minute
        airtime = airtime.filter { $0.key >= oldest }
    }

    /// Both are at most `counterMax` or cut to it, so that the sum cannot overflow.
    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        min(min(left, counterMax) + min(right, counterMax), counterMax)
    }
}
