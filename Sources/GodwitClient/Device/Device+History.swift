import GRDB
public import GodwitProtocol

/// A message of a conversation, whoever wrote it.
public enum HistoryEntry: Sendable, Hashable {
    case received(InboxEntry)
    case written(OutboxEntry)

    /// By its author's clock.
    public var timestamp: Timestamp {
        switch self {
        case .received(let entry): entry.timestamp
        case .written(let entry): entry.created
        }
    }
}

extension Device {
    /// The newest messages of a conversation, received and written, oldest first, by the authors' clocks. Edits and
    /// reactions stand with what they are about.
    public func history(_ conversation: Conversation, limit: Int = 50) async throws -> [HistoryEntry] {
        try await store.read { try $0.history(conversation, limit: max(0, limit)) }
    }
}

extension ClientTransaction {
    func history(_ conversation: Conversation, limit: Int) throws -> [HistoryEntry] {
        let home = context.home.id
        let received = try rows(
            """
            SELECT * FROM client_message
            WHERE conversation = ?1 AND shown IS NOT NULL AND relation IS NULL
              AND user NOT IN (SELECT user FROM client_block)
            ORDER BY timestamp DESC, shown DESC LIMIT ?2
            """, [conversation.text, limit]
        ).map { try InboxEntry($0, home: home) }
        let written = try rows(
            """
            SELECT * FROM client_outbox WHERE conversation = ?1 AND relation IS NULL
            ORDER BY created DESC, row DESC LIMIT ?2
            """, [conversation.text, limit]
        ).map { try OutboxEntry($0, home: home) }
        // Stable: what has one time stays in the order in which it came.
        let all = received.reversed().map { HistoryEntry.received($0) } + written.reversed().map { .written($0) }
        let sorted = all.enumerated().sorted {
            ($0.element.timestamp, $0.offset) < ($1.element.timestamp, $1.offset)
        }.map(\.element)
        return try sorted.suffix(limit).map { entry in
            switch entry {
            case .received(let entry): .received(try related(entry))
            case .written(let entry): .written(try related(entry))
            }
        }
    }
}
