/// A moderation decision that nodes may share (004 §10.2 and §10.3, gap G-60). Signed by the moderator, purpose
/// `policy`. Whether it is applied is each node's own decision.
public struct TrustUpdate: Sendable, Hashable {
    public static let evidenceMax = 64

    public enum Action: String, CaseIterable, Sendable, Hashable {
        case banUser = "ban_user"
        case tempBanUser = "temp_ban_user"
        case flagContent = "flag_content"
        case rateLimitUser = "rate_limit_user"
    }

    /// What the decision rests on (FED-07).
    public struct Evidence: Sendable, Hashable {
        public var type: String
        public var messages: [MessageID]
        public var timestamp: Timestamp

        init(_ fields: ObjectReader) throws(ProtocolError) {
            type = try fields.string("type")
            timestamp = try fields.timestamp("timestamp")
            let entries = try fields.array("messages")
            guard entries.count <= TrustUpdate.evidenceMax else {
                throw .malformed("Evidence names at most 64 messages.", member: "messages")
            }
            var messages: [MessageID] = []
            for entry in entries {
                guard let text = entry.string else {
                    throw .malformed("Evidence names messages by id.", member: "messages")
                }
                messages.append(try MessageID(text))
            }
            self.messages = messages
        }
    }

    public let object: JSONObject
    public let action: Action
    public let target: UserID
    public let evidence: Evidence
    public let issuer: UserID
    public let issuerNode: NodeID
    public let sequence: Int64
    public let issued: Timestamp
    /// When it ends; nil: never. A temporary ban has an end.
    public let expires: Timestamp?
    /// A channel, or nil for the whole node.
    public let scope: ChannelName?

    /// - Throws: `ProtocolError` 2000 naming the member.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "trust_update")
        try fields.expect(type: "trust_update")
        guard let action = Action(rawValue: try fields.string("action")) else {
            throw .malformed("The action is unknown.", member: "action")
        }
        self.action = action
        target = try fields.userID("target")
        evidence = try Evidence(fields.object("evidence"))
        issuer = try fields.userID("issuer")
        issuerNode = try fields.nodeID("issuer_node")
        sequence = try fields.integer("seq", in: 1...JSONValue.integerMax)
        issued = try fields.canonicalTimestamp("issued")
        expires = try object["expires"].map { $0.isNull } ?? true ? nil : fields.canonicalTimestamp("expires")
        scope = try object["scope"].map { $0.isNull } ?? true ? nil : fields.channelName("scope")
        guard action != .tempBanUser || expires != nil else {
            throw .malformed("A temporary ban has an end.", member: "expires")
        }
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }
}
