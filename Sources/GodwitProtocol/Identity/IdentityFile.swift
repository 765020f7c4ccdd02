/// A user's portable identity (004 §4). Unknown members are kept.
///
/// Reading checks shapes and limits; signatures are checked by `GodwitCrypto`.
public struct IdentityFile: Hashable, Sendable {
    public static let version = "1.0"
    /// Largest file read, in bytes.
    public static let bytesMax = 262_144
    /// Largest avatar, in bytes of its `data:` URI: 50 KB.
    public static let avatarMax = 51_200
    public static let bioMax = 500

    public let object: JSONObject
    public let userID: UserID
    /// Raw Ed25519 key, 32 bytes.
    public let publicKey: [UInt8]
    public let created: Timestamp
    public let displayName: String?
    public let endpoint: String
    public let accountType: AccountType
    public let encryptedData: String

    public init(parsing bytes: [UInt8]) throws(ProtocolError) {
        try self.init(JSONObject.parse(bytes, limits: JSONLimits(bytes: Self.bytesMax)))
    }

    /// - Throws: `ProtocolError` 9002 for another version, else 2000 naming the member.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let file = ObjectReader(object, what: "identity file")
        guard try file.string("version") == Self.version else {
            throw ProtocolError(
                .protocolVersionMismatch, "The identity file is of another version.",
                hint: "This version reads identity files of version 1.0.")
        }
        let identity = try file.object("identity")
        userID = try identity.userID("full_id")
        guard try identity.nodeID("home_node_id") == userID.node else {
            throw .malformed("home_node_id does not agree with full_id.", member: "home_node_id")
        }
        guard try identity.username("username") == userID.username else {
            throw .malformed("username does not agree with full_id.", member: "username")
        }
        publicKey = try identity.ed25519Key("public_key")
        created = try identity.timestamp("created")
        displayName = try identity.optionalString("display_name")
        try Self.validateProfile(identity)
        let home = try file.object("home_node")
        endpoint = try home.string("endpoint")
        guard endpoint.hasPrefix("wss://") || endpoint.hasPrefix("ws://"), endpoint.utf8.count <= 2048 else {
            throw .malformed(
                "home_node.endpoint is a WebSocket URL.", member: "endpoint", hint: "Example: wss://chat.example.com")
        }
        if let id = try home.optionalString("id"), id != userID.node.text {
            throw .malformed("home_node.id does not agree with full_id.", member: "id")
        }
        _ = try home.optionalString("name")
        if try home.optionalString("joined") != nil { _ = try home.timestamp("joined") }
        let type = try file.optionalString("account_type") ?? AccountType.standard.rawValue
        guard let accountType = AccountType(rawValue: type) else {
            throw .malformed("account_type is standard, minimal or temporary.", member: "account_type")
        }
        self.accountType = accountType
        encryptedData = try file.string("encrypted_data")
        guard Base64.decode(encryptedData) != nil else {
            throw .malformed("encrypted_data is padded base64.", member: "encrypted_data")
        }
        _ = try file.key("signature", prefix: "ed25519", count: 64)
        if object["file_signature"] != nil { _ = try file.key("file_signature", prefix: "ed25519", count: 64) }
        if let preferences = try file.optionalObject("preferences") { try Self.validatePreferences(preferences) }
        self.object = object
    }

    private static func validateProfile(_ identity: ObjectReader) throws(ProtocolError) {
        if let bio = try identity.optionalString("bio"), bio.unicodeScalars.count > bioMax {
            throw .malformed("A bio has at most 500 characters.", member: "bio")
        }
        if let avatar = try identity.optionalString("avatar") {
            guard avatar.hasPrefix("data:image/"), avatar.contains(";base64,") else {
                throw .malformed("An avatar is a data: URI of an image in base64.", member: "avatar")
            }
            guard avatar.utf8.count <= avatarMax else {
                throw .malformed("An avatar has at most 51,200 bytes.", member: "avatar")
            }
        }
        _ = try identity.optionalString("pronouns")
        if let metadata = try identity.optionalObject("metadata") {
            _ = try metadata.optionalString("timezone")
            if metadata.object["languages"] != nil {
                guard try metadata.array("languages").allSatisfy({ $0.string != nil }) else {
                    throw .malformed("languages is a list of strings.", member: "languages")
                }
            }
        }
    }

    private static func validatePreferences(_ preferences: ObjectReader) throws(ProtocolError) {
        if preferences.object["blocked_users"] != nil {
            for user in try preferences.array("blocked_users") {
                guard let text = user.string else {
                    throw .malformed("blocked_users is a list of user ids.", member: "blocked_users")
                }
                _ = try UserID(text)
            }
        }
        guard let aliases = try preferences.optionalObject("aliases") else { return }
        if let users = try aliases.optionalObject("users") {
            for name in users.object.keys { _ = try UserID(users.string(name)) }
        }
        if let channels = try aliases.optionalObject("channels") {
            for name in channels.object.keys { _ = try ChannelName(channels.string(name)) }
        }
    }

    /// The member `identity`, whose canonical form the signature covers.
    public var identity: JSONObject { object["identity"]?.object ?? [:] }
}

/// Kinds of accounts (004 §4.3).
public enum AccountType: String, CaseIterable, Sendable, Hashable {
    case standard, minimal, temporary
}

/// Reads the text form of public keys.
public enum PublicKeyText {
    /// 32 raw bytes from `ed25519:` and base64, or from an OpenSSH blob behind the same prefix (gap G-22).
    /// - Throws: `ProtocolError` 2000.
    public static func ed25519(_ text: String) throws(ProtocolError) -> [UInt8] {
        guard text.hasPrefix("ed25519:"), let bytes = Base64.decode(String(text.dropFirst(8))) else {
            throw .malformed("A public key is ed25519: and base64.", member: "public_key")
        }
        if bytes.count == 32 { return bytes }
        let openSSH: [UInt8] = [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32]
        guard bytes.count == openSSH.count + 32, bytes.starts(with: openSSH) else {
            throw .malformed("An Ed25519 public key has 32 bytes.", member: "public_key")
        }
        return Array(bytes.dropFirst(openSSH.count))
    }

    public static func text(ed25519 key: [UInt8]) -> String { "ed25519:" + Base64.encode(key) }
    public static func text(x25519 key: [UInt8]) -> String { "x25519:" + Base64.encode(key) }
}
