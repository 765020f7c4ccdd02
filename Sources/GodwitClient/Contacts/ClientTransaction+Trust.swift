import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Which keys of others are believed.
extension ClientTransaction {
    /// Vouches of one contact that are kept; the oldest go first.
    static let vouchesMax = 256

    func contact(_ user: UserID) throws -> Contact? {
        var contact = Contact(user: user)
        contact.isBlocked = try isBlocked(user)
        contact.aliases = try rows(
            "SELECT name FROM client_alias WHERE kind = 'user' AND target = ? ORDER BY name", [user.text]
        ).map { $0["name"] }
        if let row = try row("SELECT public_key FROM client_contact WHERE user = ?", [user.text]) {
            let key = row.blob("public_key")
            contact.publicKey = key
            contact.verified = try verified(user, key)
            contact.vouchers = try vouchers(for: user, key)
            contact.devices = Int(
                try integer("SELECT count(*) FROM client_device WHERE user = ?", [user.text]) ?? 0)
        }
        contact.offered = try row("SELECT public_key, at FROM client_key_change WHERE user = ?", [user.text]).map {
            Contact.OfferedKey(publicKey: $0.blob("public_key"), since: Timestamp(milliseconds: $0["at"]))
        }
        let isKnown = contact.publicKey != nil || contact.isBlocked || !contact.aliases.isEmpty
        return isKnown && user != context.user ? contact : nil
    }

    func contacts() throws -> [Contact] {
        try rows(
            """
            SELECT user FROM client_contact UNION SELECT user FROM client_block
            UNION SELECT target FROM client_alias WHERE kind = 'user' ORDER BY user
            """
        ).compactMap { row in try contact(Self.stored { try UserID(row["user"] as String) }) }
    }

    private func verified(_ user: UserID, _ key: [UInt8]) throws -> Timestamp? {
        try row("SELECT at FROM client_verified WHERE user = ? AND public_key = ?", [user.text, Data(key)])
            .map { Timestamp(milliseconds: $0["at"]) }
    }

    func known(_ user: UserID) throws -> Contact {
        guard let contact = try contact(user), contact.publicKey != nil else {
            throw ProtocolError(
                .userNotFound, "This device knows no key of the user.",
                hint: "Keys come with the first message, either way: write one and sync.",
                details: ["user_id": .string(user.text)])
        }
        return contact
    }

    func setVerified(_ user: UserID, _ isVerified: Bool) throws {
        let contact = try known(user)
        try run("DELETE FROM client_verified WHERE user = ?", [user.text])
        guard isVerified, let key = contact.publicKey else { return }
        try run(
            "INSERT INTO client_verified (user, public_key, at) VALUES (?, ?, ?)",
            [user.text, Data(key), now.milliseconds])
    }

    // MARK: Another key

    /// Keeps what a user shows in place of the pinned key, until somebody accepts it.
    func note(_ change: KeyChange) throws {
        try run(
            """
            INSERT INTO client_key_change (user, public_key, list, at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (user) DO UPDATE SET list = excluded.list, public_key = excluded.public_key,
              at = CASE public_key WHEN excluded.public_key THEN at ELSE excluded.at END
            """,
            [
                change.user.text, Data(change.publicKey), Data(change.list.object.canonicalBytes()),
                now.milliseconds,
            ])
    }

    /// Takes the key that was shown in place of the pinned one. What was sealed for the old one stays there.
    func acceptKey(of user: UserID) throws {
        guard let row = try row("SELECT * FROM client_key_change WHERE user = ?", [user.text]) else {
            throw ProtocolError(
                .userNotFound, "The user has shown no other key.", hint: "`godwit contact show` tells what is known.")
        }
        let list = try Self.stored { try DeviceList(JSONObject.parse(row.blob("list"))) }
        let tables = [
            "client_verified", "client_session", "client_peer_key", "client_prefetch", "client_lookup",
            "client_contact", "client_key_change", "client_user_move",
        ]
        for table in tables {
            try run("DELETE FROM \(table) WHERE user = ?", [user.text])
        }
        try introduce(user, publicKey: row.blob("public_key"), list: list)
    }

    // MARK: Vouches

    func vouch(for user: UserID, to readers: [UserID], withdrawing: Bool) throws {
        let contact = try known(user)
        guard let key = contact.publicKey, contact.isVerified || withdrawing else {
            throw ProtocolError(
                .insufficientPermissions, "You have not verified the user's key.",
                hint: "Compare the safety numbers first: `godwit contact verify`.")
        }
        for reader in readers {
            guard reader != user else {
                throw ProtocolError.malformed("Nobody needs a vouch for himself.", member: "to")
            }
            _ = try compose(
                Vouch(user: user, publicKey: key, isWithdrawn: withdrawing).content, to: .user(reader))
        }
    }

    /// What a message says of another's key. Of one author the last word about a user counts.
    func noteVouch(_ message: Message, _ content: JSONObject) throws {
        guard let vouch = Vouch(content), vouch.user != message.author, vouch.user != context.user else { return }
        try run(
            """
            INSERT INTO client_vouch (user, voucher, public_key, at, withdrawn) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (user, voucher) DO UPDATE SET public_key = excluded.public_key, at = excluded.at,
              withdrawn = excluded.withdrawn WHERE excluded.at >= at
            """,
            [
                vouch.user.text, message.author.text, Data(vouch.publicKey), message.timestamp.milliseconds,
                vouch.isWithdrawn,
            ])
        try run(
            """
            DELETE FROM client_vouch WHERE voucher = ?1 AND user IN
              (SELECT user FROM client_vouch WHERE voucher = ?1 ORDER BY at DESC, user LIMIT -1 OFFSET ?2)
            """, [message.author.text, Self.vouchesMax])
    }

    /// Whose word about a key counts: that of contacts whose own keys this user has verified.
    private func vouchers(for user: UserID, _ key: [UInt8]) throws -> [UserID] {
        try rows(
            """
            SELECT v.voucher FROM client_vouch v
              JOIN client_contact c ON c.user = v.voucher
              JOIN client_verified t ON t.user = v.voucher AND t.public_key = c.public_key
            WHERE v.user = ? AND v.public_key = ? AND v.withdrawn = 0
              AND v.voucher NOT IN (SELECT user FROM client_block) ORDER BY v.voucher
            """, [user.text, Data(key)]
        ).map { row in try Self.stored { try UserID(row["voucher"] as String) } }
    }
}

/// A key that a user shows in place of the pinned one.
struct KeyChange {
    var user: UserID
    var publicKey: [UInt8]
    var list: DeviceList
}
