import GodwitProtocol

/// The last few measurements of one quantity, and what they say together: the second best of the last five. One that was
/// too good (a buffer took the bytes, not the link) and up to three that were too bad (something else slowed the transfer)
/// change nothing, a step up is followed after two, a step down after four.
struct MeasureWindow: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        var value: Double
        /// Milliseconds since 1970.
        var at: Int64
        /// The real value may be better.
        var isBound: Bool
    }

    static let count = 5
    /// So many measurements are believed in full.
    static let trusted = 3
    /// For so long a measurement counts in full, then less and less.
    static let freshFor: Int64 = 3_600_000
    /// After so long it counts no more.
    static let forgottenAfter: Int64 = 24 * 3_600_000

    private(set) var entries: [Entry] = []
    /// When something last spoke for the value, as `Entry.at`.
    private(set) var confirmed: Int64 = 0

    init() {}

    /// What was saved.
    init(_ entries: [Entry], confirmed: Int64) {
        self.entries = Array(entries.suffix(Self.count))
        self.confirmed = confirmed
    }

    mutating func add(_ value: Double, at: Int64, isBound: Bool = false) {
        guard value.isFinite, value > 0 else { return }
        // A clock that was set back makes nothing older than it is, one that was set forward nothing younger.
        entries.removeAll { !(0...Self.forgottenAfter).contains(at - $0.at) }
        entries.append(Entry(value: value, at: at, isBound: isBound))
        entries.removeFirst(max(entries.count - Self.count, 0))
        confirmed = at
    }

    /// What was seen agrees with the value, and could not have shown a better one.
    mutating func confirm(at: Int64) { confirmed = max(confirmed, at) }

    /// - Parameter best: whether the first value is better than the second.
    func chosen(_ best: (Double, Double) -> Bool) -> Entry? {
        let sorted = entries.sorted { best($0.value, $1.value) }
        return sorted.count < Self.trusted ? sorted.first : sorted[1]
    }

    /// 0: nothing is known; 1: as good as it gets.
    func confidence(at now: Int64) -> Double {
        guard !entries.isEmpty else { return 0 }
        return Double(min(entries.count, Self.trusted)) / Double(Self.trusted) * Self.freshness(of: confirmed, at: now)
    }

    /// 1 for an hour, then falling to 0 at the end of the day.
    static func freshness(of confirmed: Int64, at now: Int64) -> Double {
        let age = now - confirmed
        // From a time that has not come yet: the clock was set back, and nobody knows how old it is.
        guard age >= -freshFor, age < forgottenAfter else { return 0 }
        return age <= freshFor ? 1 : Double(forgottenAfter - age) / Double(forgottenAfter - freshFor)
    }
}
