import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// Commands that change a channel: each is refused with 1002 where matrix or rank say no, and changes nothing then
/// (CH-23). They are carried out by the channel's node, to which every other node passes them on.
extension NodeTransaction {
    /// The commands of this file by name.
    static let channelCommands: Set<String> = [
        "leave_channel", "remove_member", "ban_user", "unban_user", "set_role", "transfer_channel", "set_channel",
        "delete_channel", "revoke_invite", "release_held", "discard_held",
    ]
    /// Bans of one channel.
    static let bansMax = 4_096
    /// Bytes of the reason of a ban.
    private static let reasonMax = 1_024

    /// - Throws: `ProtocolError` 1002, 2000, 2002, 2003.
    func carryOutChannelCommand(_ command: SignedCommand) throws {
        let id = try command.channel()
        guard id.node == context.id else {
            try requirePeer(id.node)
            return try route(command.object, to: .node(id.node), about: [command.userID])
        }
        // Joins that came before it in the same frame are done before it.
        try settleJoins(of: id)
        guard let channel = try channel(id) else { throw ProtocolError.unknownChannel }
        let actor = Actor(user: command.userID, party: .device(command.userID, command.device))
        let fields = ObjectReader(command.data, what: "command")
        switch command.name {
        case "leave_channel": try leave(channel, actor)
        case "remove_member": try remove(fields.userID("user_id"), from: channel, actor)
        case "ban_user": try ban(fields, in: channel, actor)
        case "unban_user": try unban(fields.userID("user_id"), in: channel, actor)
        case "set_role": try setRole(fields, in: channel, actor)
        case "transfer_channel": try transfer(channel, to: fields.userID("user_id"), actor)
        case "set_channel": try set(command.data, of: channel, actor)
        case "delete_channel": try delete(channel, actor)
        case "release_held": try releaseHeld(HeldMessages.items(fields), in: channel, by: actor.user)
        case "discard_held": try discardHeld(HeldMessages.items(fields), in: channel, by: actor.user)
        default: try revokeInvite(fields.string("id"), in: channel, by: actor.user)
        }
        if let target = fields.object["user_id"]?.string { try audit(.roleChanged, subject: target, command.name) }
    }

    private struct Actor {
        var user: UserID
        var party: Party
    }

    // MARK: Going

    private func leave(_ channel: KnownChannel, _ actor: Actor) throws {
        guard try isMember(actor.user, of: channel) else {
            throw try isPrivate(channel) ? ProtocolError.unknownChannel : ProtocolError.notMember(channel.id)
        }
        guard try !owns(actor.user, channel) else {
            throw ProtocolError(
                .insufficientPermissions, "The owner cannot leave the channel.",
                hint: "Make somebody else its owner first with `godwit channel transfer`, or delete it.",
                details: ["channel": .string(channel.id.name.text)])
        }
        try takeOut(actor.user, of: channel, actor, isBan: false)
    }

    private func owns(_ user: UserID, _ channel: KnownChannel) throws -> Bool {
        try row(
            "SELECT 1 FROM node_role WHERE channel = ? AND user = ? AND role = 'owner'", [channel.row, user.text])
            != nil
    }

    private func remove(_ target: UserID, from channel: KnownChannel, _ actor: Actor) throws {
        let role = try require(.banUsers, of: actor.user, in: channel)
        guard try isMember(target, of: channel) else { throw ProtocolError.notMember(channel.id) }
        try requireRank(role, over: target, in: channel)
        try takeOut(target, of: channel, actor, isBan: false)
    }

    /// Takes a user with all devices out of a channel and of those nested in it.
    ///
    /// - Parameter isBan: of the nested ones, only where the ban holds.
    private func takeOut(_ user: UserID, of channel: KnownChannel, _ actor: Actor, isBan: Bool) throws {
        for level in try [channel] + descendants(of: channel) {
            try settleJoins(of: level.id)
            if try isBan && ban(of: user, in: level) == nil { continue }
            let devices = try members(of: level).filter { $0.user == user }
            try run("DELETE FROM node_invited WHERE channel = ? AND user = ?", [level.row, user.text])
            // Who is muted stays so when coming back; a role of a private channel would let in again.
            let kept = try isPrivate(level) ? "" : " AND role <> 'restricted'"
            try run("DELETE FROM node_role WHERE channel = ? AND user = ?" + kept, [level.row, user.text])
            guard !devices.isEmpty else { continue }
            try change(level.id, by: PlannedChange(leaving: devices.map(\.party), actor: actor.party))
            guard let version = try self.channel(level.id)?.version else { continue }
            try noteDeparture(of: devices, from: level, at: version)
        }
    }

    private func delete(_ channel: KnownChannel, _ actor: Actor) throws {
        try require(.deleteChannel, of: actor.user, in: channel)
        for level in try [channel] + descendants(of: channel) {
            try settleJoins(of: level.id)
            try change(level.id, by: PlannedChange(isEnd: true, actor: actor.party))
        }
    }

    // MARK: Bans

    private func ban(_ fields: ObjectReader, in channel: KnownChannel, _ actor: Actor) throws {
        let target = try fields.userID("user_id")
        let until = fields.object["until"] == nil ? nil : try fields.canonicalTimestamp("until")
        let reason = try fields.optionalString("reason")
        guard reason?.utf8.count ?? 0 <= Self.reasonMax else {
            throw ProtocolError.malformed("A reason has at most 1,024 bytes.", member: "reason")
        }
        let role = try require(.banUsers, of: actor.user, in: channel)
        try requireRank(role, over: target, in: channel)
        let count = try row("SELECT count(*) AS n FROM node_ban WHERE channel = ?", [channel.row])?["n"] as Int64? ?? 0
        guard count < Int64(Self.bansMax) else { throw ProtocolError.full(channel.id, "bans", Self.bansMax) }
        try insertBan(of: target, in: channel, by: actor.user, until: until, reason: reason)
        try takeOut(target, of: channel, actor, isBan: true)
    }

    private func insertBan(
        of target: UserID, in channel: KnownChannel, by moderator: UserID, until: Timestamp?, reason: String?,
        banned: Bool = true
    ) throws {
        let ends = try until.map { try uptime(of: $0) }
        try run(
            """
            INSERT OR REPLACE INTO node_ban (channel, user, banned, moderator, at, until, ends, reason)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                channel.row, target.text, banned, moderator.text, now.milliseconds, until?.milliseconds, ends, reason,
            ])
    }

    private func unban(_ target: UserID, in channel: KnownChannel, _ actor: Actor) throws {
        try require(.banUsers, of: actor.user, in: channel)
        try run("DELETE FROM node_ban WHERE channel = ? AND user = ?", [channel.row, target.text])
        // A ban above is lifted for this channel and those in it only.
        guard try ban(of: target, in: channel) != nil else { return }
        try insertBan(of: target, in: channel, by: actor.user, until: nil, reason: nil, banned: false)
    }

    /// The ban that keeps a user out of a channel; the nearest row counts (gap G-55).
    func ban(of user: UserID, in channel: KnownChannel) throws -> Row? {
        for level in try lineage(of: channel) {
            if let row = try row("SELECT * FROM node_ban WHERE channel = ? AND user = ?", [level.row, user.text]) {
                return row["banned"] ? row : nil
            }
        }
        return nil
    }

    // MARK: Roles

    private func setRole(_ fields: ObjectReader, in channel: KnownChannel, _ actor: Actor) throws {
        let grant = RoleGrant(
            userID: try fields.userID("user_id"), role: try Role(text: fields.string("role")),
            until: fields.object["until"] == nil ? nil : try fields.canonicalTimestamp("until"))
        guard let present = try role(of: grant.userID, in: channel), try isMember(grant.userID, of: channel) else {
            try require(.banUsers, of: actor.user, in: channel)
            throw ProtocolError.notMember(channel.id)
        }
        // Muting is a moderator's work; any other role is a setting of the channel.
        let isMuting = max(present, grant.role) <= .member
        let role = try require(isMuting ? .banUsers : .changeSettings, of: actor.user, in: channel)
        try requireRank(role, over: grant.userID, in: channel)
        guard grant.role < role else {
            throw ProtocolError(
                .insufficientPermissions, "A role is given by somebody whose own is higher.",
                hint:
                    "The owner makes admins, admins make moderators; an owner is made with `godwit channel transfer`.",
                details: ["channel": .string(channel.id.name.text), "role": .string(role.rawValue)])
        }
        guard grant.until == nil || grant.role == .restricted else {
            throw ProtocolError.malformed("Only restricted can be for a time.", member: "until")
        }
        let ends = try grant.until.map { try uptime(of: $0) }
        try assign([(grant, ends)], in: channel, actor)
    }

    /// Gives roles and tells the channel, and those nested in it where an inherited role is another one now.
    private func assign(_ grants: [(RoleGrant, ends: Int64?)], in channel: KnownChannel, _ actor: Actor?) throws {
        try changingRoles(of: grants.map(\.0.userID), in: channel, by: actor?.party) {
            for (grant, ends) in grants { try give(grant, in: channel, ends: ends) }
        }
    }

    private func changingRoles(
        of users: [UserID], in channel: KnownChannel, by actor: Party?, _ body: () throws -> Void
    ) throws {
        let levels = try [channel] + descendants(of: channel)
        let before = try levels.map { level in try users.map { try role(of: $0, in: level) } }
        try body()
        for (level, old) in zip(levels, before) {
            var changed: [RoleGrant] = []
            for (user, old) in zip(users, old) {
                guard let new = try role(of: user, in: level), new != old, try isMember(user, of: level) else {
                    continue
                }
                let given = try row(
                    "SELECT until FROM node_role WHERE channel = ? AND user = ?", [channel.row, user.text])
                let until = (given?["until"] as Int64?).map { Timestamp(milliseconds: $0) }
                changed.append(RoleGrant(userID: user, role: new, until: until))
            }
            if !changed.isEmpty { try change(level.id, by: PlannedChange(roles: changed, actor: actor)) }
        }
    }

    private func transfer(_ channel: KnownChannel, to target: UserID, _ actor: Actor) throws {
        try require(.deleteChannel, of: actor.user, in: channel)
        guard try owns(actor.user, channel) else {
            throw ProtocolError(
                .insufficientPermissions, "A channel inside another belongs to the owner of that one.",
                hint: "Transfer the channel above it.", details: ["channel": .string(channel.id.name.text)])
        }
        guard target != actor.user, try isMember(target, of: channel) else {
            throw ProtocolError.notMember(channel.id)
        }
        try assign(
            [
                (RoleGrant(userID: actor.user, role: .admin), nil), (RoleGrant(userID: target, role: .owner), nil),
            ], in: channel, actor)
    }

    // MARK: Settings

    private func set(_ data: JSONObject, of channel: KnownChannel, _ actor: Actor) throws {
        try require(.changeSettings, of: actor.user, in: channel)
        var settings = channel.settings
        try settings.apply(data)
        guard !channel.id.name.isGroup || settings.visibility == .private else {
            throw ProtocolError.malformed("A group direct stays private.", member: "visibility")
        }
        guard settings != channel.settings else { return }
        try change(channel.id, by: PlannedChange(settings: settings, actor: actor.party))
    }

    // MARK: Owners who go

    /// Channels of an owner whose account ends go to the member of the highest role, the oldest of them; what nobody
    /// else is in ends.
    func handOver(of user: UserID) throws {
        for row in try rows(
            """
            SELECT c.* FROM node_role r JOIN node_channel c ON c.channel = r.channel
            WHERE r.user = ? AND r.role = 'owner' AND c.node = ? ORDER BY c.name
            """, [user.text, context.id.text])
        {
            let channel = try KnownChannel(row)
            try settleJoins(of: channel.id)
            let others = try members(of: channel).filter { $0.user != user }
            if let highest = others.map(\.role).max(), let heir = others.first(where: { $0.role == highest }) {
                try assign([(RoleGrant(userID: heir.user, role: .owner), nil)], in: channel, nil)
                continue
            }
            for level in try [channel] + descendants(of: channel) {
                try settleJoins(of: level.id)
                try change(level.id, by: PlannedChange(isEnd: true))
            }
        }
    }

    // MARK: By time

    /// Milliseconds after which the end of a mute is tried again.
    private static let sanctionPause: Int64 = 600_000

    /// Ends mutes and bans whose time is over, by this node's uptime (D-16).
    func endSanctions() throws {
        let uptime = try spool.uptime()
        try run("DELETE FROM node_ban WHERE ends <= ?", [uptime])
        for row in try rows(
            """
            SELECT c.*, r.user, r.before FROM node_role r JOIN node_channel c ON c.channel = r.channel
            WHERE r.ends <= ? ORDER BY r.channel, r.user
            """, [uptime])
        {
            let channel = try KnownChannel(row)
            let user = try UserID(row["user"] as String)
            let before = (row["before"] as String?).flatMap { Role(rawValue: $0) }
            do {
                try inSavepoint {
                    try changingRoles(of: [user], in: channel, by: nil) {
                        if let before {
                            try give(RoleGrant(userID: user, role: before), in: channel)
                        } else {
                            try run("DELETE FROM node_role WHERE channel = ? AND user = ?", [channel.row, user.text])
                        }
                    }
                }
            } catch let error as ProtocolError where !error.isOfStore {
                // A member's queue is full: later.
                try run(
                    "UPDATE node_role SET ends = ? WHERE channel = ? AND user = ?",
                    [uptime + Self.sanctionPause, channel.row, user.text])
            }
        }
    }
}

extension ProtocolError {
    static func notMember(_ channel: ChannelID) -> Self {
        Self(
            .userNotFound, "The user is no member of the channel.", hint: "`godwit channel info` shows the members.",
            details: ["channel": .string(channel.name.text)])
    }

    static func full(_ channel: ChannelID, _ limit: String, _ value: Int) -> Self {
        Self(
            .insufficientPermissions, "The channel has as many of these as a channel can have.",
            details: [
                "channel": .string(channel.name.text), "limit": .string(limit), "value": .integer(Int64(value)),
            ])
    }
}
