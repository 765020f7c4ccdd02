/// Name of a channel (004 §9.1): `#`, then 1 to 5 segments of `a`–`z` `0`–`9` `-` `_` joined by `/`, at most 100
/// characters in all; capitals and empty segments are refused (gap G-51).
public struct ChannelName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let lengthMax = 100
    public static let depthMax = 5
    public let text: String

    /// - Throws: `ProtocolError` 2000 that names the rule.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard text.utf8.first == UInt8(ascii: "#") else {
            throw .malformed("A channel name starts with #.", hint: "Example: #development/rust-help")
        }
        guard text.utf8.count <= Self.lengthMax else {
            throw .malformed("A channel name has at most 100 characters.")
        }
        let segments = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard segments.allSatisfy({ !$0.isEmpty }) else {
            throw .malformed("A channel name has no empty segment.", hint: "Example: #events/2025")
        }
        guard segments.count <= Self.depthMax else {
            throw .malformed("A channel name has at most 5 levels.")
        }
        let allowed = { (byte: UInt8) in
            byte.isLowerCaseLetter || byte.isDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        guard segments.allSatisfy({ $0.allSatisfy(allowed) }) else {
            throw .malformed("A channel name has only a-z, 0-9, -, _ and / after the #.", hint: "Use lower case.")
        }
        self.text = String(text)
    }

    /// The channel that this one is nested in.
    public var parent: ChannelName? {
        guard let slash = text.lastIndex(of: "/") else { return nil }
        return try? ChannelName(text[..<slash])
    }

    public var depth: Int { text.utf8.count { $0 == UInt8(ascii: "/") } + 1 }
    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// Address of a direct message: `@` and the reader's user id (004 §9.2).
public struct DirectAddress: Hashable, Sendable, CustomStringConvertible {
    public let user: UserID

    public init(_ user: UserID) { self.user = user }

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard text.utf8.first == UInt8(ascii: "@") else {
            throw .malformed("A direct address is @ and a user id.", hint: "Example: @a7f3k9m2.alice-river-7x9k")
        }
        user = try UserID(text.dropFirst())
    }

    public var text: String { "@" + user.text }
    public var description: String { text }
}

/// What stands in a message's `channel`.
public enum Address: Hashable, Sendable, CustomStringConvertible {
    case channel(ChannelName)
    case direct(DirectAddress)

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        switch text.utf8.first {
        case UInt8(ascii: "#"): self = .channel(try ChannelName(text))
        case UInt8(ascii: "@"): self = .direct(try DirectAddress(text))
        default: throw .malformed("An address starts with # (channel) or @ (user).", member: "channel")
        }
    }

    public var text: String {
        switch self {
        case .channel(let name): name.text
        case .direct(let address): address.text
        }
    }
    public var description: String { text }
}

/// A channel with the node that it belongs to (decision D-18): nodes have different channels of one name.
public struct ChannelID: Hashable, Sendable, CustomStringConvertible {
    public let name: ChannelName
    public let node: NodeID

    public init(name: ChannelName, node: NodeID) {
        self.name = name
        self.node = node
    }

    /// Reads `#name:node`, or `#name` with a default node. Only for people; on the wire both stand apart.
    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol, defaultNode: NodeID) throws(ProtocolError) {
        if let colon = text.firstIndex(of: ":") {
            name = try ChannelName(text[..<colon])
            node = try NodeID(text[text.index(after: colon)...])
        } else {
            name = try ChannelName(text)
            node = defaultNode
        }
    }

    public var text: String { name.text + ":" + node.text }
    public var description: String { text }
}

/// What the members of one exchange of messages share: a channel, or an unordered pair of users (gap G-48).
public enum Conversation: Hashable, Sendable {
    case channel(ChannelID)
    case direct(UserID, UserID)

    /// The pair in one order, whoever writes.
    public static func between(_ one: UserID, _ other: UserID) -> Conversation {
        one < other ? .direct(one, other) : .direct(other, one)
    }

    public var text: String {
        switch self {
        case .channel(let channel): channel.text
        case .direct(let one, let other): "@" + one.text + "+" + other.text
        }
    }
}

extension ChannelName {
    private static let groupPrefix = "#gdm-"

    /// The name of a group direct: `#gdm-` and 26 characters for 128 random bits (gap G-49).
    ///
    /// - Precondition: 16 bytes.
    public static func group(random: [UInt8]) -> ChannelName {
        precondition(random.count == 16)
        return ChannelName(checked: groupPrefix + Base32.encode(random))
    }

    private init(checked text: String) { self.text = text }

    /// Whether names of this form belong to group directs.
    public var isGroup: Bool {
        text.hasPrefix(Self.groupPrefix)
            && Base32.decode(String(text.dropFirst(Self.groupPrefix.count)))?.count == 16
    }

    /// The channels that this one is nested in, nearest first.
    public var ancestors: [ChannelName] {
        var names: [ChannelName] = []
        var next = parent
        while let name = next {
            names.append(name)
            next = name.parent
        }
        return names
    }
}
