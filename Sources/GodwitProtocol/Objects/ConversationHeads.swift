/// What a home node tells a device of messages of one author in one conversation that expired before the device came for
/// them: the newest of each of the author's devices (docs/protocol.md §7, `heads`; decision D-3). Without it a device that
/// was dark for longer than messages live would not know that something is missing until the author writes again.
public struct ConversationHeads: Sendable, Hashable {
    /// Author's devices that one object names.
    public static let headsMax = 64

    public struct Head: Sendable, Hashable {
        public var device: DeviceID
        /// Position of the newest message that expired, in the chain of the author's device.
        public var sequence: Int64
        public var hash: MessageHash
        /// Messages of that chain that expired, at least 1.
        public var count: Int64

        public init(device: DeviceID, sequence: Int64, hash: MessageHash, count: Int64) {
            self.device = device
            self.sequence = sequence
            self.hash = hash
            self.count = count
        }
    }

    /// The device that is told.
    public var to: Party
    public var name: ConversationName
    public var author: UserID
    public var heads: [Head]
    /// When the oldest of the messages was written, as its author says.
    public var since: Timestamp
    public var at: Timestamp

    public init(to: Party, name: ConversationName, author: UserID, heads: [Head], since: Timestamp, at: Timestamp) {
        self.to = to
        self.name = name
        self.author = author
        self.heads = heads
        self.since = since
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "heads of a conversation")
        to = try fields.party("to")
        name = try ConversationName(fields)
        author = try fields.userID("author")
        since = try fields.canonicalTimestamp("since")
        at = try fields.canonicalTimestamp("at")
        let entries = try fields.array("heads")
        guard (1...Self.headsMax).contains(entries.count) else {
            throw .malformed("1 to 64 devices of the author are named.", member: "heads")
        }
        heads = []
        for entry in entries {
            guard let entry = entry.object else { throw .malformed("A head is an object.", member: "heads") }
            heads.append(try Head(ObjectReader(entry, what: "head")))
        }
        guard Set(heads.map(\.device)).count == heads.count else {
            throw .malformed("A device is named once.", member: "heads")
        }
    }

    /// Takes in what an earlier object has said of the same author and conversation and nobody has heard.
    public func adding(_ earlier: ConversationHeads) -> ConversationHeads {
        var merged = self
        merged.since = min(since, earlier.since)
        for head in earlier.heads {
            if let place = merged.heads.firstIndex(where: { $0.device == head.device }) {
                let newest = merged.heads[place].sequence >= head.sequence ? merged.heads[place] : head
                merged.heads[place] = Head(
                    device: head.device, sequence: newest.sequence, hash: newest.hash,
                    count: merged.heads[place].count + head.count)
            } else if merged.heads.count < Self.headsMax {
                merged.heads.append(head)
            }
        }
        return merged
    }

    public var object: JSONObject {
        name.add(to: [
            "type": "heads", "to": .string(to.text), "author": .string(author.text),
            "since": .string(since.description),
            "at": .string(at.description), "heads": .array(heads.map { .object($0.object) }),
        ])
    }
}

extension ConversationHeads.Head {
    init(_ fields: ObjectReader) throws(ProtocolError) {
        device = try fields.deviceID("device")
        sequence = try fields.integer("seq", in: 0...JSONValue.integerMax)
        hash = try fields.hash("hash")
        count = try fields.integer("count", in: 1...JSONValue.integerMax)
    }

    var object: JSONObject {
        [
            "device": .string(device.text), "seq": .integer(sequence), "hash": .string(hash.base64),
            "count": .integer(count),
        ]
    }
}
