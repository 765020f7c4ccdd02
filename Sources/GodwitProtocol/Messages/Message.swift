/// A message in its sealed, signed form (decision D-1): the JSON object of 004 §6.1 with `content.ciphertext`.
///
/// The object is kept whole, so members that this version does not know are covered by hashes and passed on.
/// Limits: at most 65,535 bytes of canonical JSON without `recipients` and `cover` (MSG-17, D-13).
public struct Message: Hashable, Sendable {
    /// The largest message, in bytes of its canonical form without `recipients` and `cover`.
    public static let bytesMax = 65_535
    /// Milliseconds that a message lives unless it says otherwise: 30 days (D-16).
    public static let defaultLifetime: Int64 = 2_592_000_000
    /// The only algorithm of messages (004 §12.1).
    public static let algorithm = "chacha20-poly1305"

    public private(set) var object: JSONObject
    /// JCS of the whole object.
    public private(set) var canonicalBytes: [UInt8]
    public let type: MessageType
    public let timestamp: Timestamp
    public let author: UserID
    public let device: DeviceID
    public let address: Address
    /// Node of the channel; nil in direct messages.
    public let channelNode: NodeID?
    /// Name of the epoch, 32 bytes; nil in direct messages.
    public let epoch: [UInt8]?
    /// Position in the device's chain of this conversation, from 0.
    public let sequence: Int64
    public let previous: MessageHash?
    public let ciphertext: [UInt8]
    public let encryption: Encryption
    /// Milliseconds after `timestamp` at which it expires.
    public let lifetime: Int64
    /// What stands for the message in its chain when its content is gone (D-3): 32 bytes.
    public let bodyHash: [UInt8]
    public let hash: MessageHash
    public let proof: MessageProof
    /// The body's key for each device; empty where the session's or epoch's key is the body's own.
    public private(set) var wraps: [BodyWrap]

    /// The member `encryption` of 004 §6.1 as decision D-1 completes it.
    public struct Encryption: Hashable, Sendable {
        /// Names a session or a sender chain.
        public var keyID: String
        /// 4 random bytes and the 8-byte position in the sending chain (D-6).
        public var nonce: [UInt8]
        /// Ratchet header; empty for sender chains.
        public var header: [UInt8]

        public init(keyID: String, nonce: [UInt8], header: [UInt8]) {
            self.keyID = keyID
            self.nonce = nonce
            self.header = header
        }

        public var object: JSONObject {
            [
                "algorithm": .string(Message.algorithm), "key_id": .string(keyID),
                "nonce": .string(Base64.encode(nonce)), "header": .string(Base64.encode(header)),
            ]
        }
    }

    /// Reads and validates a message. The signature is not verified here.
    /// - Throws: `ProtocolError` 2000 naming the member, or 2001.
    public init(parsing bytes: [UInt8]) throws(ProtocolError) {
        let limits = JSONLimits(bytes: 131_072)
        try self.init(JSONObject.parse(bytes, limits: limits))
    }

    /// - Throws: `ProtocolError` 2000 naming the member, or 2001.
    public init(_ object: JSONObject) throws(ProtocolError) {
        canonicalBytes = object.canonicalBytes()
        var size = canonicalBytes.count
        if object["recipients"] != nil || object["cover"] != nil {
            size = object.canonicalBytes(omitting: ["recipients", "cover"]).count
        }
        guard size <= Self.bytesMax else {
            throw .tooLarge("The message is too large.", actual: size, firstRefused: Self.bytesMax + 1)
        }
        let fields = ObjectReader(object, what: "message")
        guard let type = MessageType(rawValue: try fields.string("type")) else {
            throw .malformed("The message type is unknown.", member: "type")
        }
        self.type = type
        timestamp = try fields.canonicalTimestamp("timestamp")
        author = try fields.userID("author")
        device = try fields.deviceID("device")
        address = try fields.address("channel")
        sequence = try fields.integer("seq", in: 0...JSONValue.integerMax)
        previous = try fields.optionalHash("prev")
        lifetime = try fields.optionalInteger("lifetime", in: 1000...31_536_000_000) ?? Self.defaultLifetime
        ciphertext = try fields.object("content").base64("ciphertext")
        encryption = try Self.encryption(fields.object("encryption"))
        (channelNode, epoch) = try Self.channelMembers(fields, address: address)
        wraps = try BodyWrap.read(fields, author: author, address: address)
        _ = try fields.object("metadata")
        guard sequence == 0 || previous != nil, sequence > 0 || previous == nil else {
            throw .malformed("The first message of a chain has no prev, every later one has.", member: "prev")
        }
        self.object = object
        bodyHash = SHA256Digest.of(Self.body(of: object))
        hash = MessageHash(linking: bodyHash, after: previous)
        guard try fields.string("id") == hash.id.text else {
            throw .malformed("The message id does not follow from the message.", member: "id")
        }
        proof = try MessageProof(fields, of: hash)
    }

    static func encryption(_ fields: ObjectReader) throws(ProtocolError) -> Encryption {
        guard try fields.string("algorithm") == algorithm else {
            throw .malformed("Messages are sealed with chacha20-poly1305.", member: "algorithm")
        }
        let keyID = try fields.string("key_id")
        guard (1...64).contains(keyID.utf8.count) else {
            throw .malformed("A key id has 1 to 64 bytes.", member: "key_id")
        }
        let nonce = try fields.base64("nonce")
        guard nonce.count == 12 else { throw .malformed("A nonce has 12 bytes.", member: "nonce") }
        let header = try fields.base64("header")
        guard header.count <= 2048 else { throw .malformed("A header has at most 2,048 bytes.", member: "header") }
        return Encryption(keyID: keyID, nonce: nonce, header: header)
    }

    private static func channelMembers(
        _ fields: ObjectReader, address: Address
    ) throws(ProtocolError) -> (NodeID?, [UInt8]?) {
        guard case .channel = address else {
            for key in ["epoch", "channel_node"] where fields.object[key] != nil {
                throw .malformed("A direct message has neither epoch nor channel_node.", member: key)
            }
            return (nil, nil)
        }
        let epoch = try fields.base64("epoch")
        guard epoch.count == 32 else { throw .malformed("An epoch's name has 32 bytes.", member: "epoch") }
        return (try fields.nodeID("channel_node"), epoch)
    }

    /// Members that no hash covers: they follow from the others, prove them, or change on the way (D-2, D-5, D-13).
    static let uncovered: Set<String> = ["id", "signature", "signed_by", "cover", "recipients", "prev"]

    /// The bytes under `body_hash` (D-2): JCS without `id`, `prev`, `recipients` and what proves the message.
    public static func body(of object: JSONObject) -> [UInt8] {
        object.canonicalBytes(omitting: uncovered)
    }

    /// The associated data of the content's AEAD: the body without `content` (D-2).
    public static func associatedData(of object: JSONObject) -> [UInt8] {
        object.canonicalBytes(omitting: uncovered.union(["content"]))
    }

    public var id: MessageID { hash.id }
    public var associatedData: [UInt8] { Self.associatedData(of: object) }

    /// What it belongs to.
    public var conversation: Conversation {
        switch address {
        case .channel(let name): .channel(ChannelID(name: name, node: channelNode ?? author.node))
        case .direct(let address): .between(author, address.user)
        }
    }

    /// Its class (D-20).
    public var priority: PriorityClass {
        switch (type, address) {
        // What own devices tell each other, such as earlier conversations.
        case (.system, .direct(let reader)) where reader.user == author: .bulk
        case (.voice, _): .voice
        case (.media, _): .document
        case (_, .direct): .directText
        case (_, .channel): .channelText
        }
    }

    /// The message with other entries of `recipients`; nothing else may change on the way (D-13).
    public func replacingRecipients(_ wraps: [BodyWrap]) -> Message {
        var copy = self
        copy.wraps = wraps
        copy.object =
            wraps.isEmpty ? object.omitting(["recipients"]) : object.setting("recipients", BodyWrap.list(wraps))
        copy.canonicalBytes = copy.object.canonicalBytes()
        return copy
    }
}
