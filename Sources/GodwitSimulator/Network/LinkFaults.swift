/// How bad a link is. Chances are of one exchange, 0 to 1.
public struct LinkFaults: Sendable, Hashable {
    /// Nothing gets through.
    public var refused: Double
    /// It breaks at some byte.
    public var cut: Double
    /// The request is carried out and the answer lost.
    public var unanswered: Double
    /// The whole request arrives twice.
    public var doubled: Double
    /// A byte of one record is another.
    public var altered: Double

    public init(
        refused: Double = 0, cut: Double = 0, unanswered: Double = 0, doubled: Double = 0, altered: Double = 0
    ) {
        self.refused = refused
        self.cut = cut
        self.unanswered = unanswered
        self.doubled = doubled
        self.altered = altered
    }

    public static let none = LinkFaults()
    /// A thin link on a bad day.
    public static let bad = LinkFaults(refused: 0.08, cut: 0.12, unanswered: 0.04, doubled: 0.03, altered: 0.02)

    /// What happens to one exchange.
    package enum Fate: Hashable {
        case whole, refused, unanswered, doubled
        /// It breaks after so many bytes, those of both directions counted.
        case cut(after: Int)
        case altered(record: Int)
    }

    func draw(using random: inout SimulatedRandom) -> Fate {
        var dice = Double.random(in: 0..<1, using: &random)
        func hit(_ chance: Double) -> Bool {
            defer { dice -= chance }
            return dice >= 0 && dice < chance
        }
        if hit(refused) { return .refused }
        if hit(cut) {
            // Small exchanges break as often as large ones.
            let most = 1 << Int.random(in: 5...15, using: &random)
            return .cut(after: Int.random(in: 1...most, using: &random))
        }
        if hit(unanswered) { return .unanswered }
        if hit(doubled) { return .doubled }
        if hit(altered) { return .altered(record: Int.random(in: 0...4, using: &random)) }
        return .whole
    }
}
