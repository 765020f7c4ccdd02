/// What an identity file asks of the home node: kind of the account, privacy, blocks (004 §4.1 to §4.3, gap G-36).
public struct AccountPolicy: Sendable, Hashable {
    /// Whose direct messages are taken.
    public enum DirectMessages: String, Sendable, Hashable, CaseIterable {
        case everyone
        /// Of those who share a channel with the user, or whom the user has written to.
        case contacts
        case nobody
    }

    /// Users that one file may block.
    public static let blockedMax = 1_000
    /// Milliseconds that a temporary account lives unless it says otherwise: a day.
    public static let temporaryLifetime: Int64 = 86_400_000
    /// The longest that a temporary account lives: 30 days.
    public static let temporaryMax: Int64 = 2_592_000_000

    public var type: AccountType
    public var showsStatus = true
    public var directMessages = DirectMessages.everyone
    /// Nil: what the node keeps.
    public var retention: Retention?
    public var blocked: Set<UserID> = []
    /// Of a temporary account only.
    public var expires: Timestamp?

    /// - Throws: `ProtocolError` 2000 naming the member.
    public init(_ file: IdentityFile) throws(ProtocolError) {
        type = file.accountType
        let fields = ObjectReader(file.object, what: "identity file")
        let preferences = try fields.optionalObject("preferences")
        if let privacy = try preferences?.optionalObject("privacy") {
            if let shows = privacy.object["show_online_status"], !shows.isNull {
                showsStatus = try privacy.bool("show_online_status")
            }
            directMessages = try Self.directMessages(privacy)
            retention = try privacy.optionalString("message_retention").map { text throws(ProtocolError) in
                try Retention(text)
            }
        }
        if preferences?.object["blocked_users"] != nil, let entries = try preferences?.array("blocked_users") {
            guard entries.count <= Self.blockedMax else {
                throw .malformed("At most 1,000 users are blocked.", member: "blocked_users")
            }
            for entry in entries { blocked.insert(try UserID(entry.string ?? "")) }
        }
        switch type {
        case .standard: break
        case .minimal: retention = min(retention ?? .minimal, .minimal)
        case .temporary:
            retention = Retention.none
            if try fields.optionalString("expires") != nil { expires = try fields.timestamp("expires") }
        }
    }

    private static func directMessages(_ privacy: ObjectReader) throws(ProtocolError) -> DirectMessages {
        switch privacy.object["allow_direct_messages"] {
        case nil, .null, .bool(true): return .everyone
        case .bool(false): return .nobody
        case let value?:
            guard let choice = value.string.flatMap(DirectMessages.init) else {
                throw .malformed(
                    "allow_direct_messages is true, false, everyone, contacts or nobody.",
                    member: "allow_direct_messages")
            }
            return choice
        }
    }

    /// Milliseconds that a temporary account has left at registration.
    public func lifetime(at now: Timestamp) -> Int64? {
        guard type == .temporary else { return nil }
        guard let expires else { return Self.temporaryLifetime }
        return min(max(60_000, expires.milliseconds - now.milliseconds), Self.temporaryMax)
    }
}
