/// The chat for terminals that cannot move their cursor: what is new is a line more.
public struct ChatTranscript: Sendable {
    public enum News: Sendable, Hashable {
        /// A message that was not shown yet, or reads otherwise now.
        case message(ChatEntry)
        /// An own message has come further.
        case mark(ChatEntry)

        public var entry: ChatEntry {
            switch self {
            case .message(let entry), .mark(let entry): entry
            }
        }
    }

    private var shown: [ChatEntry.Key: ChatEntry] = [:]

    public init() {}

    /// Begins anew, as with another conversation.
    public mutating func forget() { shown = [:] }

    public mutating func news(in model: ChatModel) -> [News] {
        model.entries.compactMap { entry in
            guard let before = shown.updateValue(entry, forKey: entry.key) else { return .message(entry) }
            if before.isDeleted != entry.isDeleted || model.text(of: before) != model.text(of: entry) {
                return .message(entry)
            }
            return before.mark == entry.mark ? nil : .mark(entry)
        }
    }

    /// Each message begins with its tag, by which orders name it.
    public static func line(_ news: News, in model: ChatModel) -> String {
        let entry = news.entry
        let mark = entry.mark.map(word) ?? ""
        guard case .message = news else { return "[\(entry.tag)] \(mark)" }
        let text = model.text(of: entry).joined(separator: "\n    ")
        return "[\(entry.tag)] \(model.name(of: entry.author)): \(text)" + (mark.isEmpty ? "" : " (\(mark))")
    }

    public static func word(_ mark: ChatEntry.Mark) -> String {
        switch mark {
        case .queued: "queued"
        case .atNode: "at_node"
        case .forwarded: "forwarded"
        case .delivered: "delivered"
        case .read: "read"
        case .failed: "failed"
        }
    }
}
