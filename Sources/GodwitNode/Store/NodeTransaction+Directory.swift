import GRDB
import GodwitProtocol

/// Channels as users see them: the directory, members, bans; page by page.
extension NodeTransaction {
    /// Public channels of this node, and all that the user is in.
    func listChannels(for user: UserID, after: String, limit: Int) throws -> JSONObject {
        var channels: [JSONValue] = []
        var next: String?
        for row in try rows(
            """
            SELECT c.*, (SELECT count(DISTINCT user) FROM node_member m WHERE m.channel = c.channel) AS users
            FROM node_channel c WHERE c.version > 0 AND c.name || ':' || c.node > ?1
              AND (c.node = ?2 OR EXISTS (SELECT 1 FROM node_member m WHERE m.channel = c.channel AND m.user = ?3))
            ORDER BY c.name || ':' || c.node
            """, [after, context.id.text, user.text])
        {
            let channel = try KnownChannel(row)
            let isIn = try isMember(user, of: channel)
            guard try isIn || !isPrivate(channel) else { continue }
            guard channels.count < limit else {
                next = channels.last?.object?["key"]?.string
                break
            }
            channels.append(.object(try summary(of: channel, row, isIn ? role(of: user, in: channel) : nil)))
        }
        return Self.page("channels", channels, next: next)
    }

    private func summary(of channel: KnownChannel, _ row: Row, _ role: Role?) throws -> JSONObject {
        var object: JSONObject = [
            "id": .string(channel.id.name.text), "channel_node": .string(channel.id.node.text),
            "name": .string(channel.id.name.text), "topic": .string(channel.settings.topic),
            "description": .string(channel.settings.description),
            "visibility": .string(try isPrivate(channel) ? "private" : "public"),
            "member_count": .integer(row["users"]),
            "last_activity": .string(Timestamp(milliseconds: row["last_activity"]).description),
            "key": .string(channel.id.text),
        ]
        if let role { object["role"] = .string(role.rawValue) }
        return object
    }

    private static func page(_ name: String, _ entries: [JSONValue], next: String?) -> JSONObject {
        var object: JSONObject = [
            name: .array(entries.map { .object(($0.object ?? [:]).omitting(["key"])) })
        ]
        if let next { object["next"] = .string(next) }
        return object
    }

    /// Settings and members. Of a private channel only its members learn anything.
    /// - Throws: `ProtocolError` 2002.
    func describe(_ channel: KnownChannel, for user: UserID, after: String, limit: Int) throws -> JSONObject {
        let role = try role(of: user, in: channel)
        // Of a channel of another node, what is above it may be private without this node knowing.
        guard try role != nil || (channel.id.node == context.id && !isPrivate(channel)) else {
            throw ProtocolError.unknownChannel
        }
        let users = try rows(
            """
            SELECT m.user, count(*) AS devices, r.until FROM node_member m
            LEFT JOIN node_role r ON r.channel = m.channel AND r.user = m.user
            WHERE m.channel = ? AND m.user > ? GROUP BY m.user ORDER BY m.user LIMIT ?
            """, [channel.row, after, limit + 1])
        var members: [JSONValue] = []
        for row in users.prefix(limit) {
            let member = try UserID(row["user"] as String)
            var object: JSONObject = [
                "user_id": .string(member.text), "devices": .integer(row["devices"]),
                "role": .string((try self.role(of: member, in: channel) ?? .member).rawValue),
            ]
            if let until = row["until"] as Int64? {
                object["until"] = .string(Timestamp(milliseconds: until).description)
            }
            members.append(.object(object))
        }
        let count = try row(
            "SELECT c.last_activity, (SELECT count(DISTINCT user) FROM node_member m WHERE m.channel = c.channel) AS users "
                + "FROM node_channel c WHERE c.channel = ?", [channel.row])
        var object = Self.page(
            "members", members, next: users.count > limit ? members.last?.object?["user_id"]?.string : nil)
        guard let count else { return object }
        for (key, value) in try summary(of: channel, count, role).omitting(["key"]).members { object[key] = value }
        object["version"] = .integer(channel.version)
        if let role, channel.id.node == context.id, role.may(.banUsers) {
            object["held"] = .integer(try countHeld(in: channel, below: role))
        }
        return object
    }

    /// Who is kept out, for those who may ban. Only the channel's node knows.
    /// - Throws: `ProtocolError` 1002, 2002; 3000 for a channel of another node.
    func listBans(of channel: KnownChannel, for user: UserID, after: String, limit: Int) throws -> JSONObject {
        guard channel.id.node == context.id else {
            throw ProtocolError(
                .nodeUnreachable, "The bans of a channel are kept by its node.", hint: "Ask there.",
                details: ["node": .string(channel.id.node.text)])
        }
        try require(.banUsers, of: user, in: channel)
        let found = try rows(
            "SELECT * FROM node_ban WHERE channel = ? AND banned AND user > ? ORDER BY user LIMIT ?",
            [channel.row, after, limit + 1])
        let bans = found.prefix(limit).map { row -> JSONValue in
            var object: JSONObject = [
                "user_id": .string(row["user"]), "by": .string(row["moderator"]),
                "at": .string(Timestamp(milliseconds: row["at"]).description),
            ]
            if let until = row["until"] as Int64? {
                object["until"] = .string(Timestamp(milliseconds: until).description)
            }
            if let reason = row["reason"] as String? { object["reason"] = .string(reason) }
            return .object(object)
        }
        return Self.page("bans", bans, next: found.count > limit ? bans.last?.object?["user_id"]?.string : nil)
    }
}
