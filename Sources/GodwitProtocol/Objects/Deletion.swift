/// Takes messages back, signed by a device (purpose `deletion`): by their author's, or in a channel by that of somebody
/// whose role may delete what others wrote. docs/protocol.md §7.
public struct Deletion: Sendable, Hashable {
    /// Messages that one object names.
    public static let itemsMax = 64

    public let object: JSONObject
    public let userID: UserID
    public let device: DeviceID
    /// The conversation as its messages have it.
    public let address: Address
    /// Node of the channel; nil in direct conversations.
    public let channelNode: NodeID?
    /// Of the messages, each once.
    public let items: [MessageHash]
    public let at: Timestamp

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "deletion")
        try fields.expect(type: "deletion")
        userID = try fields.userID("user_id")
        device = try fields.deviceID("device")
        address = try fields.address("channel")
        at = try fields.canonicalTimestamp("at")
        if case .channel = address {
            channelNode = try fields.nodeID("channel_node")
        } else {
            channelNode = nil
        }
        let bytes = try fields.base64("items")
        guard bytes.count.isMultiple(of: 32), (1...Self.itemsMax).contains(bytes.count / 32) else {
            throw .malformed("items are 1 to 64 message hashes, joined.", member: "items")
        }
        items = stride(from: 0, to: bytes.count, by: 32).compactMap { MessageHash(Array(bytes[$0..<$0 + 32])) }
        guard Set(items).count == items.count else {
            throw .malformed("A message is named once.", member: "items")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    /// The object before it is signed.
    public static func unsigned(
        _ items: [MessageHash], in address: Address, channelNode: NodeID?, user: UserID, device: DeviceID,
        at: Timestamp
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "deletion", "user_id": .string(user.text), "device": .string(device.text),
            "channel": .string(address.text), "items": .string(Base64.encode(items.flatMap(\.bytes))),
            "at": .string(at.description),
        ]
        if let channelNode { object["channel_node"] = .string(channelNode.text) }
        return object
    }

    /// What its messages belong to. The deleter of a direct message is its author.
    public var conversation: Conversation {
        switch address {
        case .channel(let name): .channel(ChannelID(name: name, node: channelNode ?? userID.node))
        case .direct(let address): .between(userID, address.user)
        }
    }
}
