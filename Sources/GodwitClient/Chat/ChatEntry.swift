public import GodwitProtocol

/// A message as the chat shows it.
public struct ChatEntry: Sendable, Hashable {
    /// What names it on this device: what was written here has no id before it is sealed.
    public enum Key: Sendable, Hashable {
        case received(Int64)
        case written(Int64)
    }

    /// How far an own message has come.
    public enum Mark: Sendable, Hashable {
        case queued, atNode, forwarded, delivered, read, failed

        /// Two cells, in ASCII, so that every terminal has them.
        public var text: String {
            switch self {
            case .queued: ". "
            case .atNode: "> "
            case .forwarded: ">>"
            case .delivered: "+ "
            case .read: "++"
            case .failed: "! "
            }
        }
    }

    public var key: Key
    public var id: MessageID?
    public var author: UserID
    public var time: Timestamp
    public var text: String
    /// Of own messages.
    public var mark: Mark?
    /// Why it went no further.
    public var failure: String?
    public var replyTo: MessageID?
    public var isEdited = false
    public var isDeleted = false
    public var followsGap = false
    public var isRead = true
    public var vouch: Vouch?
    public var hasFile = false
    public var reactions: [Reaction] = []

    public var isOwn: Bool { mark != nil }

    /// Four characters by which people name a message: the end of its id, or `#` and its number while it has none.
    public var tag: String {
        if let id { return String(id.text.suffix(4)) }
        if case .written(let row) = key { return "#\(row)" }
        return "-"
    }

    public init(_ entry: HistoryEntry, own: UserID) {
        switch entry {
        case .received(let entry): self.init(entry)
        case .written(let entry): self.init(entry, own: own)
        }
    }

    init(key: Key, id: MessageID?, author: UserID, time: Timestamp, text: String) {
        self.key = key
        self.id = id
        self.author = author
        self.time = time
        self.text = text
    }

    public init(_ entry: InboxEntry) {
        let attachment = entry.attachment
        self.init(
            key: .received(entry.row), id: entry.id, author: entry.author, time: entry.timestamp,
            text: Self.shown(entry.text, attachment))
        hasFile = attachment != nil
        replyTo = Self.replied(entry.content)
        isEdited = entry.isEdited
        isDeleted = entry.isDeleted
        followsGap = entry.followsGap
        isRead = entry.isRead
        vouch = entry.vouch
        reactions = entry.reactions
    }

    public init(_ entry: OutboxEntry, own: UserID) {
        let attachment = entry.attachment
        self.init(
            key: .written(entry.row), id: entry.id, author: own, time: entry.created,
            text: Self.shown(entry.text, attachment))
        hasFile = attachment != nil
        mark = Self.mark(entry)
        failure = entry.error?.message
        replyTo = Self.replied(entry.content)
        isEdited = entry.isEdited
        isDeleted = entry.isDeleted
        vouch = entry.vouch
        reactions = entry.reactions
    }

    public static func mark(_ entry: OutboxEntry) -> Mark {
        switch entry.state {
        case .waitingKeys, .sealed: .queued
        case .atNode: entry.wasForwarded ? .forwarded : .atNode
        case .delivered: entry.wasRead ? .read : .delivered
        case .refused, .expired: .failed
        }
    }

    private static func shown(_ text: String, _ attachment: Attachment?) -> String {
        guard let attachment else { return text }
        return text.isEmpty ? attachment.line : attachment.line + " " + text
    }

    private static func replied(_ content: JSONObject) -> MessageID? {
        content["reply_to"]?.string.flatMap { try? MessageID($0) }
    }
}

/// A conversation in the chat's list.
public struct ChatConversation: Sendable, Hashable {
    public var target: MessageTarget
    public var name: String
    public var unread: Int
    /// Of its last message.
    public var latest: Timestamp?
    /// A remark that stays until its cause is gone, such as a changed key.
    public var warning: String?

    public init(
        target: MessageTarget, name: String, unread: Int = 0, latest: Timestamp? = nil, warning: String? = nil
    ) {
        self.target = target
        self.name = name
        self.unread = unread
        self.latest = latest
        self.warning = warning
    }
}

/// How the device stands with its home node.
public enum ChatLink: Sendable, Hashable {
    case idle
    case syncing
    case online
    /// It could not be reached.
    case offline(String)

    public var word: String {
        switch self {
        case .idle: "not synced"
        case .syncing: "syncing"
        case .online: "online"
        case .offline: "offline"
        }
    }
}
