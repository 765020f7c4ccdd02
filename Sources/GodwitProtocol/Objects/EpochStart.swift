/// The starting object of a channel epoch (decision D-14). Signed by the sponsor's device, purpose `epoch`, over the
/// canonical form without `signature`, `wraps` and `side`; SHA-256 of the same bytes is the epoch's name.
public struct EpochStart: Sendable, Hashable {
    /// Wraps that a sponsor puts into one object: so many fit a frame, whatever they hold.
    public static let wrapsPerPart = 256
    public let object: JSONObject
    public let channel: ChannelID
    public let predecessor: [UInt8]?
    /// Version of the membership that it belongs to.
    public let membership: Int64
    public let deviceSet: [UInt8]
    public let commitment: [UInt8]
    public let author: UserID
    public let device: DeviceID
    public let created: Timestamp
    /// Phrase models that every device of the epoch can read (D-9).
    public let models: Set<UInt8>
    /// X25519 key of this distribution; empty where nothing is wrapped.
    public let ephemeral: [UInt8]
    public let wraps: [Wrap]
    /// Further objects with the same signed part bring wraps for others.
    public let hasMore: Bool
    /// Its secret is fresh though nobody has come or gone: number of such epochs in a row, itself the last, from 1. Nil:
    /// it starts with a change of the membership.
    public let rotation: Int64?
    /// A node says that another epoch follows its predecessor: this one is to be read, not written in. Not signed.
    public let isSide: Bool

    /// Rotations in a row that are taken, one a day for a thousand years.
    public static let rotationMax: Int64 = 365_000

    /// The epoch's secret for one device.
    public struct Wrap: Sendable, Hashable {
        public var userID: UserID
        public var device: DeviceID
        /// Id of the signed pre-key that it is wrapped to.
        public var preKey: UInt32
        /// 48 bytes.
        public var wrapped: [UInt8]

        public init(userID: UserID, device: DeviceID, preKey: UInt32, wrapped: [UInt8]) {
            self.userID = userID
            self.device = device
            self.preKey = preKey
            self.wrapped = wrapped
        }

        init(_ value: JSONValue) throws(ProtocolError) {
            guard let object = value.object else { throw .malformed("A wrap is an object.", member: "wraps") }
            let fields = ObjectReader(object, what: "wrap")
            userID = try fields.userID("user_id")
            device = try fields.deviceID("device")
            preKey = UInt32(try fields.integer("pre_key", in: 1...Int64(UInt32.max)))
            wrapped = try fields.base64("wrapped")
            guard wrapped.count == 48 else { throw .malformed("A wrapped secret has 48 bytes.", member: "wrapped") }
        }

        var object: JSONObject {
            [
                "user_id": .string(userID.text), "device": .string(device.text), "pre_key": .integer(Int64(preKey)),
                "wrapped": .string(Base64.encode(wrapped)),
            ]
        }
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "epoch")
        try fields.expect(type: "epoch")
        channel = ChannelID(
            name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        predecessor = try fields.optionalHash("predecessor")?.bytes
        membership = try fields.integer("membership", in: 1...JSONValue.integerMax)
        deviceSet = try fields.hash("device_set").bytes
        commitment = try fields.hash("commitment").bytes
        author = try fields.userID("author")
        device = try fields.deviceID("device")
        created = try fields.canonicalTimestamp("created")
        models = try fields.models("models")
        rotation = try fields.optionalInteger("rotation", in: 1...Self.rotationMax)
        guard rotation == nil || predecessor != nil else {
            throw .malformed("A rotation follows an epoch.", member: "predecessor")
        }
        isSide = object["side"] == nil ? false : try fields.bool("side")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        var wraps: [Wrap] = []
        if let distribution = try fields.optionalObject("wraps") {
            ephemeral = try distribution.key("ephemeral", prefix: "x25519", count: 32)
            let entries = try distribution.array("for")
            guard entries.count <= MemberList.membersMax else {
                throw .malformed("An epoch wraps its secret for at most 2,048 devices.", member: "wraps")
            }
            for entry in entries { wraps.append(try Wrap(entry)) }
            hasMore = distribution.object["more"] == nil ? false : try distribution.bool("more")
        } else {
            ephemeral = []
            hasMore = false
        }
        self.wraps = wraps
        self.object = object
    }

    /// The part that is signed and hashed.
    public static func unsigned(
        channel: ChannelID, predecessor: [UInt8]?, membership: Int64, deviceSet: [UInt8], commitment: [UInt8],
        author: UserID, device: DeviceID, created: Timestamp, models: Set<UInt8> = [], rotation: Int64? = nil
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "epoch", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "predecessor": predecessor.map { .string(Base64.encode($0)) } ?? .null,
            "membership": .integer(membership), "device_set": .string(Base64.encode(deviceSet)),
            "commitment": .string(Base64.encode(commitment)), "author": .string(author.text),
            "device": .string(device.text), "created": .string(created.description),
        ]
        if !models.isEmpty { object["models"] = .array(models.sorted().map { .integer(Int64($0)) }) }
        if let rotation { object["rotation"] = .integer(rotation) }
        return object
    }

    /// The member `wraps`.
    /// - Parameter more: further objects of this epoch bring wraps for others.
    public static func distribution(ephemeral: [UInt8], wraps: [Wrap], more: Bool = false) -> JSONValue {
        var object: JSONObject = [
            "ephemeral": .string(PublicKeyText.text(x25519: ephemeral)),
            "for": .array(wraps.map { .object($0.object) }),
        ]
        if more { object["more"] = true }
        return .object(object)
    }

    /// Name of the epoch that the unsigned part starts.
    public static func name(of unsigned: JSONObject) -> [UInt8] { SHA256Digest.of(unsigned.canonicalBytes()) }

    /// 32 bytes.
    public var name: [UInt8] { Self.name(of: object.omitting(["signature", "wraps", "side"])) }

    public var sponsor: Party { .device(author, device) }

    /// The object with the wraps of some devices only (a node strips what is not for the receiving site).
    public func keepingWraps(where isKept: (Wrap) -> Bool) -> JSONObject {
        let kept = wraps.filter(isKept)
        guard kept.count < wraps.count else { return object }
        return object.setting(
            "wraps", kept.isEmpty ? .null : Self.distribution(ephemeral: ephemeral, wraps: kept, more: hasMore))
    }
}
