import GRDB
import GodwitProtocol
import GodwitSpool

/// Who may do what in the channels of this node: the matrix of 004 §9.3, the rank rule (gap G-52), and what channels
/// inherit from those above them (gap G-55).
extension NodeTransaction {
    /// A channel and those above it that exist, nearest first. Nothing is inherited from channels of other nodes: their
    /// nodes say what the effective roles are.
    func lineage(of channel: KnownChannel) throws -> [KnownChannel] {
        guard channel.id.node == context.id else { return [channel] }
        return try [channel]
            + channel.id.name.ancestors.compactMap { try self.channel(ChannelID(name: $0, node: context.id)) }
    }

    /// Channels nested in one, at all levels.
    func descendants(of channel: KnownChannel) throws -> [KnownChannel] {
        // "/" is followed by "0", so this is the range of all names that begin with the name and a slash.
        let name = channel.id.name.text
        return try rows(
            "SELECT * FROM node_channel WHERE node = ? AND name >= ? AND name < ? ORDER BY name",
            [channel.id.node.text, name + "/", name + "0"]
        ).map(KnownChannel.init)
    }

    /// Roles that were given by name, in the channel or above it. The nearest counts.
    func givenRoles(in channel: KnownChannel) throws -> [UserID: Role] {
        var roles: [UserID: Role] = [:]
        for level in try lineage(of: channel).reversed() {
            for row in try rows("SELECT user, role FROM node_role WHERE channel = ?", [level.row]) {
                roles[try UserID(row["user"] as String)] = Role(rawValue: row["role"]) ?? .restricted
            }
        }
        return roles
    }

    /// The role of a member of the channel, or of one above it; nil for a stranger.
    func role(of user: UserID, in channel: KnownChannel) throws -> Role? {
        let levels = try lineage(of: channel)
        for level in levels {
            if let row = try row("SELECT role FROM node_role WHERE channel = ? AND user = ?", [level.row, user.text]) {
                return Role(rawValue: row["role"]) ?? .restricted
            }
        }
        return try levels.contains { try isMember(user, of: $0) } ? .member : nil
    }

    func isMember(_ user: UserID, of channel: KnownChannel) throws -> Bool {
        try row("SELECT 1 FROM node_member WHERE channel = ? AND user = ? LIMIT 1", [channel.row, user.text]) != nil
    }

    /// Private by its own setting or by that of a channel above it.
    func isPrivate(_ channel: KnownChannel) throws -> Bool {
        try lineage(of: channel).contains { $0.settings.visibility == .private }
    }

    /// - Returns: the actor's role.
    /// - Throws: `ProtocolError` 1002 when the matrix says no; 2002 for a stranger to a private channel, as for one that
    ///   does not exist.
    @discardableResult
    func require(_ action: ChannelAction, of user: UserID, in channel: KnownChannel) throws -> Role {
        guard let role = try role(of: user, in: channel) else {
            throw try isPrivate(channel) ? ProtocolError.unknownChannel : .denied(action, role: nil, in: channel.id)
        }
        guard role.may(action) else { throw ProtocolError.denied(action, role: role, in: channel.id) }
        return role
    }

    /// The rank rule: whoever acts on somebody else must outrank that one.
    /// - Throws: `ProtocolError` 1002.
    func requireRank(_ actor: Role, over target: UserID, in channel: KnownChannel) throws {
        let other = try role(of: target, in: channel) ?? .member
        guard actor > other else {
            throw ProtocolError(
                .insufficientPermissions, "The other one's role is not below yours.",
                hint: "Ask somebody whose role is higher.",
                details: ["channel": .string(channel.id.name.text), "role": .string(actor.rawValue)])
        }
    }

    /// Gives a user a role by name; `member` with nothing above is no row.
    ///
    /// - Parameter ends: uptime at which the role before comes back.
    func give(_ grant: RoleGrant, in channel: KnownChannel, ends: Int64? = nil) throws {
        try run(
            """
            INSERT INTO node_role (channel, user, role, until, ends, before) VALUES (?1, ?2, ?3, ?4, ?5, NULL)
            ON CONFLICT (channel, user) DO UPDATE SET role = excluded.role, until = excluded.until,
              ends = excluded.ends,
              before = CASE WHEN excluded.ends IS NULL THEN NULL WHEN ends IS NULL THEN role ELSE before END
            """, [channel.row, grant.userID.text, grant.role.rawValue, grant.until?.milliseconds, ends])
    }

    /// Milliseconds of this node's uptime at which a time on the clock will have come, as the clock stands now (D-16).
    /// - Throws: `ProtocolError` 2000 for a time that has passed, or is more than ten years ahead.
    func uptime(of until: Timestamp) throws -> Int64 {
        let left = until.milliseconds - now.milliseconds
        guard left > 0, left <= Self.sanctionMax else {
            throw ProtocolError.malformed(
                left > 0 ? "The time is more than ten years ahead." : "The time has passed.", member: "until",
                hint: "It may have passed while the command was on its way.")
        }
        return try spool.uptime() + left
    }

    /// The longest that a temporary ban or mute lasts, in milliseconds.
    private static let sanctionMax: Int64 = 315_360_000_000
}

extension ProtocolError {
    /// The same words whether a channel does not exist or must not be known to whoever asks.
    /// For what is said in a channel.
    static func unknown(_ id: ChannelID) -> Self {
        Self(
            .channelNotFound, "The channel is not known on this node.", hint: "Join it first.",
            details: ["channel": .string(id.name.text), "channel_node": .string(id.node.text)])
    }

    static var unknownChannel: Self {
        Self(
            .channelNotFound, "There is no such channel on this node.",
            hint: "`godwit channel list` shows those you know.")
    }

    static func denied(_ action: ChannelAction, role: Role?, in channel: ChannelID) -> Self {
        var details: JSONObject = ["channel": .string(channel.name.text), "action": .string(action.rawValue)]
        if let role { details["role"] = .string(role.rawValue) }
        return Self(
            .insufficientPermissions,
            role == nil ? "You are no member of the channel." : "Your role in the channel does not allow this.",
            hint: role == nil ? "Join it first." : "Ask somebody whose role does, or ask for a higher role.",
            details: details)
    }
}
