/// A conversation as the objects name it: `channel`, and of a channel `channel_node`.
public struct ConversationName: Sendable, Hashable {
    public var address: Address
    public var channelNode: NodeID?

    public init(_ conversation: Conversation, of user: UserID) {
        switch conversation {
        case .channel(let id): (address, channelNode) = (.channel(id.name), id.node)
        case .direct(let one, let other):
            (address, channelNode) = (.direct(DirectAddress(one == user ? other : one)), nil)
        }
    }

    init(_ fields: ObjectReader) throws(ProtocolError) {
        address = try fields.address("channel")
        if case .channel = address { channelNode = try fields.nodeID("channel_node") } else { channelNode = nil }
    }

    /// The conversation, as a user has it.
    public func conversation(of user: UserID) -> Conversation {
        switch address {
        case .channel(let name): .channel(ChannelID(name: name, node: channelNode ?? user.node))
        case .direct(let address): .between(user, address.user)
        }
    }

    func add(to object: JSONObject) -> JSONObject {
        let object = object.setting("channel", .string(address.text))
        guard let channelNode else { return object }
        return object.setting("channel_node", .string(channelNode.text))
    }
}

/// Whether a user is there, from the user's node to others (docs/protocol.md §7). Never stored, soon stale.
public struct PresenceNotice: Sendable, Hashable {
    /// Milliseconds after which it is no news.
    public static let lifetime: Int64 = 600_000
    /// Scalars of the message that goes with a status.
    public static let messageMax = 140

    public var userID: UserID
    public var status: PresenceStatus
    public var message: String?
    public var lastSeen: Timestamp

    /// - Throws: `ProtocolError` 2000 for a message that is too long.
    public init(
        userID: UserID, status: PresenceStatus, message: String?, lastSeen: Timestamp
    ) throws(ProtocolError) {
        guard message?.unicodeScalars.count ?? 0 <= Self.messageMax else {
            throw .malformed("The message of a status has at most 140 characters.", member: "message")
        }
        self.userID = userID
        self.status = status
        self.message = message
        self.lastSeen = lastSeen
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "presence")
        guard let status = PresenceStatus(rawValue: try fields.string("status")) else {
            throw .malformed("A status is online, away or offline.", member: "status")
        }
        try self.init(
            userID: fields.userID("user_id"), status: status, message: fields.optionalString("message"),
            lastSeen: fields.canonicalTimestamp("last_seen"))
    }

    /// The data of the event `user_status`.
    public var data: JSONObject {
        var data: JSONObject = [
            "user_id": .string(userID.text), "status": .string(status.rawValue),
            "last_seen": .string(lastSeen.description),
        ]
        if let message { data["message"] = .string(message) }
        return data
    }

    public var object: JSONObject { data.setting("type", "presence") }
}

/// Somebody writes, or has stopped (WS-07). Never stored, stale after seconds.
public struct TypingNotice: Sendable, Hashable {
    public static let lifetime: Int64 = 30_000

    public var userID: UserID
    public var name: ConversationName
    public var isTyping: Bool
    public var at: Timestamp

    public init(userID: UserID, name: ConversationName, isTyping: Bool, at: Timestamp) {
        self.userID = userID
        self.name = name
        self.isTyping = isTyping
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "typing notice")
        self.init(
            userID: try fields.userID("user_id"), name: try ConversationName(fields),
            isTyping: try fields.bool("typing"), at: try fields.canonicalTimestamp("at"))
    }

    public var conversation: Conversation { name.conversation(of: userID) }

    /// The data of the event `typing`.
    public var data: JSONObject {
        name.add(to: ["user_id": .string(userID.text), "typing": .bool(isTyping)])
    }

    public var object: JSONObject {
        data.setting("type", "typing").setting("at", .string(at.description))
    }
}

/// How far a user has read a conversation, for the user's other devices.
public struct ReadMarker: Sendable, Hashable {
    public var userID: UserID
    /// The device that says so.
    public var device: DeviceID
    public var name: ConversationName
    /// The last message that was read.
    public var upTo: MessageHash
    public var at: Timestamp

    public init(userID: UserID, device: DeviceID, name: ConversationName, upTo: MessageHash, at: Timestamp) {
        self.userID = userID
        self.device = device
        self.name = name
        self.upTo = upTo
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "read marker")
        self.init(
            userID: try fields.userID("user_id"), device: try fields.deviceID("device"),
            name: try ConversationName(fields), upTo: try fields.hash("upto"),
            at: try fields.canonicalTimestamp("at"))
    }

    public var conversation: Conversation { name.conversation(of: userID) }

    public var object: JSONObject {
        name.add(to: [
            "type": "read_marker", "user_id": .string(userID.text), "device": .string(device.text),
            "upto": .string(upTo.base64), "at": .string(at.description),
        ])
    }
}

/// A user's home node says that the user's account was erased (purpose `erasure`, gap G-87).
public struct Erasure: Sendable, Hashable {
    public let object: JSONObject
    public let userID: UserID
    public let at: Timestamp

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "erasure")
        try fields.expect(type: "erasure")
        userID = try fields.userID("user_id")
        at = try fields.canonicalTimestamp("at")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    public static func unsigned(_ user: UserID, at: Timestamp) -> JSONObject {
        ["type": "erasure", "user_id": .string(user.text), "at": .string(at.description)]
    }
}
