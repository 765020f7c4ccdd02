public import GodwitProtocol

extension Device {
    /// Writes another text in place of that of an own message. An earlier edit that still waits for keys is replaced, so
    /// that only the last one is sent.
    ///
    /// - Throws: `ProtocolError` 1002 for another's message, 2000 for one that is unknown here or deleted; as `send`.
    @discardableResult
    public func edit(
        _ id: MessageID, text: String, format: TextFormat = .plain, mentions: [UserID] = []
    ) async throws -> OutboxEntry {
        try await store.write { transaction in
            let found = try transaction.find(id)
            guard found.isOwn else {
                throw ProtocolError(
                    .insufficientPermissions, "A message is edited by its author.", hint: "Answer it instead.")
            }
            var content = Self.content(text, format, mentions: mentions, replyTo: nil)
            content["reply_to"] = nil
            content["edits"] = .string(id.text)
            return try transaction.edit(found, content)
        }
    }

    /// Writes another text in place of that of an own message, by its row in the outbox. One that still waits for keys is
    /// changed in place, and nothing more is sent.
    ///
    /// - Throws: `ProtocolError` 2000 for an unknown row; as `edit(_:text:format:mentions:)`.
    @discardableResult
    public func edit(
        row: Int64, text: String, format: TextFormat = .plain, mentions: [UserID] = []
    ) async throws -> OutboxEntry {
        guard let entry = try await outbox(after: row - 1, limit: 1).first, entry.row == row else {
            throw ProtocolError.malformed(
                "This device has written no message of that number.", member: "id",
                hint: "`godwit history --json` shows rows and ids.")
        }
        if let id = entry.id { return try await edit(id, text: text, format: format, mentions: mentions) }
        return try await store.write { transaction in
            let replyTo = try entry.content["reply_to"]?.string.map { text throws(ProtocolError) in try MessageID(text)
            }
            return try transaction.rewrite(
                row, Self.content(text, format, mentions: mentions, replyTo: replyTo), to: entry.target)
        }
    }

    /// Reacts to a message, or takes a reaction back.
    ///
    /// - Parameter reaction: 1 to 64 bytes of UTF-8.
    /// - Throws: `ProtocolError` 2000 for an unknown message or another length; as `send`.
    @discardableResult
    public func react(to id: MessageID, _ reaction: String, removing: Bool = false) async throws -> OutboxEntry {
        let relation = ContentRelation.reaction(id, reaction, removed: removing)
        guard ContentRelation(relation.content) == relation else {
            throw ProtocolError.malformed("A reaction has 1 to 64 bytes.", member: "reaction")
        }
        return try await store.write { transaction in
            let found = try transaction.find(id)
            let row = try transaction.compose(relation.content, to: found.target)
            guard let entry = try transaction.outboxEntry(row) else {
                throw ProtocolError(.internalError, "The outbox lost an entry.")
            }
            return entry
        }
    }

    /// - Throws: `ProtocolError` 2000 for a message that is unknown here.
    public func conversation(of id: MessageID) async throws -> Conversation {
        try await store.read { transaction in
            try transaction.find(id).target.conversation(of: transaction.context.user)
        }
    }

    /// Takes messages of one conversation back: here their content is gone at once, nodes and other devices are told.
    ///
    /// - Throws: `ProtocolError` 1002 for another's direct message, 2000 for unknown messages or several conversations.
    ///   Whether a role allows it in a channel is judged by the channel's node, which answers with a refusal.
    public func delete(_ ids: [MessageID]) async throws {
        try await store.write { try $0.delete(ids) }
    }
}
