import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitLink
import GodwitProtocol

/// Renewal of this device's own pre-keys, all by its age (docs/protocol.md §6.3).
extension ClientTransaction {
    /// How long a signed pre-key and a KEM pre-key are the ones that are published, in milliseconds.
    static let preKeyAgeMax: Int64 = 7 * 86_400_000
    /// One-time pre-keys that a publication brings the stock at the node up to: on thin links those of some weeks.
    static func stock(over tier: Tier) -> Int { tier >= .medium ? Device.oneTimePreKeyCount : 40 }
    /// Private halves of one-time pre-keys that are kept: those at the node, and others that were given out and not used.
    static let oneTimePreKeysMax = 400
    /// What was refilled so shortly ago is not refilled again: the node may have told of its stock several times.
    static let refillPause: Int64 = 60_000

    /// Makes and publishes a new signed pre-key and KEM pre-key when the last ones are a week old, and deletes the private
    /// halves of those that nobody can use any more. For the next contact, which brings the publication along.
    func renewPreKeys() throws {
        guard let made = try integer("SELECT made FROM client_signed_pre_key ORDER BY id DESC LIMIT 1") else { return }
        if try exactAge() - made >= Self.preKeyAgeMax {
            do {
                try inSavepoint {
                    try self.makePreKeys(oneTime: 0)
                    try self.publish([])
                }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // Renewed once there is room. A contact, which makes room, must not fail for it.
                return
            }
        }
        try deleteOldPreKeys()
    }

    /// A key is used from when it is published until the next one is, then by those who hold it for as long as they may,
    /// and by messages under way. What this device has joined a channel with stays: epochs are wrapped for it.
    private func deleteOldPreKeys() throws {
        let before = try exactAge() - Self.keptAgeMax
        try run(
            """
            DELETE FROM client_signed_pre_key AS old
            WHERE EXISTS (SELECT 1 FROM client_signed_pre_key newer WHERE newer.id > old.id AND newer.made <= ?1)
              AND NOT EXISTS (
                SELECT 1 FROM client_member WHERE user = ?2 AND device = ?3 AND until IS NULL
                  AND (pre_key IS NULL OR json_extract(CAST(pre_key AS TEXT), '$.id') = old.id))
            """, [before, context.user.text, context.device.text])
        try run(
            """
            DELETE FROM client_kem_pre_key AS old
            WHERE EXISTS (SELECT 1 FROM client_kem_pre_key newer WHERE newer.id > old.id AND newer.made <= ?)
            """, [before])
        try run("DELETE FROM client_opened WHERE signed_pre_key NOT IN (SELECT id FROM client_signed_pre_key)")
    }

    /// The home node says that one-time pre-keys run low: new ones go out in the same contact.
    func take(_ stock: PreKeyStock) throws {
        guard stock.to == context.party else {
            throw Rejected(.misdirected, "The stock of another device's pre-keys arrived here.")
        }
        let age = try exactAge()
        if let last = try integer("SELECT refilled FROM client_identity"), age - last < Self.refillPause { return }
        let missing = Self.stock(over: context.tier) - Int(stock.oneTimePreKeys)
        guard missing > 0 else { return }
        let keys = try makeOneTimePreKeys(missing)
        try publish(keys)
        try run("UPDATE client_identity SET refilled = ?", [age])
        try run(
            """
            DELETE FROM client_one_time_key WHERE id <= (
              SELECT id FROM client_one_time_key ORDER BY id DESC LIMIT 1 OFFSET ?)
            """, [Self.oneTimePreKeysMax])
    }

    private func publish(_ oneTime: [OneTimePreKey]) throws {
        var data: JSONObject = [
            "signed_pre_key": .object(try currentPreKey().object),
            "one_time_pre_keys": .array(oneTime.map { .object($0.object) }),
        ]
        // With one-time pre-keys alone it is there already, and a publication without it leaves it.
        if oneTime.isEmpty, let kem = try currentKEMPreKey() { data["kem_pre_key"] = .object(kem.object) }
        _ = try command("publish_keys", data)
    }

    // MARK: Others' keys, in advance

    /// People looked up in advance in one contact.
    static let prefetchMax = 4
    /// People looked up in advance within a week, so that a large channel costs no more than a small one.
    static let prefetchedMax = 64

    /// While the links are good: asks for the keys of people who are likely to be written to, so that the first message
    /// waits for nothing later, when a link may be thin. Those share a channel; who has written there lately comes first.
    /// Of other nodes only people behind a link of the home node that is known to be good are asked for.
    func prefetch() throws {
        guard context.tier >= .medium else { return }
        let age = try exactAge()
        try run("DELETE FROM client_prefetch WHERE asked <= ?", [age - Self.peerKeyAgeMax])
        let asked = try integer("SELECT count(*) FROM client_prefetch") ?? 0
        let most = min(Int64(Self.prefetchMax), Int64(Self.prefetchedMax) - asked)
        guard most > 0 else { return }
        let likely = try rows(
            """
            SELECT d.user FROM client_device d
            WHERE d.user <> ?1
              AND NOT EXISTS (SELECT 1 FROM client_session s WHERE s.user = d.user)
              AND NOT EXISTS (SELECT 1 FROM client_lookup l WHERE l.user = d.user)
              AND NOT EXISTS (SELECT 1 FROM client_prefetch p WHERE p.user = d.user)
              AND (substr(d.user, 1, 8) = ?3 OR EXISTS (
                SELECT 1 FROM client_link k
                WHERE k.node = substr(d.user, 1, 8) AND json_extract(CAST(k.status AS TEXT), '$.tier') >= ?4))
              AND EXISTS (SELECT 1 FROM client_member m WHERE m.user = d.user AND m.until IS NULL)
            GROUP BY d.user
            ORDER BY (SELECT max(received) FROM client_message t WHERE t.user = d.user) DESC, d.user LIMIT ?2
            """, [context.user.text, most, context.home.id.text, Tier.medium.rawValue])
        for row in likely {
            let user = try Self.stored { try UserID(row["user"] as String) }
            do {
                try inSavepoint { try self.lookUp(user) }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                return
            }
            try run("INSERT INTO client_prefetch (user, asked) VALUES (?, ?)", [user.text, age])
        }
    }
}
