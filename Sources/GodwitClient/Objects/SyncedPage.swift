import GodwitProtocol

/// Asks another device of the same user for what it has of conversations: `sync_request` of docs/protocol.md §5.4.
struct SyncRequest: Hashable {
    static let limitMax = 5_000

    /// Only messages that were written then or later.
    var since: Timestamp?
    /// The newest so many.
    var limit: Int

    init(since: Timestamp?, limit: Int) {
        self.since = since
        self.limit = limit
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "request for history")
        since = object["since"] == nil ? nil : try fields.canonicalTimestamp("since")
        limit = Int(try fields.integer("limit", in: 1...Int64(Self.limitMax)))
    }

    var object: JSONObject {
        var object: JSONObject = ["limit": .integer(Int64(limit))]
        if let since { object["since"] = .string(since.description) }
        return object
    }
}

/// A part of what a device has: `sync` of docs/protocol.md §5.4, the newest message first.
struct SyncedPage: Hashable {
    static let entriesMax = 256
    /// Bytes of entries after which a page is full; one entry may be larger.
    static let bytesMax = 24_576

    var entries: [SyncedMessage]

    init(_ entries: [SyncedMessage]) { self.entries = entries }

    init(_ object: JSONObject) throws(ProtocolError) {
        let list = try ObjectReader(object, what: "page of history").array("entries")
        guard list.count <= Self.entriesMax else {
            throw .malformed("A page has at most 256 entries.", member: "entries")
        }
        entries = []
        for value in list {
            guard let object = value.object else { throw .malformed("An entry is an object.", member: "entries") }
            entries.append(try SyncedMessage(object))
        }
    }

    var object: JSONObject { ["entries": .array(entries.map { .object($0.object) })] }
}

/// A message as another device has it.
struct SyncedMessage: Hashable {
    /// What proves that the author's device wrote a message of this hash.
    struct Proof: Hashable {
        var bodyHash: [UInt8]
        var previous: MessageHash?
        var sequence: Int64
        var proof: MessageProof
    }

    var hash: MessageHash
    /// `#name:node`, or `@` and the other user.
    var conversation: MessageTarget
    var author: UserID
    var device: DeviceID
    var timestamp: Timestamp
    var type: MessageType
    var content: JSONObject
    var isRead: Bool
    var proof: Proof?

    init(
        hash: MessageHash, conversation: MessageTarget, author: UserID, device: DeviceID, timestamp: Timestamp,
        type: MessageType, content: JSONObject, isRead: Bool, proof: Proof?
    ) {
        self.hash = hash
        self.conversation = conversation
        self.author = author
        self.device = device
        self.timestamp = timestamp
        self.type = type
        self.content = content
        self.isRead = isRead
        self.proof = proof
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "entry of history")
        let hash = try fields.hash("hash")
        self.hash = hash
        author = try fields.userID("author")
        conversation = try MessageTarget(fields.string("conversation"), defaultNode: author.node)
        device = try fields.deviceID("device")
        timestamp = try fields.canonicalTimestamp("timestamp")
        guard let type = MessageType(rawValue: try fields.string("type")) else {
            throw .malformed("The message type is unknown.", member: "type")
        }
        self.type = type
        content = try fields.value("content")
        isRead = try fields.bool("read")
        proof = try fields.optionalObject("proof").map { fields throws(ProtocolError) in
            try Proof(fields, of: hash)
        }
    }

    var object: JSONObject {
        var object: JSONObject = [
            "hash": .string(hash.base64), "conversation": .string(conversation.description),
            "author": .string(author.text), "device": .string(device.text),
            "timestamp": .string(timestamp.description), "type": .string(type.rawValue),
            "content": .object(content), "read": .bool(isRead),
        ]
        if let proof { object["proof"] = .object(proof.object) }
        return object
    }
}

extension SyncedMessage.Proof {
    /// - Throws: `ProtocolError` 2000, also where the hash does not follow from what is given.
    init(_ fields: ObjectReader, of hash: MessageHash) throws(ProtocolError) {
        bodyHash = try fields.hash("body_hash").bytes
        previous = fields.object["prev"] == nil ? nil : try fields.hash("prev")
        sequence = try fields.integer("seq", in: 0...JSONValue.integerMax)
        let cover = fields.object["cover"] == nil ? [] : try fields.base64("cover")
        let signature = try fields.base64("signature")
        guard signature.count == 64, cover.count.isMultiple(of: 32), cover.count / 32 <= MessageProof.hashesMax,
            MessageHash(linking: bodyHash, after: previous) == hash
        else { throw .malformed("A proof does not belong to its message.", member: "proof") }
        proof = MessageProof(
            of: hash, hashes: stride(from: 0, to: cover.count, by: 32).map { Array(cover[$0..<$0 + 32]) },
            signature: signature)
    }

    var object: JSONObject {
        var object: JSONObject = [
            "body_hash": .string(Base64.encode(bodyHash)), "seq": .integer(sequence),
            "signature": .string(Base64.encode(proof.signature)),
        ]
        if let previous { object["prev"] = .string(previous.base64) }
        if !proof.hashes.isEmpty { object["cover"] = .string(Base64.encode(proof.hashes.flatMap { $0 })) }
        return object
    }
}
