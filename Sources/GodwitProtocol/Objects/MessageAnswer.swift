/// Why a message that was asked for does not come (docs/protocol.md §7).
public enum HoleReason: String, Sendable, Hashable, CaseIterable {
    // What a node says of its journal.
    case deleted, expired, erased
    /// Its author's or reader's account keeps no history.
    case unkept = "not_kept"
    // What a node says besides.
    /// The author's device is not on its user's list any more.
    case deviceGone = "device_gone"
    /// The author's node cannot be reached from here.
    case unreachable
    // What nodes and the author's device say.
    /// It is not for this reader.
    case notAllowed = "not_allowed"
    // What the author's device says.
    /// The author's device no longer has it, or never had.
    case gone
    /// It was sealed again for this device as often as is done.
    case tooOften = "too_often"
    /// A node refused it; it went nowhere.
    case refused
}

/// What comes of a request for messages: the messages as their author sealed them, from a journal on the way, or why they
/// do not come. What an author's device says is signed by it, purpose `reseal`; what nodes say is not signed.
public struct MessageAnswer: Sendable, Hashable {
    /// Bytes of messages that a node puts into one answer, unless a single one is larger.
    public static let bytesMax = 49_152
    /// Messages in one answer.
    public static let messagesMax = 256

    public let object: JSONObject
    /// A node, or the author's device.
    public let from: Party
    /// The device that asked.
    public let to: DeviceAddress
    /// The author's device.
    public let author: DeviceAddress
    /// Oldest first.
    public let messages: [Message]
    /// By hashes cut to 10 bytes.
    public let holes: [[UInt8]: HoleReason]
    /// Of messages of a channel: its node, over which the answer goes where there is no shorter way.
    public let via: NodeID?

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "answer with messages")
        try fields.expect(type: "message_answer")
        from = try fields.party("from")
        to = try DeviceAddress(fields, "to")
        author = try DeviceAddress(fields, "author")
        via = object["via"] == nil ? nil : try fields.nodeID("via")
        let entries = object["messages"] == nil ? [] : try fields.array("messages")
        guard entries.count <= Self.messagesMax else {
            throw .malformed("An answer has at most 256 messages.", member: "messages")
        }
        var messages: [Message] = []
        for entry in entries {
            guard let message = entry.object else {
                throw .malformed("A message is an object.", member: "messages")
            }
            messages.append(try Message(message))
        }
        self.messages = messages
        var holes: [[UInt8]: HoleReason] = [:]
        for (name, value) in try fields.optionalObject("holes")?.object.members ?? [] {
            guard let reason = HoleReason(rawValue: name), let text = value.string, let bytes = Base64.decode(text),
                bytes.count.isMultiple(of: 10), (1...MessageRequest.itemsMax).contains(bytes.count / 10)
            else { throw .malformed("holes gives hashes cut to 10 bytes for each reason.", member: "holes") }
            for start in stride(from: 0, to: bytes.count, by: 10) { holes[Array(bytes[start..<start + 10])] = reason }
        }
        self.holes = holes
        if case .device = from {
            guard from == author.party, messages.isEmpty else {
                throw .malformed("An author's device says why its messages do not come.", member: "from")
            }
            _ = try fields.key("signature", prefix: "ed25519", count: 64)
        }
        self.object = object
    }

    /// Without signature, which nodes leave out.
    public static func unsigned(
        from: Party, to: DeviceAddress, author: DeviceAddress, messages: [JSONObject] = [],
        holes: [[UInt8]: HoleReason] = [:], via: NodeID? = nil, at: Timestamp
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "message_answer", "from": .string(from.text), "to": .string(to.text),
            "author": .string(author.text), "at": .string(at.description),
        ]
        if let via { object["via"] = .string(via.text) }
        if !messages.isEmpty { object["messages"] = .array(messages.map { .object($0) }) }
        if !holes.isEmpty {
            var byReason: JSONObject = [:]
            for reason in HoleReason.allCases {
                let items = holes.filter { $0.value == reason }.keys.sorted { $0.lexicographicallyPrecedes($1) }
                guard !items.isEmpty else { continue }
                byReason[reason.rawValue] = .string(Base64.encode(items.flatMap { $0 }))
            }
            object["holes"] = .object(byReason)
        }
        return object
    }
}

/// A message that its author's device has sealed once more, for one device that could not open it. Signed by the author's
/// device, purpose `reseal`; not part of any chain.
public struct ResealedMessage: Sendable, Hashable {
    public let object: JSONObject
    /// The author's device.
    public let from: DeviceAddress
    public let to: DeviceAddress
    /// Hash of the message as it was first.
    public let item: MessageHash
    /// Of a message of a channel: its node, over which it goes where there is no shorter way.
    public let via: NodeID?
    public let encryption: Message.Encryption
    public let ciphertext: [UInt8]

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "message sealed again")
        try fields.expect(type: "resealed")
        from = try DeviceAddress(fields, "from")
        to = try DeviceAddress(fields, "to")
        item = try fields.hash("item")
        via = object["via"] == nil ? nil : try fields.nodeID("via")
        _ = try fields.canonicalTimestamp("at")
        encryption = try Message.encryption(fields.object("encryption"))
        ciphertext = try fields.object("content").base64("ciphertext")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    /// All but content and signature.
    public static func unsealed(
        _ item: MessageHash, from: DeviceAddress, to: DeviceAddress, via: NodeID?, encryption: Message.Encryption,
        at: Timestamp
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "resealed", "from": .string(from.text), "to": .string(to.text), "item": .string(item.base64),
            "encryption": .object(encryption.object), "at": .string(at.description),
        ]
        if let via { object["via"] = .string(via.text) }
        return object
    }

    /// The associated data of its content.
    public static func associatedData(of object: JSONObject) -> [UInt8] {
        object.canonicalBytes(omitting: ["content", "signature"])
    }
}
