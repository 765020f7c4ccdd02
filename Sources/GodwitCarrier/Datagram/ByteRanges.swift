/// A set of whole numbers as sorted ranges that neither touch nor overlap.
struct ByteRanges: Sendable, Hashable {
    private(set) var ranges: [Range<Int>] = []

    var isEmpty: Bool { ranges.isEmpty }
    var first: Range<Int>? { ranges.first }
    var count: Int { ranges.count }
    /// One past the largest number; 0 for none.
    var end: Int { ranges.last?.upperBound ?? 0 }

    func contains(_ range: Range<Int>) -> Bool {
        range.isEmpty || ranges.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
    }

    mutating func insert(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let low = ranges.firstIndex { $0.upperBound >= range.lowerBound } ?? ranges.count
        let high = ranges[low...].firstIndex { $0.lowerBound > range.upperBound } ?? ranges.count
        var merged = range
        for old in ranges[low..<high] {
            merged = min(merged.lowerBound, old.lowerBound)..<max(merged.upperBound, old.upperBound)
        }
        ranges.replaceSubrange(low..<high, with: CollectionOfOne(merged))
    }

    mutating func remove(_ range: Range<Int>) {
        guard !range.isEmpty, !ranges.isEmpty else { return }
        ranges = ranges.flatMap { old -> [Range<Int>] in
            guard old.overlaps(range) else { return [old] }
            let rest = [
                old.lowerBound..<max(old.lowerBound, range.lowerBound),
                min(old.upperBound, range.upperBound)..<old.upperBound,
            ]
            return rest.filter { !$0.isEmpty }
        }
    }

    /// The parts of `range` that are not in the set, in order.
    func gaps(in range: Range<Int>) -> [Range<Int>] {
        var gaps: [Range<Int>] = []
        var start = range.lowerBound
        for old in ranges where old.overlaps(range) {
            if old.lowerBound > start { gaps.append(start..<old.lowerBound) }
            start = max(start, old.upperBound)
        }
        if start < range.upperBound { gaps.append(start..<range.upperBound) }
        return gaps
    }
}
