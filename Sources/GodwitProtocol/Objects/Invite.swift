/// An invite to a channel, made and signed by a member's device without any node (purpose `invite`; gap G-54). Whoever
/// holds it may join as long as the channel's node finds it good.
public struct Invite: Sendable, Hashable {
    /// Bytes of the canonical form; characters of a link.
    public static let bytesMax = 1_024
    public static let linkMax = 2_048
    public static let usesMax: Int64 = 10_000
    /// Milliseconds that an invite can last: a year.
    public static let lifetimeMax: Int64 = 31_536_000_000
    /// 16 random bytes.
    public static let idCount = 16

    public let object: JSONObject
    public let channel: ChannelID
    /// `b32` of 16 random bytes: by it an invite is counted and revoked.
    public let id: String
    public let expires: Timestamp
    /// How many users may join with it; nil: any number.
    public let uses: Int64?
    public let inviter: UserID
    public let device: DeviceID

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "invite")
        try fields.expect(type: "invite")
        channel = ChannelID(
            name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        id = try Self.checkedID(fields.string("id"))
        expires = try fields.canonicalTimestamp("expires")
        uses = try fields.optionalInteger("uses", in: 1...Self.usesMax)
        inviter = try fields.userID("inviter")
        device = try fields.deviceID("device")
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        guard object.canonicalBytes().count <= Self.bytesMax else {
            throw .malformed("An invite has at most 1,024 bytes.", member: "invite")
        }
        self.object = object
    }

    /// - Throws: `ProtocolError` 2000.
    public static func checkedID(_ text: String) throws(ProtocolError) -> String {
        guard let bytes = Base32.decode(text), bytes.count == idCount else {
            throw .malformed("An invite's id is base32 of 16 bytes.", member: "id")
        }
        return text
    }

    /// The object before it is signed.
    public static func unsigned(
        channel: ChannelID, id: [UInt8], expires: Timestamp, uses: Int64?, inviter: UserID, device: DeviceID
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "invite", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "id": .string(Base32.encode(id)), "expires": .string(expires.description),
            "inviter": .string(inviter.text), "device": .string(device.text),
        ]
        if let uses { object["uses"] = .integer(uses) }
        return object
    }

    // MARK: Links

    /// All of it stands behind the `#`: no server that a link leads to ever sees it.
    public var link: String {
        "godwit://invite#"
            + String(
                decoding: Base64.encode(object.canonicalBytes()).utf8.compactMap { byte in
                    switch byte {
                    case UInt8(ascii: "+"): UInt8(ascii: "-")
                    case UInt8(ascii: "/"): UInt8(ascii: "_")
                    case UInt8(ascii: "="): nil
                    default: byte
                    }
                }, as: UTF8.self)
    }

    /// Reads a link: `godwit://invite#…` or `https://…#…`, with the invite in base64url behind the `#`.
    /// - Throws: `ProtocolError` 2000.
    public init(link: String) throws(ProtocolError) {
        guard link.utf8.count <= Self.linkMax, link.hasPrefix("godwit://invite#") || link.hasPrefix("https://"),
            let mark = link.utf8.firstIndex(of: UInt8(ascii: "#")),
            var text = String(link.utf8[link.utf8.index(after: mark)...])
        else {
            throw .malformed("This is no link of an invite.", hint: "It begins with godwit://invite# or https://.")
        }
        guard !text.contains(where: { "+/=".contains($0) }) else {
            throw .malformed("The invite in the link is not base64url.")
        }
        text = String(
            decoding: text.utf8.map { byte in
                byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
            }, as: UTF8.self)
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let bytes = Base64.decode(text), bytes.count <= Self.bytesMax else {
            throw .malformed("The invite in the link cannot be read.", hint: "Copy the whole link.")
        }
        try self.init(JSONObject.parse(bytes))
    }
}

/// Tells a user's devices that the user may join a channel: it was named when the channel was made. From the channel's
/// node.
public struct Invitation: Sendable, Hashable {
    public var channel: ChannelID
    /// Who is invited.
    public var to: UserID
    public var inviter: UserID
    public var at: Timestamp

    public init(channel: ChannelID, to: UserID, inviter: UserID, at: Timestamp) {
        self.channel = channel
        self.to = to
        self.inviter = inviter
        self.at = at
    }

    init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "invitation")
        channel = ChannelID(
            name: try fields.channelName("channel"), node: try fields.nodeID("channel_node"))
        to = try fields.userID("to")
        inviter = try fields.userID("inviter")
        at = try fields.canonicalTimestamp("at")
    }

    public var object: JSONObject {
        [
            "type": "invitation", "channel": .string(channel.name.text), "channel_node": .string(channel.node.text),
            "to": .string(to.text), "inviter": .string(inviter.text), "at": .string(at.description),
        ]
    }
}
