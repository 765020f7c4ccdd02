import FoundationEssentials
import GRDB
import GodwitProtocol

/// Edits and reactions: messages that are shown with the one that they are about.
extension ClientTransaction {
    /// Earlier texts of a message that are kept.
    static let editsKept: Int64 = 8
    /// Reactions to one message that are looked at.
    private static let reactionsMax = 1_000

    /// Notes what a stored message is about, and lets go of texts that were edited too often since.
    func relate(_ hash: MessageHash, _ content: JSONObject, by author: UserID) throws {
        guard let relation = ContentRelation(content), let target = relation.target.prefix else { return }
        try run(
            "UPDATE client_message SET relation = ?, relates = ? WHERE hash = ?",
            [relation.name, Data(target), Data(hash.bytes)])
        guard case .edit = relation else { return }
        try run(
            """
            UPDATE client_message SET content = ?1 WHERE relates = ?2 AND relation = 'edit' AND user = ?3
              AND hash NOT IN (
                SELECT hash FROM client_message WHERE relates = ?2 AND relation = 'edit' AND user = ?3
                ORDER BY timestamp DESC, seq DESC LIMIT ?4)
            """, [Self.emptied, Data(target), author.text, Self.editsKept + 1])
    }

    static let emptied = Data(JSONObject().canonicalBytes())

    // MARK: Showing

    /// An entry with its latest text and the reactions to it.
    func related(_ entry: InboxEntry) throws -> InboxEntry {
        var entry = entry
        guard !entry.isDeleted else { return entry }
        let target = Data(entry.hash.bytes.prefix(10))
        if let edit = try lastEdit(of: target, by: entry.author, in: entry.conversation) {
            entry.content = Self.edited(entry.content, by: edit)
            entry.isEdited = true
        }
        entry.reactions = try reactions(to: target, in: entry.conversation)
        return entry
    }

    func related(_ entry: OutboxEntry) throws -> OutboxEntry {
        var entry = entry
        guard !entry.isDeleted, let hash = entry.hash else { return entry }
        let target = Data(hash.bytes.prefix(10))
        if let edit = try lastEdit(of: target, by: context.user, in: entry.conversation) {
            entry.content = Self.edited(entry.content, by: edit)
            entry.isEdited = true
        }
        entry.reactions = try reactions(to: target, in: entry.conversation)
        return entry
    }

    /// The latest text in place of a message's own, from whichever of the author's devices; own ones may be written here.
    private func lastEdit(of target: Data, by author: UserID, in conversation: Conversation) throws -> JSONObject? {
        try row(
            """
            SELECT content, timestamp AS at, seq AS place FROM client_message
              WHERE relates = ?1 AND relation = 'edit' AND user = ?2 AND conversation = ?3 AND hole IS NULL
            UNION ALL SELECT content, created, row FROM client_outbox
              WHERE relates = ?1 AND relation = 'edit' AND ?4 AND conversation = ?3 AND hole IS NULL
            ORDER BY at DESC, place DESC LIMIT 1
            """, [target, author.text, conversation.text, author == context.user]
        ).map { try JSONObject.parse($0.blob("content")) }
    }

    /// Text and form are those of the edit; what was answered and who was meant stays.
    private static func edited(_ content: JSONObject, by edit: JSONObject) -> JSONObject {
        var content = content
        for key in ["text", "format", "mentions"] { if let value = edit[key] { content[key] = value } }
        return content
    }

    private func reactions(to target: Data, in conversation: Conversation) throws -> [Reaction] {
        let rows = try rows(
            """
            SELECT user, content, timestamp AS at, seq FROM client_message
              WHERE relates = ?1 AND relation = 'reaction' AND conversation = ?2 AND hole IS NULL
                AND user NOT IN (SELECT user FROM client_block)
            UNION ALL SELECT ?3, content, created, row FROM client_outbox
              WHERE relates = ?1 AND relation = 'reaction' AND conversation = ?2 AND hole IS NULL
                AND state NOT IN ('refused', 'expired')
            ORDER BY at, seq LIMIT ?4
            """, [target, conversation.text, context.user.text, Self.reactionsMax])
        var reactions: [Reaction] = []
        for row in rows {
            guard case .reaction(_, let text, let removed) = ContentRelation(try JSONObject.parse(row.blob("content")))
            else { continue }
            let user = try UserID(row["user"] as String)
            let place = reactions.firstIndex { $0.text == text }
            if removed {
                if let place { reactions[place].users.removeAll { $0 == user } }
            } else if let place {
                if !reactions[place].users.contains(user) { reactions[place].users.append(user) }
            } else {
                reactions.append(Reaction(text: text, users: [user]))
            }
        }
        return reactions.filter { !$0.users.isEmpty }
    }
}

// MARK: Editing

extension ClientTransaction {
    /// Sends an edit, in the place of an earlier one that was not sealed yet.
    func edit(_ found: Found, _ content: JSONObject) throws -> OutboxEntry {
        let hash = Data(found.hash.bytes)
        if try row("SELECT 1 FROM client_outbox WHERE hash = ? AND hole IS NOT NULL", [hash]) != nil {
            throw ProtocolError.malformed("The message was deleted.", member: "id")
        }
        if let waiting = try row(
            """
            SELECT row FROM client_outbox
            WHERE relates = ? AND relation = 'edit' AND state = 'waiting_keys' ORDER BY row DESC LIMIT 1
            """, [Data(found.hash.bytes.prefix(10))])
        {
            return try rewrite(waiting["row"], content, to: found.target)
        }
        return try entry(try compose(content, to: found.target))
    }

    /// Changes an entry that is not sealed yet.
    func rewrite(_ number: Int64, _ content: JSONObject, to target: MessageTarget) throws -> OutboxEntry {
        _ = try pack(content, to: target, created: now)
        try run(
            "UPDATE client_outbox SET content = ? WHERE row = ? AND state = 'waiting_keys'",
            [Data(content.canonicalBytes()), number])
        guard database.changesCount > 0 else {
            throw ProtocolError.malformed("The message was sealed meanwhile.", hint: "Edit it by its id.")
        }
        return try entry(number)
    }

    private func entry(_ number: Int64) throws -> OutboxEntry {
        guard let entry = try outboxEntry(number) else {
            throw ProtocolError(.internalError, "The outbox lost an entry.")
        }
        return entry
    }
}
