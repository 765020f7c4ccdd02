/// Asks a user's home node for keys (004 §10.2, gap G-59).
public struct UserLookup: Sendable, Hashable {
    public var userID: UserID
    public var requestingNode: NodeID
    /// The device that asks; the answer goes there.
    public var requester: Party
    /// When it was asked. Tells one question from the next: equal objects are duplicates on the way.
    public var at: Timestamp
    /// The asker has sessions and wants the newest signed pre-keys only: no one-time pre-key is given out for it.
    public var isRefresh: Bool
    /// The node asks what the user shows to the requester's user, and for no keys.
    public var isProfile: Bool

    public init(
        userID: UserID, requestingNode: NodeID, requester: Party, at: Timestamp, isRefresh: Bool = false,
        isProfile: Bool = false
    ) {
        self.userID = userID
        self.requestingNode = requestingNode
        self.requester = requester
        self.at = at
        self.isRefresh = isRefresh
        self.isProfile = isProfile
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "user lookup")
        userID = try fields.userID("user_id")
        requestingNode = try fields.nodeID("requesting_node")
        requester = try fields.party("requester")
        at = try fields.canonicalTimestamp("at")
        isRefresh = try object["refresh"] == nil ? false : fields.bool("refresh")
        isProfile = try object["profile"] == nil ? false : fields.bool("profile")
        guard case .device(let user, _) = requester, user.node == requestingNode else {
            throw .malformed("The requester is a device of the requesting node.", member: "requester")
        }
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "user_lookup", "user_id": .string(userID.text), "requesting_node": .string(requestingNode.text),
            "requester": .string(requester.text), "at": .string(at.description),
        ]
        if isRefresh { object["refresh"] = true }
        if isProfile { object["profile"] = true }
        return object
    }
}

/// The answer to a lookup: the same for unknown and hidden users.
public struct UserLookupResult: Sendable, Hashable {
    public var userID: UserID
    public var requester: Party
    public var asOf: Timestamp
    /// Answers a lookup of that kind.
    public var isRefresh: Bool
    /// Nil: not found.
    public var found: Found?
    /// Answers a lookup of that kind: then there are no keys, and a `profile` if the user was found.
    public var isProfile = false
    /// What the user shows, at most `profileMax` bytes.
    public var profile: JSONObject?

    /// Bytes of a profile in the canonical form.
    public static let profileMax = 4_096
    /// Members of a profile besides `user_id`.
    public static let profileMembers = ["public_key", "display_name", "pronouns", "bio", "avatar", "metadata"]

    /// What is needed to write to the user's devices.
    public struct Found: Sendable, Hashable {
        public var publicKey: [UInt8]
        public var deviceList: DeviceList
        /// Of each listed device that has published keys; 1 to 16.
        public var bundles: [DeviceBundle]

        public init(publicKey: [UInt8], deviceList: DeviceList, bundles: [DeviceBundle]) {
            self.publicKey = publicKey
            self.deviceList = deviceList
            self.bundles = bundles
        }
    }

    public init(userID: UserID, requester: Party, asOf: Timestamp, isRefresh: Bool = false, found: Found?) {
        self.userID = userID
        self.requester = requester
        self.asOf = asOf
        self.isRefresh = isRefresh
        self.found = found
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "lookup result")
        userID = try fields.userID("user_id")
        requester = try fields.party("requester")
        asOf = try fields.canonicalTimestamp("as_of")
        isRefresh = try object["refresh"] == nil ? false : fields.bool("refresh")
        isProfile = object["profile"] != nil
        guard try fields.bool("found") else {
            found = nil
            return
        }
        guard !isProfile else {
            (found, profile) = (nil, try Self.profile(fields, of: userID))
            return
        }
        let deviceList = try DeviceList(fields.value("device_list"))
        guard deviceList.userID == userID else {
            throw .malformed("The device list is another user's.", member: "device_list")
        }
        found = Found(
            publicKey: try fields.ed25519Key("public_key"), deviceList: deviceList,
            bundles: try object["bundles"] == nil ? [Self.onlyBundle(fields)] : DeviceBundle.list(fields))
    }

    private static func profile(_ fields: ObjectReader, of user: UserID) throws(ProtocolError) -> JSONObject {
        let profile = try fields.object("profile")
        guard try profile.userID("user_id") == user, profile.object.canonicalBytes().count <= profileMax else {
            throw .malformed("A profile is its user's, and has at most 4,096 bytes.", member: "profile")
        }
        _ = try profile.ed25519Key("public_key")
        var known: JSONObject = ["user_id": .string(user.text)]
        for name in profileMembers {
            if let value = profile.object[name] { known[name] = value }
        }
        if let moved = try profile.optionalObject("moved") {
            guard try UserMove(moved.object).userID == user else {
                throw .malformed("A profile tells of its user's move only.", member: "moved")
            }
            known["moved"] = .object(moved.object)
        }
        return known
    }

    /// The earlier form, which brings the pre-keys of one device.
    private static func onlyBundle(_ fields: ObjectReader) throws(ProtocolError) -> DeviceBundle {
        let preKey = try SignedPreKey(fields.value("signed_pre_key"))
        return DeviceBundle(
            device: preKey.device, signedPreKey: preKey,
            oneTimePreKey: try fields.optionalObject("one_time_pre_key").map { reader throws(ProtocolError) in
                try OneTimePreKey(reader.object)
            })
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "user_lookup_result", "user_id": .string(userID.text), "requester": .string(requester.text),
            "as_of": .string(asOf.description), "found": .bool(found != nil),
        ]
        if isRefresh { object["refresh"] = true }
        if isProfile {
            object["found"] = .bool(profile != nil)
            object["profile"] = profile.map { .object($0) } ?? .null
        }
        guard let found else { return object }
        object["public_key"] = .string(PublicKeyText.text(ed25519: found.publicKey))
        object["device_list"] = .object(found.deviceList.object)
        object["bundles"] = .array(found.bundles.map { .object($0.object) })
        return object
    }
}
