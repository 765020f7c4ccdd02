import GodwitProtocol

/// Lifetime and class that the receiver assumes where the frame says nothing. Both ends compute it from the same bytes.
struct UsualCourse: Hashable, Sendable {
    var lifetime: Int64
    var priority: PriorityClass

    init(lifetime: Int64, priority: PriorityClass) {
        self.lifetime = lifetime
        self.priority = priority
    }

    /// Of an item that travels verbatim.
    init(_ kind: BatchItem.Kind) {
        lifetime = Message.defaultLifetime
        priority = kind == .message ? .channelText : .control
    }

    /// Of a message that travels in columns: as D-20 classes it.
    init(_ row: MessageRow) {
        lifetime = row.form.lifetime ?? Message.defaultLifetime
        switch row.form.type {
        case "voice": priority = .voice
        case "media": priority = .document
        case "system" where row.conversation.name == "@" + row.device.author: priority = .bulk
        default: priority = row.conversation.name.first == "@" ? .directText : .channelText
        }
    }
}
