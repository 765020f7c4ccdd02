/// Whether a channel is in its node's directory and open to all (004 §9.2).
public enum Visibility: String, CaseIterable, Sendable, Hashable {
    case `public`, `private`
}

/// What admins set of a channel. Nodes read it: it is not encrypted.
public struct ChannelSettings: Sendable, Hashable {
    /// Code points of a topic; of a description.
    public static let topicMax = 256
    public static let descriptionMax = 1_000
    public var topic: String
    public var description: String
    public var visibility: Visibility
    /// Whoever joins may get what was written before (D-14). Off unless an admin sets it.
    public var sharesHistory: Bool

    public init(
        topic: String = "", description: String = "", visibility: Visibility = .public, sharesHistory: Bool = false
    ) {
        self.sharesHistory = sharesHistory
        self.topic = topic
        self.description = description
        self.visibility = visibility
    }

    /// Reads settings; what is not there is as usual.
    /// - Throws: `ProtocolError` 2000.
    public init(_ object: JSONObject) throws(ProtocolError) {
        self.init()
        try apply(object)
    }

    /// Takes over the settings that an object names and leaves the others.
    /// - Throws: `ProtocolError` 2000.
    public mutating func apply(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "channel's settings")
        if let text = try fields.optionalString("topic") {
            topic = try Self.checked(text, "topic", max: Self.topicMax)
        }
        if let text = try fields.optionalString("description") {
            description = try Self.checked(text, "description", max: Self.descriptionMax)
        }
        if object["shares_history"] != nil { sharesHistory = try fields.bool("shares_history") }
        guard let text = try fields.optionalString("visibility") else { return }
        guard let visibility = Visibility(rawValue: text) else {
            throw .malformed("A channel is public or private.", member: "visibility")
        }
        self.visibility = visibility
    }

    private static func checked(_ text: String, _ member: String, max: Int) throws(ProtocolError) -> String {
        guard text.unicodeScalars.count <= max else {
            throw .malformed("The \(member) has more than \(max) characters.", member: member)
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control && $0 != "\n" }) else {
            throw .malformed("The \(member) has control characters.", member: member)
        }
        return text
    }

    /// Without what is as usual.
    public var object: JSONObject {
        var object: JSONObject = [:]
        if !topic.isEmpty { object["topic"] = .string(topic) }
        if !description.isEmpty { object["description"] = .string(description) }
        if visibility != .public { object["visibility"] = .string(visibility.rawValue) }
        if sharesHistory { object["shares_history"] = true }
        return object
    }
}

/// A user's role in a channel.
public struct RoleGrant: Sendable, Hashable {
    public var userID: UserID
    public var role: Role
    /// When it ends and the role before comes back, by the clock of whoever gave it; nil: it stays.
    public var until: Timestamp?

    public init(userID: UserID, role: Role, until: Timestamp? = nil) {
        self.userID = userID
        self.role = role
        self.until = until
    }

    init(_ value: JSONValue) throws(ProtocolError) {
        guard let object = value.object else { throw .malformed("A role is given by an object.", member: "roles") }
        let fields = ObjectReader(object, what: "role")
        userID = try fields.userID("user_id")
        role = try Role(text: try fields.string("role"))
        until = object["until"] == nil ? nil : try fields.canonicalTimestamp("until")
    }

    public var object: JSONObject {
        var object: JSONObject = ["user_id": .string(userID.text), "role": .string(role.rawValue)]
        if let until { object["until"] = .string(until.description) }
        return object
    }
}

extension Role {
    /// - Throws: `ProtocolError` 2000 for what is no role.
    public init(text: String?) throws(ProtocolError) {
        guard let text, let role = Role(rawValue: text) else {
            throw .malformed("A role is owner, admin, moderator, member or restricted.", member: "role")
        }
        self = role
    }
}
