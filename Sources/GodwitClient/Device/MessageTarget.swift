public import GodwitProtocol

/// To whom a message goes.
public enum MessageTarget: Sendable, Hashable, CustomStringConvertible {
    case channel(ChannelID)
    case user(UserID)

    /// `#name:node` or `@user`: how it stands in the store.
    public var description: String {
        switch self {
        case .channel(let channel): channel.text
        case .user(let user): "@" + user.text
        }
    }

    /// Reads `#name`, `#name:node` or `@user`.
    /// - Throws: `ProtocolError` 2000.
    public init(_ text: String, defaultNode: NodeID) throws(ProtocolError) {
        if text.hasPrefix("@") {
            self = .user(try DirectAddress(text).user)
        } else {
            self = .channel(try ChannelID(text, defaultNode: defaultNode))
        }
    }

    var address: Address {
        switch self {
        case .channel(let channel): .channel(channel.name)
        case .user(let user): .direct(DirectAddress(user))
        }
    }

    public func conversation(of author: UserID) -> Conversation {
        switch self {
        case .channel(let channel): .channel(channel)
        case .user(let user): .between(author, user)
        }
    }
}

extension Conversation {
    /// Reads the stored form.
    init(stored text: String, home: NodeID) throws(ProtocolError) {
        guard text.hasPrefix("@"), let plus = text.firstIndex(of: "+") else {
            self = .channel(try ChannelID(text, defaultNode: home))
            return
        }
        self = .between(
            try UserID(text[text.index(after: text.startIndex)..<plus]), try UserID(text[text.index(after: plus)...]))
    }
}
