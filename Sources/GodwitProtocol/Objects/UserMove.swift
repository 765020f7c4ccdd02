/// A user has moved to another home node and is called otherwise there (gap G-34). Signed by the user's identity key,
/// purpose `user-moved`. docs/protocol.md §7.
///
/// The identity key moves along, so one signature speaks for both ids: the old one has pinned the key, and the new one
/// proves it with its device list. A record of another key is none.
public struct UserMove: Sendable, Hashable {
    /// Bytes of the canonical form: such a record follows a user's device list wherever that goes.
    public static let bytesMax = 1_024
    /// Moves that are followed one after the other.
    public static let hopsMax = 8

    public let object: JSONObject
    /// The user as he was.
    public let userID: UserID
    /// The user as he is called from now on.
    public let to: UserID
    /// The identity key of both, raw Ed25519.
    public let publicKey: [UInt8]
    /// Of two records of one user the later holds.
    public let at: Timestamp

    /// - Throws: `ProtocolError` 2000 naming the member, 2001 beyond `bytesMax`.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "move of a user")
        try fields.expect(type: "user_moved")
        userID = try fields.userID("user_id")
        to = try fields.userID("to")
        publicKey = try fields.ed25519Key("public_key")
        at = try fields.canonicalTimestamp("at")
        guard to.node != userID.node else {
            throw .malformed("A user moves to another home node.", member: "to")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        let size = object.canonicalBytes().count
        guard size <= Self.bytesMax else {
            throw .tooLarge("The move of a user is too large.", actual: size, firstRefused: Self.bytesMax + 1)
        }
        self.object = object
    }

    /// The object before it is signed.
    public static func unsigned(_ user: UserID, to new: UserID, publicKey: [UInt8], at: Timestamp) -> JSONObject {
        [
            "type": "user_moved", "user_id": .string(user.text), "to": .string(new.text),
            "public_key": .string(PublicKeyText.text(ed25519: publicKey)), "at": .string(at.description),
        ]
    }
}
