import GodwitProtocol
import GodwitSpool

/// What a change of a channel means to a client that only shows channels (WS-08, CH-24). The object itself is what counts
/// and is pushed until it is acknowledged; these events are not.
enum ChannelUpdates {
    /// Users of one change that are named one by one.
    static let namedMax = 8

    static func events(in item: SpoolBody) -> [SocketEvent] {
        guard item.kind == .object, case .membership(let membership)? = try? ProtocolObject(parsing: item.body) else {
            return []
        }
        var events = users(membership, membership.joined.map(\.userID), "member_joined")
        events += users(membership, membership.left.compactMap(\.user), "member_left")
        var details: JSONObject = [:]
        // Who comes in with a role has not changed it.
        let joined = Set(membership.joined.map(\.userID))
        let roles = membership.roles.filter { !joined.contains($0.userID) }
        if !roles.isEmpty { details["roles"] = .array(roles.map { .object($0.object) }) }
        if let settings = membership.change.settings {
            details["topic"] = .string(settings.topic)
            details["description"] = .string(settings.description)
            details["visibility"] = .string(settings.visibility.rawValue)
        }
        if membership.change.isEnd { details["deleted"] = true }
        if !details.isEmpty { events.append(event(membership, "settings_changed", details)) }
        return events
    }

    /// Many at once are told as one, lest they fill the socket: the membership names them all.
    private static func users(_ membership: Membership, _ users: [UserID], _ action: String) -> [SocketEvent] {
        let users = Set(users).sorted()
        guard users.count <= namedMax else {
            return [event(membership, action, ["count": .integer(Int64(users.count))])]
        }
        return users.map { event(membership, action, ["user_id": .string($0.text)]) }
    }

    private static func event(_ membership: Membership, _ action: String, _ details: JSONObject) -> SocketEvent {
        SocketEvent(
            "channel_update",
            [
                "channel": .string(membership.channel.name.text), "channel_node": .string(membership.channel.node.text),
                "action": .string(action),
                "details": .object(details.setting("version", .integer(membership.version))),
            ])
    }
}
