/// The owner of a channel moves it to the own home node, also when the channel's node is dead (D-18). Signed by the
/// owner's device, purpose `moved`. docs/protocol.md §7.
public struct ChannelMove: Sendable, Hashable {
    public let object: JSONObject
    /// The channel as it was.
    public let channel: ChannelID
    /// The node that it belongs to from now on.
    public let to: NodeID
    public let owner: UserID
    public let device: DeviceID
    public let at: Timestamp

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "move of a channel")
        try fields.expect(type: "moved")
        channel = ChannelID(name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        to = try fields.nodeID("to")
        owner = try fields.userID("user_id")
        device = try fields.deviceID("device")
        at = try fields.canonicalTimestamp("at")
        guard to != channel.node, to == owner.node else {
            throw .malformed("A channel moves to its owner's home node, from another one.", member: "to")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    /// The object before it is signed.
    public static func unsigned(
        _ channel: ChannelID, to node: NodeID, by owner: UserID, _ device: DeviceID, at: Timestamp
    ) -> JSONObject {
        [
            "type": "moved", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "to": .string(node.text), "user_id": .string(owner.text), "device": .string(device.text),
            "at": .string(at.description),
        ]
    }

    /// The channel as it is from now on.
    public var successor: ChannelID { ChannelID(name: channel.name, node: to) }
}
