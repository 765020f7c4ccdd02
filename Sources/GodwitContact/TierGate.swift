public import GodwitLink
import GodwitProtocol
public import GodwitSpool

/// What the tier of a link keeps back: classes that it does not carry, and texts whose sealed form is too large for it
/// (NET-09 to NET-19, G-72). They stay in custody and go when the link is better.
struct TierGate: Sendable {
    /// Too large ones of whom somebody is still to be told; what goes beyond is not told of.
    static let newsMax = 64
    /// Items of a class that are looked at for one that goes.
    static let lookedAtMax = 8_192

    var rules: TierRules?
    /// Rows that are too large, with the size of their bodies.
    private(set) var tooLarge: [PriorityClass: [Int64: Int]] = [:]
    private(set) var news: [SpoolItem] = []

    init(_ rules: TierRules?) { self.rules = rules }

    func allows(_ priority: PriorityClass) -> Bool { rules?.allows(priority) ?? true }

    /// Something may be held back at all.
    var restricts: Bool { rules?.sealedMax != nil || PriorityClass.allCases.contains { !allows($0) } }

    var rows: Set<Int64> { Set(tooLarge.values.flatMap(\.keys)) }

    /// Items of allowed classes that are too large, and their bodies.
    var count: Int { tooLarge.values.reduce(0) { $0 + $1.count } }
    var bytes: Int { tooLarge.values.reduce(0) { $0 + $1.values.reduce(0, +) } }

    /// Whether a text is too large for the tier. What is sealed is never larger than the body around it.
    func isTooLarge(_ item: SpoolItem) -> Bool {
        guard let most = rules?.sealedMax, item.kind == .message, Self.isText(item.priority),
            item.body.count > most.bytes
        else { return false }
        return Self.sealed(item) > most.bytes
    }

    static func isText(_ priority: PriorityClass) -> Bool { priority == .directText || priority == .channelText }

    /// Bytes of the ciphertext.
    static func sealed(_ item: SpoolItem) -> Int {
        (try? Message(parsing: item.body))?.ciphertext.count ?? item.body.count
    }

    mutating func keep(to rules: TierRules?) {
        if rules?.sealedMax != self.rules?.sealedMax { tooLarge = [:] }
        self.rules = rules
    }

    /// Whether an item of a class waits that goes; notes those that are too large on the way to it.
    ///
    /// - Parameter count: items of the class that wait.
    mutating func somethingGoes(
        of priority: PriorityClass, count: Int, to peer: Party, besides unfit: Set<Int64>,
        in transaction: some SpoolTransaction
    ) throws -> Bool {
        guard allows(priority) else { return false }
        var ask = (tooLarge[priority]?.count ?? 0) + unfit.count + 8
        while true {
            let most = ByteCount((tooLarge[priority]?.values.reduce(0, +) ?? 0) + ask * 16_384)
            let items = try transaction.waiting(for: peer, class: priority, count: ask, bytes: most)
            let large = items.filter(isTooLarge)
            // Where all of the class was seen, what is not among it has left.
            note(large, of: priority, isAll: items.count == count)
            let held = Set(large.map(\.row)).union(unfit)
            if items.contains(where: { !held.contains($0.row) }) { return true }
            guard items.count < count, ask < Self.lookedAtMax else { return false }
            ask *= 2
        }
    }

    private mutating func note(_ items: [SpoolItem], of priority: PriorityClass, isAll: Bool) {
        let known = tooLarge[priority] ?? [:]
        let fresh = items.filter { known[$0.row] == nil }
        news += fresh.prefix(max(Self.newsMax - news.count, 0))
        let sizes = Dictionary(items.map { ($0.row, $0.body.count) }, uniquingKeysWith: max)
        tooLarge[priority] = isAll ? sizes : known.merging(sizes, uniquingKeysWith: max)
    }

    /// Takes over what a copy of it learned, unless the rules have changed since.
    mutating func learn(_ other: TierGate) {
        guard other.rules?.sealedMax == rules?.sealedMax else { return }
        tooLarge = other.tooLarge
        news = other.news
    }

    mutating func takeNews() -> [SpoolItem] {
        defer { news = [] }
        return news
    }
}

extension FrameOutlet {
    /// What may go from now on; nil: everything.
    public func keep(to rules: TierRules?) { gate.keep(to: rules) }

    /// What the tier of the link lets go; nil: everything.
    public var rules: TierRules? { gate.rules }

    /// The rules that hold an item back, and the bytes of its ciphertext; nil: none do.
    public func holding(_ item: SpoolItem) -> (rules: TierRules, sealed: Int)? {
        guard let rules = gate.rules, !gate.allows(item.priority) || gate.isTooLarge(item) else { return nil }
        return (rules, TierGate.sealed(item))
    }

    /// Texts that were found too large for the tier since the last call, for their authors to be told; at most 64.
    public func newlyHeld() -> [SpoolItem] { gate.takeNews() }

    /// Texts that are too large for the tier, as far as they were looked at.
    public var tooLargeCount: Int { gate.count }
}
