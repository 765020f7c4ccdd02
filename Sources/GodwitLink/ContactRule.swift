public import GodwitProtocol

/// Windows of a contact plan that are no plain weekly ones. All times are UTC, in milliseconds since 1970.
public enum ContactRule: Sendable, Hashable {
    /// One window, such as a satellite's pass.
    case once(from: Timestamp, to: Timestamp)
    /// A window of at most 24 hours on certain days of the calendar.
    case days(DayRule)
    /// Windows at a fixed distance, such as a satellite's orbit.
    case every(PeriodRule)

    public struct DayRule: Sendable, Hashable {
        public enum Days: Sendable, Hashable {
            case week(Set<Weekday>)
            /// 1 to 31, or -1 (the last day of a month) to -31.
            case month(Set<Int>)
        }
        public var days: Days
        /// Minute of the day at which it opens, 0 to 1,439.
        public var from: Int
        /// As `ContactPlan.Window.to`.
        public var to: Int
        /// Days since 1970 on which it does not open.
        public var except: Set<Int64>

        public init(days: Days, from: Int, to: Int, except: Set<Int64> = []) {
            self.days = days
            self.from = min(max(from, 0), 1_439)
            self.to = min(max(to, 0), 1_440)
            self.except = except
        }
    }

    public struct PeriodRule: Sendable, Hashable {
        public var from: Timestamp
        /// Milliseconds from opening to opening.
        public var every: Int64
        /// Milliseconds from opening to closing; less than `every`.
        public var length: Int64
        /// No window opens then or later.
        public var until: Timestamp?
        /// Days since 1970 on which none opens.
        public var except: Set<Int64>

        public init(
            from: Timestamp, every: Int64, length: Int64, until: Timestamp? = nil, except: Set<Int64> = []
        ) {
            self.from = from
            self.every = max(every, 2)
            self.length = min(max(length, 1), self.every - 1)
            self.until = until
            self.except = except
        }
    }

    /// When the window that covers a time closes; nil: none does.
    func end(covering time: Int64) -> Int64? {
        switch self {
        case .once(let from, let to):
            from.milliseconds <= time && time < to.milliseconds ? to.milliseconds : nil
        case .days(let rule): rule.end(covering: time)
        case .every(let rule): rule.end(covering: time)
        }
    }

    /// When the first window after a time opens; nil: none does.
    func start(after time: Int64) -> Int64? {
        switch self {
        case .once(let from, let to):
            from.milliseconds > time && to > from ? from.milliseconds : nil
        case .days(let rule): rule.start(after: time)
        case .every(let rule): rule.start(after: time)
        }
    }

    /// Days since 1970.
    static func day(of time: Int64) -> Int64 {
        let (days, rest) = time.quotientAndRemainder(dividingBy: WeekSpans.day)
        return rest < 0 ? days - 1 : days
    }
}

extension ContactRule.DayRule {
    /// A day of a month is missing in two months in a row at most, so one that is wanted comes within so many days.
    private static let gapMax = 64

    private func opens(on day: Int64) -> Bool {
        guard !except.contains(day) else { return false }
        switch days {
        case .week(let days):
            // 1970-01-01 was a Thursday.
            return days.contains(Weekday.allCases[Int((day % 7 + 7 + 3) % 7)])
        case .month(let days):
            let date = CivilDate(daysSince1970: day)
            let next = CivilDate(daysSince1970: day + 32 - date.day)
            let left = (day + 32 - date.day) - (next.day - 1) - day
            return days.contains(Int(date.day)) || days.contains(-Int(left))
        }
    }

    private func start(on day: Int64) -> Int64 { day * WeekSpans.day + Int64(from) * 60_000 }

    func end(covering time: Int64) -> Int64? {
        let length = ContactPlan.Window.length(from: from, to: to)
        let today = ContactRule.day(of: time)
        return [today, today - 1].first { day in
            opens(on: day) && start(on: day) <= time && time < start(on: day) + length
        }.map { start(on: $0) + length }
    }

    func start(after time: Int64) -> Int64? {
        let today = ContactRule.day(of: time)
        let days = today...(today + Int64(Self.gapMax * (except.count + 1)))
        return days.first { start(on: $0) > time && opens(on: $0) }.map { start(on: $0) }
    }
}

extension ContactRule.PeriodRule {
    private func opens(at start: Int64) -> Bool {
        start < until?.milliseconds ?? .max && !except.contains(ContactRule.day(of: start))
    }

    func end(covering time: Int64) -> Int64? {
        guard time >= from.milliseconds else { return nil }
        let start = from.milliseconds + (time - from.milliseconds) / every * every
        return time < start + length && opens(at: start) ? start + length : nil
    }

    func start(after time: Int64) -> Int64? {
        var turn = time < from.milliseconds ? 0 : (time - from.milliseconds) / every + 1
        // Each day that is left out is passed in one step.
        for _ in 0...except.count {
            let start = from.milliseconds + turn * every
            guard start < until?.milliseconds ?? .max else { return nil }
            guard except.contains(ContactRule.day(of: start)) else { return start }
            let tomorrow = (ContactRule.day(of: start) + 1) * WeekSpans.day
            turn = (tomorrow - from.milliseconds + every - 1) / every
        }
        return nil
    }
}
