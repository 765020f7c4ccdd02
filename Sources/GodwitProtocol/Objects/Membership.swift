/// A member's device with a pre-key to which an epoch's secret can be wrapped.
public struct Joiner: Sendable, Hashable {
    public var userID: UserID
    public var device: DeviceID
    public var preKey: SignedPreKey

    public init(preKey: SignedPreKey) {
        userID = preKey.userID
        device = preKey.device
        self.preKey = preKey
    }

    init(_ value: JSONValue) throws(ProtocolError) {
        guard let object = value.object else { throw .malformed("A joiner is a signed pre-key.", member: "joined") }
        self.init(preKey: try SignedPreKey(object))
    }

    public var party: Party { .device(userID, device) }
}

/// What a change does besides letting devices in.
public struct ChannelChange: Sendable, Hashable {
    /// Devices that are no members any more.
    public var left: [Party] = []
    /// Users whose role is another one now.
    public var roles: [RoleGrant] = []
    /// All settings of the channel after the change; nil: they stay.
    public var settings: ChannelSettings?
    /// The channel is no more; everybody has left.
    public var isEnd = false
    /// The epoch of this version has a secret that follows from none before (D-14).
    public var isFresh = false
    /// Name of the epoch from which that of this version follows, 32 bytes: whoever has that one needs nothing more. Nil:
    /// the epoch of this version has a fresh secret, or there is none.
    public var predecessor: [UInt8]?
    /// Phrase models that all joiners have announced; with a predecessor only (D-9).
    public var models: Set<UInt8> = []

    public init() {}
}

/// A change of a channel's members, roles or settings, numbered and signed by the channel's node (purpose `order`).
public struct Membership: Sendable, Hashable {
    public static let joinedMax = 256
    public static let leftMax = 256
    public static let rolesMax = 256
    public let object: JSONObject
    public let channel: ChannelID
    /// Counts the changes from 1.
    public let version: Int64
    public let at: Timestamp
    public let joined: [Joiner]
    public let change: ChannelChange
    /// SHA-256 of the member devices after the change (`MemberList.hash`).
    public let deviceSet: [UInt8]
    /// The device that starts the epoch of this version; nil: it has none, the one before goes on.
    public let sponsor: Party?

    public var left: [Party] { change.left }
    public var roles: [RoleGrant] { change.roles }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "membership")
        try fields.expect(type: "membership")
        channel = ChannelID(
            name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        version = try fields.integer("version", in: 1...JSONValue.integerMax)
        at = try fields.canonicalTimestamp("at")
        var joined: [Joiner] = []
        for entry in try Self.list(fields, "joined", max: Self.joinedMax) { joined.append(try Joiner(entry)) }
        self.joined = joined
        var change = ChannelChange()
        for entry in try Self.list(fields, "left", max: Self.leftMax) { change.left.append(try Self.device(entry)) }
        for entry in try Self.list(fields, "roles", max: Self.rolesMax) { change.roles.append(try RoleGrant(entry)) }
        change.settings = try fields.optionalObject("settings").map { inner throws(ProtocolError) in
            try ChannelSettings(inner.object)
        }
        change.isEnd = try Self.flag(fields, "ended")
        change.isFresh = try Self.flag(fields, "fresh")
        change.predecessor = object["predecessor"] == nil ? nil : try fields.hash("predecessor").bytes
        change.models = try fields.models("models")
        self.change = change
        deviceSet = try fields.hash("device_set").bytes
        let sponsor = object["sponsor"] == nil && joined.isEmpty ? nil : try fields.party("sponsor")
        guard sponsor == nil || change.isFresh || !joined.isEmpty else {
            throw .malformed("An epoch starts with joiners or with a fresh secret.", member: "joined")
        }
        guard change.predecessor == nil || !joined.isEmpty && change.left.isEmpty && !change.isFresh else {
            throw .malformed("Only the epoch of a join follows from another.", member: "predecessor")
        }
        guard change.models.isEmpty || change.predecessor != nil else {
            throw .malformed("Models are those of an epoch that follows from another.", member: "models")
        }
        guard change.predecessor == nil || !joined.contains(where: { $0.party == sponsor }) else {
            throw .malformed("A joiner does not have the epoch before.", member: "sponsor")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.sponsor = sponsor
        self.object = object
    }

    private static func list(
        _ fields: ObjectReader, _ key: String, max: Int
    ) throws(ProtocolError) -> [JSONValue] {
        guard fields.object[key] != nil else { return [] }
        let entries = try fields.array(key)
        guard (1...max).contains(entries.count) else {
            throw .malformed("A list of a change has 1 to \(max) entries, or is not there.", member: key)
        }
        return entries
    }

    private static func flag(_ fields: ObjectReader, _ key: String) throws(ProtocolError) -> Bool {
        guard fields.object[key] != nil else { return false }
        return try fields.bool(key)
    }

    static func device(_ value: JSONValue) throws(ProtocolError) -> Party {
        guard let text = value.string, case .device(let user, let device) = try Party(text) else {
            throw .malformed("A member is a device.", member: "left")
        }
        return .device(user, device)
    }

    /// - Parameter sponsor: nil for a change that starts no epoch.
    public static func unsigned(
        channel: ChannelID, version: Int64, at: Timestamp, joined: [Joiner], deviceSet: [UInt8], sponsor: Party?,
        change: ChannelChange = ChannelChange()
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "membership", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "version": .integer(version), "at": .string(at.description),
            "device_set": .string(Base64.encode(deviceSet)),
        ]
        if !joined.isEmpty { object["joined"] = .array(joined.map { .object($0.preKey.object) }) }
        if !change.left.isEmpty { object["left"] = .array(change.left.map { .string($0.text) }) }
        if !change.roles.isEmpty { object["roles"] = .array(change.roles.map { .object($0.object) }) }
        if let settings = change.settings { object["settings"] = .object(settings.object) }
        if change.isEnd { object["ended"] = true }
        if change.isFresh { object["fresh"] = true }
        if let predecessor = change.predecessor { object["predecessor"] = .string(Base64.encode(predecessor)) }
        if !change.models.isEmpty { object["models"] = .array(change.models.sorted().map { .integer(Int64($0)) }) }
        if let sponsor { object["sponsor"] = .string(sponsor.text) }
        return object
    }

    /// SHA-256 of the signed bytes, 32 bytes: goes into the secret of an epoch that follows from another, and is its name.
    public var joinHash: [UInt8] { SHA256Digest.of(object.canonicalBytes(omitting: ["signature"])) }
}

/// All member devices of a channel at one version. Proven by the `device_set` of the membership of that version.
///
/// Without devices it is a question to the channel's node, or tells a device that it is no member any more.
public struct MemberList: Sendable, Hashable {
    public static let membersMax = 2048
    public var channel: ChannelID
    public var version: Int64
    /// Sorted by text.
    public var devices: [Party]
    /// Roles of users that are not `member`.
    public var roles: [UserID: Role]
    public var settings: ChannelSettings

    public init(
        channel: ChannelID, version: Int64, devices: [Party], roles: [UserID: Role] = [:],
        settings: ChannelSettings = ChannelSettings()
    ) {
        self.channel = channel
        self.version = version
        self.devices = devices.sorted { $0.text < $1.text }
        self.roles = roles.filter { $0.value != .member }
        self.settings = settings
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "member list")
        let entries = try fields.array("members")
        guard entries.count <= Self.membersMax else {
            throw .malformed("A member list has at most 2,048 devices.", member: "members")
        }
        var devices: [Party] = []
        for entry in entries {
            guard let text = entry.string, case .device(let user, let device) = try Party(text) else {
                throw .malformed("A member is a device.", member: "members")
            }
            devices.append(.device(user, device))
        }
        var roles: [UserID: Role] = [:]
        for (user, role) in try fields.optionalObject("roles")?.object.members ?? [] {
            roles[try UserID(user)] = try Role(text: role.string)
        }
        self.init(
            channel: ChannelID(
                name: try fields.channelName("channel"), node: try fields.nodeID("channel_node")),
            version: try fields.integer("version", in: 1...JSONValue.integerMax), devices: devices, roles: roles,
            settings: try ChannelSettings(fields.optionalObject("settings")?.object ?? [:]))
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "members", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "version": .integer(version), "members": .array(devices.map { .string($0.text) }),
        ]
        if !roles.isEmpty {
            object["roles"] = .object(
                JSONObject(uniqueKeysWithValues: roles.map { ($0.key.text, .string($0.value.rawValue)) }))
        }
        if settings != ChannelSettings() { object["settings"] = .object(settings.object) }
        return object
    }

    /// SHA-256 of the JCS form of the sorted list of device names.
    public var hash: [UInt8] {
        SHA256Digest.of(JSONValue.array(devices.map { .string($0.text) }).canonicalBytes())
    }
}

/// Pre-keys of members, for a sponsor that has to wrap a fresh secret for them all (D-14). From the channel's node to the
/// sponsor's device only.
public struct MemberKeys: Sendable, Hashable {
    public static let keysMax = 256
    public var channel: ChannelID
    /// The change whose epoch it is for.
    public var version: Int64
    /// The sponsor.
    public var to: Party
    public var keys: [Joiner]
    /// Members whose pre-key the channel's node has not got: they get no wrap, and ask again.
    public var without: [Party]
    /// A question: `to` asks for the keys that have changed since it was told this number; 0 for all.
    public var after: Int64?
    /// Of the answer to a question: the number to ask with the next time.
    public var upTo: Int64?

    public init(
        channel: ChannelID, version: Int64, to: Party, keys: [Joiner], without: [Party] = [], after: Int64? = nil,
        upTo: Int64? = nil
    ) {
        self.after = after
        self.upTo = upTo
        self.channel = channel
        self.version = version
        self.to = to
        self.keys = keys
        self.without = without
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "list of keys")
        let entries = try fields.array("keys")
        let without = object["without"] == nil ? [] : try fields.array("without")
        guard entries.count <= Self.keysMax, without.count <= MemberList.membersMax else {
            throw .malformed("At most 256 keys come in one object.", member: "keys")
        }
        var keys: [Joiner] = []
        for entry in entries { keys.append(try Joiner(entry)) }
        var missing: [Party] = []
        for entry in without { missing.append(try Membership.device(entry)) }
        self.init(
            channel: ChannelID(name: try fields.channelName("channel"), node: try fields.nodeID("channel_node")),
            version: try fields.integer("version", in: 1...JSONValue.integerMax), to: try fields.party("to"),
            keys: keys, without: missing, after: try fields.optionalInteger("after", in: 0...JSONValue.integerMax),
            upTo: try fields.optionalInteger("upto", in: 0...JSONValue.integerMax))
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "member_keys", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "version": .integer(version), "to": .string(to.text),
            "keys": .array(keys.map { .object($0.preKey.object) }),
        ]
        if !without.isEmpty { object["without"] = .array(without.map { .string($0.text) }) }
        if let after { object["after"] = .integer(after) }
        if let upTo { object["upto"] = .integer(upTo) }
        return object
    }
}
