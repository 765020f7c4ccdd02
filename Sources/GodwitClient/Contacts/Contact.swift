public import GodwitProtocol

/// Another user as this device knows it.
public struct Contact: Sendable, Hashable {
    public var user: UserID
    /// The pinned identity key, Ed25519; nil: none was seen yet.
    public var publicKey: [UInt8]?
    /// When this user compared the safety number of that key; nil: never.
    public var verified: Timestamp?
    /// Another key that the user has shown, which is not used until it is accepted.
    public var offered: OfferedKey?
    /// Contacts that say that they have verified this key. Only such count as this user has verified.
    public var vouchers: [UserID] = []
    public var isBlocked = false
    /// Names that this user has given.
    public var aliases: [String] = []
    /// Devices that the user lists.
    public var devices = 0

    public struct OfferedKey: Sendable, Hashable {
        public var publicKey: [UInt8]
        public var since: Timestamp
    }

    public var isVerified: Bool { verified != nil }
}

/// A statement that its author has verified a key (WOT-01, docs/protocol.md §5.3): a content without a text.
public struct Vouch: Sendable, Hashable {
    public var user: UserID
    /// Raw Ed25519 identity key.
    public var publicKey: [UInt8]
    /// The author takes it back.
    public var isWithdrawn: Bool

    init(user: UserID, publicKey: [UInt8], isWithdrawn: Bool) {
        self.user = user
        self.publicKey = publicKey
        self.isWithdrawn = isWithdrawn
    }

    /// Nil for a content of another kind or form.
    init?(_ content: JSONObject) {
        guard content["text"] == nil, let vouch = content["vouches"]?.object,
            let text = vouch["user_id"]?.string, let user = try? UserID(text),
            let keyText = vouch["public_key"]?.string, let key = try? PublicKeyText.ed25519(keyText)
        else { return nil }
        self.init(user: user, publicKey: key, isWithdrawn: vouch["withdrawn"]?.bool ?? false)
    }

    var content: JSONObject {
        var vouch: JSONObject = [
            "user_id": .string(user.text), "public_key": .string(PublicKeyText.text(ed25519: publicKey)),
        ]
        if isWithdrawn { vouch["withdrawn"] = true }
        return ["vouches": .object(vouch)]
    }
}

extension InboxEntry {
    public var vouch: Vouch? { Vouch(content) }
}

extension OutboxEntry {
    public var vouch: Vouch? { Vouch(content) }
}
