public import GodwitProtocol

/// A message in which everything was found that was looked for.
public struct SearchHit: Sendable, Hashable {
    public enum Message: Sendable, Hashable {
        case received(InboxEntry)
        case written(OutboxEntry)
    }

    /// Some words of the text; in the middle of it, "…" stands for the rest.
    public struct Piece: Sendable, Hashable {
        public var text: String
        /// It was looked for.
        public var isFound: Bool
    }

    public var message: Message
    public var excerpt: [Piece]

    public var conversation: Conversation {
        switch message {
        case .received(let entry): entry.conversation
        case .written(let entry): entry.conversation
        }
    }
    public var text: String {
        switch message {
        case .received(let entry): Attachment.words(entry.text, entry.content)
        case .written(let entry): Attachment.words(entry.text, entry.content)
        }
    }
    /// By its author's clock.
    public var timestamp: Timestamp {
        switch message {
        case .received(let entry): entry.timestamp
        case .written(let entry): entry.created
        }
    }
}
