/// The secret of an epoch that a join has started, for one of the joiners: from the sponsor that the change names, and to
/// nobody else (docs/protocol.md §7; D-14). It is not signed: only the two devices can make what it holds.
public struct EpochKey: Sendable, Hashable {
    /// Bytes of `key`: an X25519 key of this object alone (32), and the secret under it (48).
    public static let keyCount = 80
    public var channel: ChannelID
    /// Version of the change with which the joiner came.
    public var version: Int64
    public var to: DeviceAddress
    public var key: [UInt8]
    /// Phrase models that every device of the epoch can read (D-9).
    public var models: Set<UInt8>

    public init(channel: ChannelID, version: Int64, to: DeviceAddress, key: [UInt8], models: Set<UInt8> = []) {
        self.channel = channel
        self.version = version
        self.to = to
        self.key = key
        self.models = models
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "epoch key")
        channel = ChannelID(name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        version = try fields.integer("version", in: 1...JSONValue.integerMax)
        to = try DeviceAddress(fields, "to")
        key = try fields.base64("key")
        guard key.count == Self.keyCount else { throw .malformed("An epoch key has 80 bytes.", member: "key") }
        models = try fields.models("models")
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "epoch_key", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "version": .integer(version), "to": .string(to.text), "key": .string(Base64.encode(key)),
        ]
        if !models.isEmpty { object["models"] = .array(models.sorted().map { .integer(Int64($0)) }) }
        return object
    }
}
