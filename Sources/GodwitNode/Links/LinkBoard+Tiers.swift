import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

extension HoldReport {
    /// What the tier of a link keeps back.
    /// - Parameter sealed: bytes of the item's ciphertext.
    static func tier(_ rules: TierRules, _ priority: PriorityClass, sealed: Int) -> HoldReport {
        let tier = "The link is in Tier \(rules.tier.rawValue), which"
        let way = "It waits for a better link; `godwit spool export` carries it by hand."
        guard rules.allows(priority) else {
            return HoldReport("tier", "\(tier) does not carry the class \(priority.name). \(way)")
        }
        let most = rules.sealedMax ?? .zero
        return HoldReport(
            "tier", "\(tier) carries texts of at most \(most) sealed, and it has \(ByteCount(sealed)). \(way)")
    }

    /// - Parameters:
    ///   - waiting: items of classes that do not go.
    ///   - tooLarge: texts that are too large.
    static func tier(_ rules: TierRules, waiting: Int, tooLarge: Int) -> HoldReport? {
        guard waiting + tooLarge > 0 else { return nil }
        let parts = [
            waiting > 0 ? "\(waiting) of classes that it does not carry" : nil,
            tooLarge > 0 ? "\(tooLarge) texts of more than \(rules.sealedMax ?? .zero) sealed" : nil,
        ].compactMap(\.self).joined(separator: " and ")
        return HoldReport("tier", "Tier \(rules.tier.rawValue) keeps back for a better link: \(parts).")
    }
}

extension FrameOutlet {
    /// What the tier keeps back of what waits; nil: nothing.
    func tierHold(_ queues: [PriorityClass: QueueSummary]) -> HoldReport? {
        guard let rules else { return nil }
        let waiting = queues.filter { !rules.allows($0.key) }.values.reduce(0) { $0 + $1.count }
        return HoldReport.tier(rules, waiting: waiting, tooLarge: tooLargeCount)
    }
}
