/// Asks a user's home node for keys (004 §10.2, gap G-59).
public struct UserLookup: Sendable, Hashable {
    public var userID: UserID
    public var requestingNode: NodeID
    /// The device that asks; the answer goes there.
    public var requester: Party
    /// When it was asked. Tells one question from the next: equal objects are duplicates on the way.
    public var at: Timestamp

    public init(userID: UserID, requestingNode: NodeID, requester: Party, at: Timestamp) {
        self.userID = userID
        self.requestingNode = requestingNode
        self.requester = requester
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "user lookup")
        userID = try fields.userID("user_id")
        requestingNode = try fields.nodeID("requesting_node")
        requester = try fields.party("requester")
        at = try fields.canonicalTimestamp("at")
        guard case .device(let user, _) = requester, user.node == requestingNode else {
            throw .malformed("The requester is a device of the requesting node.", member: "requester")
        }
    }

    public var object: JSONObject {
        [
            "type": "user_lookup", "user_id": .string(userID.text), "requesting_node": .string(requestingNode.text),
            "requester": .string(requester.text), "at": .string(at.description),
        ]
    }
}

/// The answer to a lookup: the same for unknown and hidden users.
public struct UserLookupResult: Sendable, Hashable {
    public var userID: UserID
    public var requester: Party
    public var asOf: Timestamp
    /// Nil: not found.
    public var found: Found?

    /// What is needed to write to one device of the user.
    public struct Found: Sendable, Hashable {
        public var publicKey: [UInt8]
        public var deviceList: DeviceList
        public var signedPreKey: SignedPreKey
        public var oneTimePreKey: OneTimePreKey?

        public init(
            publicKey: [UInt8], deviceList: DeviceList, signedPreKey: SignedPreKey, oneTimePreKey: OneTimePreKey?
        ) {
            self.publicKey = publicKey
            self.deviceList = deviceList
            self.signedPreKey = signedPreKey
            self.oneTimePreKey = oneTimePreKey
        }
    }

    public init(userID: UserID, requester: Party, asOf: Timestamp, found: Found?) {
        self.userID = userID
        self.requester = requester
        self.asOf = asOf
        self.found = found
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "lookup result")
        userID = try fields.userID("user_id")
        requester = try fields.party("requester")
        asOf = try fields.canonicalTimestamp("as_of")
        guard try fields.bool("found") else {
            found = nil
            return
        }
        let deviceList = try DeviceList(fields.value("device_list"))
        guard deviceList.userID == userID else {
            throw .malformed("The device list is another user's.", member: "device_list")
        }
        found = Found(
            publicKey: try fields.ed25519Key("public_key"), deviceList: deviceList,
            signedPreKey: try SignedPreKey(fields.value("signed_pre_key")),
            oneTimePreKey: try fields.optionalObject("one_time_pre_key").map { reader throws(ProtocolError) in
                try OneTimePreKey(reader.object)
            })
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "type": "user_lookup_result", "user_id": .string(userID.text), "requester": .string(requester.text),
            "as_of": .string(asOf.description), "found": .bool(found != nil),
        ]
        guard let found else { return object }
        object["public_key"] = .string(PublicKeyText.text(ed25519: found.publicKey))
        object["device_list"] = .object(found.deviceList.object)
        object["signed_pre_key"] = .object(found.signedPreKey.object)
        object["one_time_pre_key"] = found.oneTimePreKey.map { .object($0.object) } ?? .null
        return object
    }
}
