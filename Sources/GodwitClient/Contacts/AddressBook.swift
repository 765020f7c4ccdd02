public import GodwitProtocol

/// Short names for users and channels (ID-18): what people type becomes an address here.
public struct AddressBook: Sendable, Hashable {
    /// Characters of a name.
    public static let lengths = 1...64
    /// Names of each kind.
    public static let namesMax = 1_000

    public var users: [String: UserID]
    public var channels: [String: ChannelID]
    /// The node on which a channel is that is named without one.
    public var node: NodeID

    public init(users: [String: UserID] = [:], channels: [String: ChannelID] = [:], node: NodeID) {
        self.users = users
        self.channels = channels
        self.node = node
    }

    /// A name is one word that no address begins with.
    /// - Throws: `ProtocolError` 2000.
    public static func check(_ name: String) throws(ProtocolError) {
        let isWord = name.unicodeScalars.allSatisfy { scalar in
            let isControl = [.control, .format].contains(scalar.properties.generalCategory)
            return !scalar.properties.isWhitespace && !isControl && !["@", "#", ":", ".", ","].contains(scalar)
        }
        guard lengths.contains(name.count), name.utf8.count <= 256, isWord else {
            throw .malformed(
                "An alias has 1 to 64 characters, no space and none of @ # : . ,", member: "alias",
                hint: "Example: mum")
        }
    }

    /// `@name`, `#name` or a bare name that was given, or a whole address.
    /// - Throws: `ProtocolError` 2000.
    public func target(_ text: String) throws(ProtocolError) -> MessageTarget {
        let bare = String(text.dropFirst())
        if text.hasPrefix("@") {
            if let user = users[bare] { return .user(user) }
            return .user(try Self.explained { () throws(ProtocolError) in try DirectAddress(text).user })
        }
        if text.hasPrefix("#") {
            if let channel = channels[bare] { return .channel(channel) }
            return .channel(try ChannelID(text, defaultNode: node))
        }
        if let user = users[text] { return .user(user) }
        if let channel = channels[text] { return .channel(channel) }
        return .user(try Self.explained { () throws(ProtocolError) in try UserID(text) })
    }

    /// A user, with or without `@`, or by a name.
    /// - Throws: `ProtocolError` 2000.
    public func user(_ text: String) throws(ProtocolError) -> UserID {
        let bare = text.hasPrefix("@") ? String(text.dropFirst()) : text
        if let user = users[bare] { return user }
        return try Self.explained { () throws(ProtocolError) in try UserID(bare) }
    }

    /// `#name`, `#name:node`, or a name that was given, with or without `#`.
    /// - Throws: `ProtocolError` 2000.
    public func channel(_ text: String) throws(ProtocolError) -> ChannelID {
        let bare = text.hasPrefix("#") ? String(text.dropFirst()) : text
        if let channel = channels[bare] { return channel }
        return try ChannelID(text, defaultNode: node)
    }

    /// The name of a user or channel where it has one, the first in order, else how it is written.
    public func name(of target: MessageTarget) -> String {
        switch target {
        case .user(let user): "@" + (users.filter { $0.value == user }.keys.min() ?? user.text)
        case .channel(let channel):
            channels.filter { $0.value == channel }.keys.min().map { "#" + $0 }
                ?? (channel.node == node ? channel.name.text : channel.text)
        }
    }

    private static func explained<Value>(
        _ read: () throws(ProtocolError) -> Value
    ) throws(ProtocolError) -> Value {
        do {
            return try read()
        } catch {
            throw .malformed(
                "This is no address and no alias.",
                hint: "Write #channel, #channel:node or @node.name, or name one with `godwit contact alias`.")
        }
    }
}
