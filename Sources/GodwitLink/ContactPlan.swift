public import GodwitProtocol

/// Days of a contact window, in UTC.
public enum Weekday: String, Sendable, CaseIterable {
    case monday = "mon"
    case tuesday = "tue"
    case wednesday = "wed"
    case thursday = "thu"
    case friday = "fri"
    case saturday = "sat"
    case sunday = "sun"
}

/// When a link is there: always, or in windows, which may overlap. All times are UTC.
public struct ContactPlan: Sendable, Hashable {
    /// One window on some days of the week.
    public struct Window: Sendable, Hashable {
        public var days: Set<Weekday>
        /// Minute of the day at which it opens, 0 to 1,439.
        public var from: Int
        /// Minute of the day at which it closes, 0 to 1,440. At or before `from`: on the next day, so that
        /// 22:00 to 02:00 crosses midnight; equal to `from`: 24 hours.
        public var to: Int

        public init(days: Set<Weekday> = Set(Weekday.allCases), from: Int, to: Int) {
            self.days = days
            self.from = min(max(from, 0), 1_439)
            self.to = min(max(to, 0), 1_440)
        }

        /// Milliseconds from opening to closing.
        var length: Int64 { Self.length(from: from, to: to) }

        static func length(from: Int, to: Int) -> Int64 { Int64(to > from ? to - from : to + 1_440 - from) * 60_000 }
    }

    /// Most windows and rules of a plan.
    public static let windowsMax = 512
    /// Most days that a rule leaves out.
    public static let exceptionsMax = 366
    /// Windows that touch each other and are joined to say when the last of them closes.
    static let joinedMax = 4_096
    /// Times of any year beyond are taken as these.
    private static let timeMax: Int64 = 1 << 53

    /// Open at every moment.
    public static let always = ContactPlan(spans: nil, rules: [])

    /// Nil: always.
    private let spans: WeekSpans?
    private let rules: [ContactRule]

    private init(spans: WeekSpans?, rules: [ContactRule]) {
        self.spans = spans
        self.rules = rules
    }

    /// Without windows and rules the link is never there.
    public init(windows: [Window], rules: [ContactRule] = []) {
        let spans = WeekSpans(windows)
        self.init(spans: spans.isAlways ? nil : spans, rules: spans.isAlways ? [] : rules)
    }

    public var isAlways: Bool { spans == nil }

    public func isOpen(at time: Timestamp) -> Bool { isAlways || end(covering: Self.bounded(time)) != nil }

    /// When the link, which is there at `time`, is gone; nil: it never is, or is not there now. After 4,096 windows that
    /// touch each other the end of the last of them is given, so that never more is promised than is there.
    public func closes(after time: Timestamp) -> Timestamp? {
        let now = Self.bounded(time)
        guard !isAlways, var end = end(covering: now) else { return nil }
        for _ in 0..<Self.joinedMax {
            guard let further = self.end(covering: end) else { break }
            end = further
        }
        return time.adding(milliseconds: end - now)
    }

    /// The next moment at which the link is there: `time` itself if it is open; nil: never.
    public func opens(after time: Timestamp) -> Timestamp? {
        guard !isOpen(at: time) else { return time }
        let now = Self.bounded(time)
        let next = rules.compactMap { $0.start(after: now) } + [spans?.start(after: now)].compactMap(\.self)
        return next.min().map { time.adding(milliseconds: $0 - now) }
    }

    /// The latest end of the windows that cover a time.
    private func end(covering time: Int64) -> Int64? {
        (rules.compactMap { $0.end(covering: time) } + [spans?.end(covering: time)].compactMap(\.self)).max()
    }

    private static func bounded(_ time: Timestamp) -> Int64 { min(max(time.milliseconds, -timeMax), timeMax) }
}
