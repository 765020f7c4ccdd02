/// Windows that come back every week, joined and sorted, in milliseconds from Monday 00:00 UTC; a span may reach beyond
/// the week's end.
struct WeekSpans: Sendable, Hashable {
    static let day: Int64 = 86_400_000
    private static let week: Int64 = 7 * day

    private let spans: [Range<Int64>]

    init(_ windows: [ContactPlan.Window]) {
        var pieces: [Range<Int64>] = []
        for window in windows {
            for day in window.days {
                let start = Int64(Weekday.allCases.firstIndex(of: day) ?? 0) * Self.day + Int64(window.from) * 60_000
                let end = start + window.length
                pieces.append(start..<min(end, Self.week))
                if end > Self.week { pieces.append(0..<(end - Self.week)) }
            }
        }
        spans = Self.merged(pieces)
    }

    var isAlways: Bool { spans == [0..<Self.week] }

    func end(covering time: Int64) -> Int64? {
        let now = Self.position(time)
        for at in [now, now + Self.week] {
            if let span = spans.first(where: { $0.contains(at) }) { return time + span.upperBound - at }
        }
        return nil
    }

    func start(after time: Int64) -> Int64? {
        let now = Self.position(time)
        let next = spans.first { $0.lowerBound > now }?.lowerBound ?? spans.first.map { $0.lowerBound + Self.week }
        return next.map { time + $0 - now }
    }

    /// Milliseconds since the last Monday 00:00. 1970-01-01 was a Thursday, the fourth day.
    private static func position(_ time: Int64) -> Int64 {
        let rest = time % week + 3 * day
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
