import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// What accounts ask of the node, and what follows from it for others.
extension NodeTransaction {
    /// Takes over a user's identity file: profile, preferences and policy.
    ///
    /// - Throws: `ProtocolError` 1002 for a temporary account that would stay.
    func apply(_ file: IdentityFile) throws {
        let policy = try AccountPolicy(file)
        let user = file.userID.text
        let known = try row("SELECT account_type, ends FROM node_user WHERE user = ?", [user])
        var ends: Int64? = known?["ends"]
        if ends != nil, policy.type != .temporary {
            throw ProtocolError(
                .insufficientPermissions, "A temporary account stays one.", hint: "Register another name.")
        }
        if ends == nil, let lifetime = policy.lifetime(at: now) { ends = try spool.uptime() + lifetime }
        try run(
            """
            UPDATE node_user SET identity_file = ?, account_type = ?, shows_status = ?, direct_messages = ?,
              retention = ?, ends = ? WHERE user = ?
            """,
            [
                Data(file.object.canonicalBytes()), file.accountType.rawValue, policy.showsStatus,
                policy.directMessages.rawValue, policy.retention?.milliseconds, ends, user,
            ])
        try run("DELETE FROM node_block WHERE user = ?", [user])
        for blocked in policy.blocked {
            try run("INSERT INTO node_block (user, blocked) VALUES (?, ?)", [user, blocked.text])
        }
    }

    /// - Throws: `ProtocolError` 1002 for the name of an account that was erased: nobody takes it up again.
    func requireNeverErased(_ user: UserID) throws {
        guard try row("SELECT 1 FROM node_erased WHERE name = ?", [Self.erasedName(user)]) == nil else {
            throw ProtocolError(
                .insufficientPermissions, "The username is taken on this node.", hint: "Choose another username.")
        }
    }

    static func erasedName(_ user: UserID) -> Data { Data(SHA256Digest.of(Array("erased/\(user.text)".utf8))) }

    // MARK: Who may reach whom

    /// What an account at home here says of the direct messages of one author.
    struct Reception {
        var policy: AccountPolicy.DirectMessages
        var blocksAuthor: Bool
        /// The user has moved to another node, and nothing is delivered to the old id any more.
        var hasMovedOn: Bool
        /// Milliseconds for which the account keeps messages; nil: as long as the node.
        var retention: Int64?
    }

    /// Asked for every direct message, so all in one look; nil for a reader who is not registered here.
    func reception(of reader: UserID, for author: UserID) throws -> Reception? {
        let uptime = try spool.uptime()
        let statement = try spool.prepared(
            """
            SELECT direct_messages, EXISTS (SELECT 1 FROM node_block WHERE user = ?1 AND blocked = ?2),
              EXISTS (SELECT 1 FROM node_user_move WHERE user = ?1 AND ends <= ?3), retention
            FROM node_user WHERE user = ?1 AND is_local
            """)
        statement.bind(1, reader.text)
        statement.bind(2, author.text)
        statement.bind(3, uptime)
        return try statement.first {
            Reception(
                policy: AccountPolicy.DirectMessages(rawValue: $0.text(0)) ?? .everyone,
                blocksAuthor: $0.integer(1) == 1, hasMovedOn: $0.integer(2) == 1,
                retention: $0.isNull(3) ? nil : $0.integer(3))
        }
    }

    /// Whether a direct message is handed to its reader, who is at home here. To whom the reader has blocked this looks
    /// as if the message had been accepted: being blocked cannot be told from a reader who is away.
    ///
    /// - Throws: `ProtocolError` 1002 where the reader's policy takes no messages of the author, blocked or not.
    func reaches(_ reader: UserID, _ reception: Reception, from author: UserID) throws -> Bool {
        let isTaken =
            switch reception.policy {
            case .nobody: false
            case .contacts: try isContact(author, of: reader)
            case .everyone: true
            }
        guard isTaken else {
            throw ProtocolError(
                .insufficientPermissions, "The user takes no direct messages of strangers.",
                hint: "Meet in a channel, or wait to be written to.", details: ["user_id": .string(reader.text)])
        }
        return !reception.blocksAuthor
    }

    func blocks(_ user: UserID, _ other: UserID) throws -> Bool {
        let statement = try spool.prepared("SELECT 1 FROM node_block WHERE user = ? AND blocked = ?")
        statement.bind(1, user.text)
        statement.bind(2, other.text)
        return try statement.first { _ in true } ?? false
    }

    /// Whom a user has written to, or who is in a channel with the user.
    func isContact(_ other: UserID, of user: UserID) throws -> Bool {
        if try row("SELECT 1 FROM node_contact WHERE user = ? AND contact = ?", [user.text, other.text]) != nil {
            return true
        }
        return try row(
            """
            SELECT 1 FROM node_member m JOIN node_member o ON o.channel = m.channel
            WHERE m.user = ? AND o.user = ? LIMIT 1
            """, [user.text, other.text]) != nil
    }

    func noteContact(of author: UserID, _ reader: UserID) throws {
        let statement = try spool.prepared("INSERT OR IGNORE INTO node_contact (user, contact) VALUES (?, ?)")
        statement.bind(1, author.text)
        statement.bind(2, reader.text)
        try statement.run()
    }
}
