/// Frames of the login conversation (004 §5.2, decision D-21), client to node.
public enum AuthRequest: Sendable, Hashable {
    case challengeRequest(user: UserID)
    case proof(challenge: [UInt8], signature: String, publicKey: [UInt8], device: DeviceID?)
    case register(identityFile: IdentityFile, challenge: [UInt8], signature: String, invite: String?, device: DeviceID?)
    case refresh(token: String)
    case token(String)

    /// Nil if `object` is no `auth_*` frame.
    /// - Throws: `ProtocolError` 2000.
    public init?(_ object: JSONObject) throws(ProtocolError) {
        guard let type = object["type"]?.string, type.hasPrefix("auth_") else { return nil }
        let fields = ObjectReader(object, what: "auth frame")
        switch type {
        case "auth_challenge_request":
            self = .challengeRequest(user: try fields.userID("user_id"))
        case "auth_proof":
            self = .proof(
                challenge: try fields.base64("challenge"), signature: try fields.string("signature"),
                publicKey: try fields.ed25519Key("public_key"), device: try Self.device(fields))
        case "auth_register":
            self = .register(
                identityFile: try IdentityFile(fields.value("identity_file")),
                challenge: try fields.base64("challenge"), signature: try fields.string("signature"),
                invite: try fields.optionalString("invite"), device: try Self.device(fields))
        case "auth_refresh": self = .refresh(token: try fields.string("session_token"))
        case "auth_token": self = .token(try fields.string("session_token"))
        default: throw .malformed("This auth frame is unknown.", member: "type")
        }
    }

    private static func device(_ fields: ObjectReader) throws(ProtocolError) -> DeviceID? {
        guard try fields.optionalString("device") != nil else { return nil }
        return try fields.deviceID("device")
    }
}

/// A challenge as the node issues it (004 §5.2 step 2), good once and for five minutes.
public struct AuthChallenge: Sendable, Hashable {
    /// Milliseconds.
    public static let lifetime: Int64 = 300_000
    public var challenge: [UInt8]
    public var timestamp: Timestamp
    public var expires: Timestamp

    public init(challenge: [UInt8], timestamp: Timestamp) {
        self.challenge = challenge
        self.timestamp = timestamp
        expires = timestamp.adding(milliseconds: Self.lifetime)
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "challenge")
        guard try fields.string("type") == "auth_challenge" else {
            throw .malformed("An auth_challenge was expected.", member: "type")
        }
        challenge = try fields.base64("challenge")
        timestamp = try fields.canonicalTimestamp("timestamp")
        expires = try fields.canonicalTimestamp("expires")
    }

    public var object: JSONObject {
        [
            "type": "auth_challenge", "challenge": .string(Base64.encode(challenge)),
            "timestamp": .string(timestamp.description), "expires": .string(expires.description),
        ]
    }

    /// What a login signs, purpose `auth`.
    public func proofObject(user: UserID, node: NodeID) -> JSONObject {
        [
            "challenge": .string(Base64.encode(challenge)), "expires": .string(expires.description),
            "node_id": .string(node.text), "timestamp": .string(timestamp.description), "user_id": .string(user.text),
        ]
    }

    /// What a registration signs, purpose `register`.
    public func registrationObject(identity: JSONObject, invite: String?, node: NodeID) -> JSONObject {
        [
            "challenge": .string(Base64.encode(challenge)), "expires": .string(expires.description),
            "identity": .object(identity), "invite": invite.map { .string($0) } ?? .null,
            "node_id": .string(node.text), "timestamp": .string(timestamp.description),
        ]
    }
}

/// The end of a successful login (004 §5.2 step 4).
public struct AuthSuccess: Sendable, Hashable {
    public var token: String
    public var expires: Timestamp
    public var nodeInfo: JSONObject

    public init(token: String, expires: Timestamp, nodeInfo: JSONObject) {
        self.token = token
        self.expires = expires
        self.nodeInfo = nodeInfo
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "auth answer")
        token = try fields.string("session_token")
        expires = try fields.timestamp("expires")
        nodeInfo = try fields.value("node_info")
    }

    public var object: JSONObject {
        [
            "type": "auth_success", "session_token": .string(token), "expires": .string(expires.description),
            "node_info": .object(nodeInfo),
        ]
    }
}
