import FoundationEssentials
import GRDB
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// Devices learn what the links of their home node carry, so that a text that is too long can be split or wait.
extension NodeTransaction {
    /// Devices that are told in one transaction.
    static let toldMax = 256

    /// Devices of this node whose last word on a link is another tier, at most `toldMax`. Who was never told takes a link
    /// for one of Tier 4.
    func untold(of node: NodeID, _ tier: Tier) throws -> [Party] {
        try rows(
            """
            SELECT d.user, d.device FROM node_device d JOIN node_user u ON u.user = d.user
            LEFT JOIN node_link_told t ON t.peer = ?1 AND t.user = d.user AND t.device = d.device
            WHERE u.is_local AND coalesce(t.tier, 4) <> ?2 LIMIT ?3
            """, [node.text, tier.rawValue, Self.toldMax]
        ).map { row in .device(try UserID(row["user"] as String), try DeviceID(row["device"] as String)) }
    }

    /// Tells devices of this node what the link to a node carries now.
    func tell(_ devices: [Party], of node: NodeID, _ tier: Tier) throws {
        for device in devices {
            guard case .device(let user, let name) = device, try signingKey(of: user, name) != nil else { continue }
            try enqueue(notice(to: device, of: node, TierRules.of(tier)).object, to: device)
            try run(
                """
                INSERT INTO node_link_told (peer, user, device, tier) VALUES (?, ?, ?, ?)
                ON CONFLICT (peer, user, device) DO UPDATE SET tier = excluded.tier
                """, [node.text, user.text, name.text, tier.rawValue])
        }
    }

    /// Tells the authors of texts that these wait for a better link to a node.
    func tellHeld(_ items: [SpoolItem], of node: NodeID, _ rules: TierRules) throws {
        for item in items {
            let author = Self.author(of: item)
            guard case .device(let user, let device) = author, let hash = MessageHash(item.id.bytes) else { continue }
            if user.node == context.id, try signingKey(of: user, device) == nil { continue }
            guard let hop = try? hop(towards: user, device) else { continue }
            let notice = notice(to: author, of: node, rules, held: hash)
            // Its own node is no news to whoever waits there, and one for whom too much waits is told no more.
            guard hop != .node(node) else { continue }
            do { try enqueue(notice.object, to: hop) } catch let error as ProtocolError where !error.isOfStore {}
        }
    }

    private func notice(to device: Party, of node: NodeID, _ rules: TierRules, held: MessageHash? = nil) -> LinkNotice {
        let voice =
            switch rules.voice {
            case .none: "none"
            case .messages: "messages"
            case .lowQuality: "low"
            case .highQuality: "high"
            }
        return LinkNotice(
            from: context.id, to: device, next: node, at: now, tier: Int64(rules.tier.rawValue),
            allowed: LinkNotice.Allowed(
                textMax: rules.textScalarsMax.map { Int64($0) }, sealedMax: rules.sealedMax.map { Int64($0.bytes) },
                voice: voice, documents: rules.documents, images: rules.images, mediaOnDemand: rules.mediaOnDemand,
                presence: rules.presence), held: held)
    }
}
