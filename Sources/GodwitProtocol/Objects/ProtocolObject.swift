/// An object other than a message that travels between parties; told apart by its member `type`.
///
/// Shapes, signatures and limits: `docs/protocol.md` §7.
public enum ProtocolObject: Sendable, Hashable {
    case introduction(Introduction)
    case command(SignedCommand)
    case membership(Membership)
    case memberList(MemberList)
    case memberKeys(MemberKeys)
    case invitation(Invitation)
    case epoch(EpochStart)
    case epochKey(EpochKey)
    case lookup(UserLookup)
    case lookupResult(UserLookupResult)
    case refusal(Refusal)
    case receipt(Receipt)
    case linkStatus(LinkNotice)
    case deletion(Deletion)
    case presence(PresenceNotice)
    case typing(TypingNotice)
    case readMarker(ReadMarker)
    case erasure(Erasure)
    case preKeyStock(PreKeyStock)
    case messageRequest(MessageRequest)
    case messageAnswer(MessageAnswer)
    case resealed(ResealedMessage)
    case moved(ChannelMove)
    case heldMessages(HeldMessages)
    case custodyQuestion(CustodyQuestion)
    case custody(CustodyReport)
    case conversationHeads(ConversationHeads)
    case userMoved(UserMove)
    case cover(CoverTraffic)

    /// Largest object, in bytes of canonical JSON.
    public static let bytesMax = 131_072

    public init(parsing bytes: [UInt8]) throws(ProtocolError) {
        try self.init(JSONObject.parse(bytes, limits: JSONLimits(bytes: Self.bytesMax)))
    }

    /// - Throws: `ProtocolError` 2000; an unknown `type` is refused with a hint.
    public init(_ object: JSONObject) throws(ProtocolError) {
        switch object["type"]?.string {
        case "introduction": self = .introduction(try Introduction(object))
        case "command": self = .command(try SignedCommand(object))
        case "membership": self = .membership(try Membership(object))
        case "members": self = .memberList(try MemberList(object))
        case "member_keys": self = .memberKeys(try MemberKeys(object))
        case "invitation": self = .invitation(try Invitation(object))
        case "epoch": self = .epoch(try EpochStart(object))
        case "epoch_key": self = .epochKey(try EpochKey(object))
        case "user_lookup": self = .lookup(try UserLookup(object))
        case "user_lookup_result": self = .lookupResult(try UserLookupResult(object))
        case "refusal": self = .refusal(try Refusal(object))
        case "receipt": self = .receipt(try Receipt(object))
        case "link_status": self = .linkStatus(try LinkNotice(object))
        case "deletion": self = .deletion(try Deletion(object))
        case "presence": self = .presence(try PresenceNotice(object))
        case "typing": self = .typing(try TypingNotice(object))
        case "read_marker": self = .readMarker(try ReadMarker(object))
        case "erasure": self = .erasure(try Erasure(object))
        case "pre_key_stock": self = .preKeyStock(try PreKeyStock(object))
        case "message_request": self = .messageRequest(try MessageRequest(object))
        case "message_answer": self = .messageAnswer(try MessageAnswer(object))
        case "resealed": self = .resealed(try ResealedMessage(object))
        case "moved": self = .moved(try ChannelMove(object))
        case "held_messages": self = .heldMessages(try HeldMessages(object))
        case "custody_question": self = .custodyQuestion(try CustodyQuestion(object))
        case "custody": self = .custody(try CustodyReport(object))
        case "heads": self = .conversationHeads(try ConversationHeads(object))
        case "user_moved": self = .userMoved(try UserMove(object))
        case "cover": self = .cover(try CoverTraffic(object))
        default:
            throw .malformed(
                "The type of the object is unknown.", member: "type", hint: "The sender may speak a newer version.")
        }
    }

    public var object: JSONObject {
        switch self {
        case .introduction(let value): value.object
        case .command(let value): value.object
        case .membership(let value): value.object
        case .memberList(let value): value.object
        case .memberKeys(let value): value.object
        case .invitation(let value): value.object
        case .epoch(let value): value.object
        case .epochKey(let value): value.object
        case .lookup(let value): value.object
        case .lookupResult(let value): value.object
        case .refusal(let value): value.object
        case .receipt(let value): value.object
        case .linkStatus(let value): value.object
        case .deletion(let value): value.object
        case .presence(let value): value.object
        case .typing(let value): value.object
        case .readMarker(let value): value.object
        case .erasure(let value): value.object
        case .preKeyStock(let value): value.object
        case .messageRequest(let value): value.object
        case .messageAnswer(let value): value.object
        case .resealed(let value): value.object
        case .moved(let value): value.object
        case .heldMessages(let value): value.object
        case .custodyQuestion(let value): value.object
        case .custody(let value): value.object
        case .conversationHeads(let value): value.object
        case .userMoved(let value): value.object
        case .cover(let value): value.object
        }
    }
}

/// Makes a user known to a party before anything of that user arrives there.
///
/// Proves itself: the device list is signed by `public_key`, which is pinned when first seen.
public struct Introduction: Sendable, Hashable {
    public var userID: UserID
    public var publicKey: [UInt8]
    public var deviceList: DeviceList

    public init(userID: UserID, publicKey: [UInt8], deviceList: DeviceList) {
        self.userID = userID
        self.publicKey = publicKey
        self.deviceList = deviceList
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "introduction")
        userID = try fields.userID("user_id")
        publicKey = try fields.ed25519Key("public_key")
        deviceList = try DeviceList(fields.value("device_list"))
        guard deviceList.userID == userID else {
            throw .malformed("The device list is another user's.", member: "device_list")
        }
    }

    public var object: JSONObject {
        [
            "type": "introduction", "user_id": .string(userID.text),
            "public_key": .string(PublicKeyText.text(ed25519: publicKey)), "device_list": .object(deviceList.object),
        ]
    }
}

/// A state-changing command, signed by a device (purpose `command`), with a counter that only grows (D-8).
public struct SignedCommand: Sendable, Hashable {
    public let object: JSONObject
    /// What is asked for: docs/protocol.md §7.
    public let name: String
    public let userID: UserID
    public let device: DeviceID
    public let counter: Int64
    public let data: JSONObject

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "command")
        try fields.expect(type: "command")
        name = try fields.string("command")
        userID = try fields.userID("user_id")
        device = try fields.deviceID("device")
        counter = try fields.integer("counter", in: 1...JSONValue.integerMax)
        data = try fields.value("data")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    /// The object before it is signed.
    public static func unsigned(
        _ name: String, _ data: JSONObject, user: UserID, device: DeviceID, counter: Int64
    ) -> JSONObject {
        [
            "type": "command", "command": .string(name), "user_id": .string(user.text),
            "device": .string(device.text), "counter": .integer(counter), "data": .object(data),
        ]
    }

    /// The channel that `data` names.
    public func channel() throws(ProtocolError) -> ChannelID {
        let fields = ObjectReader(data, what: "command")
        return ChannelID(
            name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
    }
}
