/// Messages that a channel's node holds until a moderator decides (gap G-53), told to a moderator's device: when the first
/// one is held, and as the answer to a `list_held` that came in a batch (docs/protocol.md §7).
public struct HeldMessages: Sendable, Hashable {
    /// Messages that one object describes.
    public static let entriesMax = 32
    /// Messages that one command decides about.
    public static let itemsMax = 64

    /// One held message, without its content.
    public struct Entry: Sendable, Hashable {
        public var hash: MessageHash
        public var author: UserID
        public var device: DeviceID
        /// What the author's clock said.
        public var timestamp: Timestamp
        /// When it came to the channel's node.
        public var receivedAt: Timestamp
        /// Bytes of the canonical JSON.
        public var size: Int64
        /// Milliseconds of the node's uptime until it is refused by itself.
        public var left: Int64

        public init(
            hash: MessageHash, author: UserID, device: DeviceID, timestamp: Timestamp, receivedAt: Timestamp,
            size: Int64, left: Int64
        ) {
            (self.hash, self.author, self.device) = (hash, author, device)
            (self.timestamp, self.receivedAt, self.size, self.left) = (timestamp, receivedAt, size, left)
        }

        public init(_ object: JSONObject) throws(ProtocolError) {
            let fields = ObjectReader(object, what: "held message")
            hash = try fields.hash("hash")
            author = try fields.userID("author")
            device = try fields.deviceID("device")
            timestamp = try fields.canonicalTimestamp("timestamp")
            receivedAt = try fields.canonicalTimestamp("received_at")
            size = try fields.integer("size", in: 1...JSONValue.integerMax)
            left = try fields.integer("left", in: 0...JSONValue.integerMax)
        }

        public var object: JSONObject {
            [
                "hash": .string(hash.base64), "author": .string(author.text), "device": .string(device.text),
                "timestamp": .string(timestamp.description), "received_at": .string(receivedAt.description),
                "size": .integer(size), "left": .integer(left),
            ]
        }
    }

    /// A device of somebody who may decide.
    public var to: Party
    public var channel: ChannelID
    public var at: Timestamp
    /// Of those about which the receiver may decide.
    public var waiting: Int64
    /// In the order in which they came.
    public var entries: [Entry]
    /// Given as `after`, brings those that follow; nil: there are none.
    public var next: String?

    public init(
        to: Party, channel: ChannelID, at: Timestamp, waiting: Int64, entries: [Entry] = [], next: String? = nil
    ) {
        (self.to, self.channel, self.at) = (to, channel, at)
        (self.waiting, self.entries, self.next) = (waiting, entries, next)
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "list of held messages")
        to = try fields.party("to")
        channel = ChannelID(name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        at = try fields.canonicalTimestamp("at")
        waiting = try fields.integer("waiting", in: 0...JSONValue.integerMax)
        let listed = object["messages"] == nil ? [] : try fields.array("messages")
        guard listed.count <= Self.entriesMax else {
            throw .malformed("At most 32 held messages are listed at a time.", member: "messages")
        }
        var entries: [Entry] = []
        for value in listed {
            guard let entry = value.object else {
                throw .malformed("A held message is an object.", member: "messages")
            }
            entries.append(try Entry(entry))
        }
        self.entries = entries
        next = try fields.optionalString("next")
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "held_messages", "to": .string(to.text), "channel": .string(channel.name.text),
            "channel_node": .string(channel.node.text), "at": .string(at.description), "waiting": .integer(waiting),
        ]
        if !entries.isEmpty { object["messages"] = .array(entries.map { .object($0.object) }) }
        if let next { object["next"] = .string(next) }
        return object
    }

    /// The messages that a command decides about: 1 to 64 whole hashes, joined, each once.
    /// - Throws: `ProtocolError` 2000.
    public static func items(_ fields: ObjectReader) throws(ProtocolError) -> [MessageHash] {
        let bytes = try fields.base64("items")
        guard bytes.count.isMultiple(of: 32), (1...itemsMax).contains(bytes.count / 32) else {
            throw .malformed("items are 1 to 64 message hashes, joined.", member: "items")
        }
        let items = stride(from: 0, to: bytes.count, by: 32).compactMap { MessageHash(Array(bytes[$0..<$0 + 32])) }
        guard Set(items).count == items.count else {
            throw .malformed("A message is named once.", member: "items")
        }
        return items
    }
}
