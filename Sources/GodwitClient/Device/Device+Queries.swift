import GRDB
public import GodwitProtocol
import GodwitSpool

extension Device {
    /// Messages that have arrived, in the order in which they are shown.
    ///
    /// - Parameters:
    ///   - conversation: nil for all.
    ///   - row: only entries after this one; 0 for the first.
    ///   - onlyUnread: leave out what was marked as read.
    ///   - limit: most entries.
    public func inbox(
        conversation: Conversation? = nil, after row: Int64 = 0, onlyUnread: Bool = false, limit: Int = 100
    ) async throws -> [InboxEntry] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM client_message
                WHERE shown > ?1 AND (?2 IS NULL OR conversation = ?2) AND is_read <= ?3 AND relation IS NULL
                  AND user NOT IN (SELECT user FROM client_block)
                ORDER BY shown LIMIT ?4
                """, [row, conversation?.text, onlyUnread ? 0 : 1, max(0, limit)]
            ).map { try transaction.related(InboxEntry($0, home: transaction.context.home.id)) }
        }
    }

    /// Messages that were written here, in that order.
    public func outbox(
        conversation: Conversation? = nil, after row: Int64 = 0, limit: Int = 100
    ) async throws -> [OutboxEntry] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM client_outbox WHERE row > ?1 AND (?2 IS NULL OR conversation = ?2)
                ORDER BY row LIMIT ?3
                """, [row, conversation?.text, max(0, limit)]
            ).map { try transaction.related(OutboxEntry($0, home: transaction.context.home.id)) }
        }
    }

    /// All conversations, the one with the newest message first.
    public func conversations() async throws -> [ConversationSummary] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT conversation, count(*) AS messages, sum(unread) AS unread, max(at) AS latest FROM (
                  SELECT conversation, timestamp AS at, 1 - is_read AS unread FROM client_message
                    WHERE shown IS NOT NULL AND relation IS NULL AND user NOT IN (SELECT user FROM client_block)
                  UNION ALL SELECT conversation, created, 0 FROM client_outbox WHERE relation IS NULL)
                GROUP BY conversation ORDER BY latest DESC, conversation
                """
            ).map { row in
                ConversationSummary(
                    conversation: try Conversation(
                        stored: row["conversation"], home: transaction.context.home.id),
                    messages: row["messages"], unread: row["unread"],
                    latest: Timestamp(milliseconds: row["latest"]))
            }
        }
    }

    /// Marks what was shown as read, up to and with a row of the inbox. Own other devices are told, and authors of direct
    /// messages if the identity file lets them know: `preferences.privacy.read_receipts`.
    public func markRead(upTo row: Int64, conversation: Conversation? = nil) async throws {
        try await store.write { try $0.markRead(upTo: row, conversation) }
    }

    public func channels() async throws -> [ChannelSummary] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT c.*, (SELECT count(*) FROM client_member m WHERE m.channel = c.channel AND m.until IS NULL) AS members,
                  (SELECT max(version) FROM client_membership m WHERE m.channel = c.channel) AS version
                FROM client_channel c ORDER BY c.name, c.node
                """
            ).map { row in
                let channel = try KnownChannel(row)
                return ChannelSummary(
                    id: channel.id, state: channel.state, members: row["members"], version: row["version"] ?? 0,
                    error: try row.optionalBlob("error").flatMap { ProtocolError(object: try JSONObject.parse($0)) })
            }
        }
    }

    /// What arrived and was not used, newest first.
    ///
    /// - Parameter code: only these.
    public func warnings(limit: Int = 100, code: ClientWarning.Code? = nil) async throws -> [ClientWarning] {
        try await store.read { try $0.warnings(limit: max(0, limit), code: code) }
    }

    public func status() async throws -> DeviceStatus {
        try await store.read { transaction in
            func count(_ table: String) throws -> Int {
                Int(try transaction.integer("SELECT count(*) FROM " + table) ?? 0)
            }
            var status = DeviceStatus()
            for row in try transaction.rows("SELECT state, count(*) AS n FROM client_outbox GROUP BY state") {
                guard let state = OutboxEntry.State(rawValue: row["state"]) else { continue }
                status.outbox[state] = row["n"]
            }
            status.inbox = try count("client_message WHERE shown IS NOT NULL AND relation IS NULL")
            status.unread = try count(
                """
                client_message WHERE shown IS NOT NULL AND is_read = 0 AND relation IS NULL
                  AND user NOT IN (SELECT user FROM client_block)
                """)
            status.held = try count("client_message WHERE shown IS NULL")
            status.pending = try count("client_pending WHERE waits_for NOT GLOB 'spent:*'")
            status.wanted = try count("client_want")
            status.warnings = try count("client_warning")
            status.sessions = try count("client_session")
            status.channels = try count("client_channel")
            status.oneTimePreKeys = try count("client_one_time_key")
            let home = transaction.context.homeParty
            let waiting = try transaction.spool.queues(for: home).values.reduce(0) { $0 + $1.count }
            let framed = try transaction.spool.unacknowledged(to: home).reduce(0) { $0 + $1.items.count }
            status.queued = waiting + framed
            return status
        }
    }
}

extension InboxEntry {
    init(_ row: Row, home: NodeID) throws {
        guard let hash = MessageHash(row.blob("hash")) else {
            throw ProtocolError(.internalError, "The inbox has an entry without a hash.")
        }
        self.init(
            row: row["shown"], hash: hash, conversation: try Conversation(stored: row["conversation"], home: home),
            author: try UserID(row["user"] as String), device: try DeviceID(row["device"] as String),
            sequence: row["seq"], timestamp: Timestamp(milliseconds: row["timestamp"]),
            received: Timestamp(milliseconds: row["received"]), type: MessageType(rawValue: row["type"]) ?? .text,
            content: try JSONObject.parse(row.blob("content")), followsGap: row["gap"], isRead: row["is_read"],
            deletedBy: try (row["deleted_by"] as String?).map { text in try UserID(text) },
            isSynced: row["synced"], hole: (row["lost"] as String?).map { MessageHole($0) },
            late: (row["late"] as String?).map { MessageHole($0) }, isOvertaken: row["overtaken"])
    }
}
