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

/// When a link is there: always, or in windows that come back every week. All times are UTC.
public struct ContactPlan: Sendable, Hashable {
    /// One window on some days.
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
    }

    /// Most windows of a plan.
    public static let windowsMax = 64
    private static let day: Int64 = 86_400_000
    private static let week: Int64 = 7 * day

    /// Open at every moment.
    public static let always = ContactPlan(spans: nil)

    /// Merged and sorted, in milliseconds from Monday 00:00; a span may reach beyond the week's end. Nil: always.
    private let spans: [Range<Int64>]?

    private init(spans: [Range<Int64>]?) { self.spans = spans }

    /// Without windows the link is never there.
    public init(windows: [Window]) {
        var pieces: [Range<Int64>] = []
        for window in windows {
            for day in window.days {
                let start = Int64(Weekday.allCases.firstIndex(of: day) ?? 0) * Self.day + Int64(window.from) * 60_000
                let minutes = window.to > window.from ? window.to - window.from : window.to + 1_440 - window.from
                let end = start + Int64(minutes) * 60_000
                pieces.append(start..<min(end, Self.week))
                if end > Self.week { pieces.append(0..<(end - Self.week)) }
            }
        }
        let merged = Self.merged(pieces)
        self.init(spans: merged == [0..<Self.week] ? nil : merged)
    }

    public var isAlways: Bool { spans == nil }

    public func isOpen(at time: Timestamp) -> Bool {
        guard let spans else { return true }
        let now = Self.position(time)
        return spans.contains { $0.contains(now) || $0.contains(now + Self.week) }
    }

    /// When the window that is open at `time` closes; nil: it never does, or none is open.
    public func closes(after time: Timestamp) -> Timestamp? {
        guard let spans else { return nil }
        let now = Self.position(time)
        for at in [now, now + Self.week] {
            if let span = spans.first(where: { $0.contains(at) }) {
                return time.adding(milliseconds: span.upperBound - at)
            }
        }
        return nil
    }

    /// The next moment at which the link is there: `time` itself if it is open; nil: never.
    public func opens(after time: Timestamp) -> Timestamp? {
        guard let spans, !isOpen(at: time) else { return time }
        let now = Self.position(time)
        let next = spans.first { $0.lowerBound > now }?.lowerBound ?? spans.first.map { $0.lowerBound + Self.week }
        return next.map { time.adding(milliseconds: $0 - now) }
    }

    /// Milliseconds since the last Monday 00:00. 1970-01-01 was a Thursday, the fourth day.
    private static func position(_ time: Timestamp) -> Int64 {
        let rest = time.milliseconds % week + 3 * day
        return (rest % week + week) % week
    }

    /// Joins pieces within the week, then the last with the first if they meet at the week's end.
    private static func merged(_ pieces: [Range<Int64>]) -> [Range<Int64>] {
        var spans: [Range<Int64>] = []
        for piece in pieces.sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) })
        where !piece.isEmpty {
            if let last = spans.last, piece.lowerBound <= last.upperBound {
                spans[spans.count - 1] = last.lowerBound..<max(last.upperBound, piece.upperBound)
            } else {
                spans.append(piece)
            }
        }
        if spans.count > 1, let first = spans.first, let last = spans.last, first.lowerBound == 0,
            last.upperBound == week
        {
            spans[spans.count - 1] = last.lowerBound..<(week + first.upperBound)
            spans.removeFirst()
        }
        return spans
    }
}
