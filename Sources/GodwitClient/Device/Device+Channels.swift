import FoundationEssentials
import GRDB
import GodwitContact
import GodwitCrypto
public import GodwitProtocol

/// Channels: making and entering them, who is in them, and what members may do. All of it works offline: commands go with
/// the next contact, and the channel's node decides. What it refuses is among the warnings afterwards.
extension Device {
    /// Asks the home node to create a channel there, or one inside another on that one's node. It can be written to at
    /// once; messages leave when its first epoch is there.
    ///
    /// - Throws: `ProtocolError` 1002 if this device knows the channel already; 3003 when the spool is full.
    public func createChannel(_ id: ChannelID, settings: ChannelSettings) async throws {
        try await store.write { try $0.enter(id, creating: true, request: settings.object) }
    }

    /// Makes a private channel for some users, who are told (CH-10). Its name is drawn here, so that it can be written to
    /// before any node was reached.
    ///
    /// - Throws: `ProtocolError` 2000 for no users or more than 64.
    public func createGroup(with users: [UserID], topic: String = "") async throws -> ChannelID {
        guard (1...64).contains(users.count) else {
            throw ProtocolError.malformed("A group direct names 1 to 64 users.", member: "members")
        }
        let id = ChannelID(name: .group(random: SystemRandom().bytes(16)), node: homeNode.id)
        let settings = ChannelSettings(topic: topic, visibility: .private)
        let request = settings.object.setting("members", .array(users.map { .string($0.text) }))
        try await store.write { try $0.enter(id, creating: true, request: request) }
        return id
    }

    /// Asks to join a channel with an invite.
    public func joinChannel(with invite: Invite) async throws {
        let request: JSONObject = ["invite": .object(invite.object)]
        try await store.write { try $0.enter(invite.channel, creating: false, request: request) }
    }

    public func leaveChannel(_ id: ChannelID) async throws { try await store.write { try $0.leave(id) } }

    /// Takes a user out; nothing keeps the user from joining again.
    public func removeMember(_ user: UserID, from id: ChannelID) async throws {
        try await ask("remove_member", of: id, ["user_id": .string(user.text)])
    }

    /// - Parameters:
    ///   - lifetime: milliseconds; nil: until somebody lifts the ban.
    ///   - reason: for moderators; nobody else is told.
    public func ban(
        _ user: UserID, from id: ChannelID, lifetime: Int64? = nil, reason: String? = nil
    ) async throws {
        var data: JSONObject = ["user_id": .string(user.text)]
        if let lifetime { data["until"] = .string(until(lifetime)) }
        if let reason { data["reason"] = .string(reason) }
        try await ask("ban_user", of: id, data)
    }

    public func unban(_ user: UserID, in id: ChannelID) async throws {
        try await ask("unban_user", of: id, ["user_id": .string(user.text)])
    }

    /// - Parameter lifetime: milliseconds, for `restricted` only: the user is muted for so long.
    public func setRole(
        of user: UserID, in id: ChannelID, to role: Role, lifetime: Int64? = nil
    ) async throws {
        var data: JSONObject = ["user_id": .string(user.text), "role": .string(role.rawValue)]
        if let lifetime { data["until"] = .string(until(lifetime)) }
        try await ask("set_role", of: id, data)
    }

    public func transferChannel(_ id: ChannelID, to user: UserID) async throws {
        try await ask("transfer_channel", of: id, ["user_id": .string(user.text)])
    }

    /// - Parameter changes: the members of `ChannelSettings.object` that are to be others.
    /// - Throws: `ProtocolError` 2000 for what no channel can have.
    public func setChannel(_ id: ChannelID, _ changes: JSONObject) async throws {
        var settings = ChannelSettings()
        try settings.apply(changes)
        try await ask("set_channel", of: id, changes)
    }

    public func deleteChannel(_ id: ChannelID) async throws { try await ask("delete_channel", of: id) }

    /// Makes an invite without asking any node.
    /// - Parameters:
    ///   - lifetime: milliseconds, at most a year.
    ///   - uses: how many users may come in with it; nil: any number.
    /// - Throws: `ProtocolError` 1002, 2000, 2002.
    public func makeInvite(to id: ChannelID, lifetime: Int64, uses: Int64? = nil) async throws -> Invite {
        try await store.read { try $0.makeInvite(to: id, lifetime: lifetime, uses: uses) }
    }

    public func revokeInvite(_ invite: String, of id: ChannelID) async throws {
        try await ask("revoke_invite", of: id, ["id": .string(try Invite.checkedID(invite))])
    }

    /// Asks the channel's node which messages of banned authors it holds for moderators. The answer comes with a later
    /// contact, as the event `messages_held` of the channel.
    public func askForHeldMessages(of id: ChannelID) async throws { try await ask("list_held", of: id) }

    /// Lets held messages through.
    /// - Parameter items: 1 to 64.
    public func releaseHeld(_ items: [MessageHash], in id: ChannelID) async throws {
        try await ask("release_held", of: id, ["items": .string(Base64.encode(items.flatMap(\.bytes)))])
    }

    /// Refuses held messages to their authors.
    /// - Parameter items: 1 to 64.
    public func discardHeld(_ items: [MessageHash], in id: ChannelID) async throws {
        try await ask("discard_held", of: id, ["items": .string(Base64.encode(items.flatMap(\.bytes)))])
    }

    private func ask(_ name: String, of id: ChannelID, _ data: JSONObject = [:]) async throws {
        try await store.write { _ = try $0.ask(name, of: id, data) }
    }

    private func until(_ lifetime: Int64) -> String { store.time.now().adding(milliseconds: lifetime).description }

    // MARK: What is known

    /// A channel as this device knows it.
    /// - Throws: `ProtocolError` 2002.
    public func channelDetails(_ id: ChannelID) async throws -> ChannelDetails {
        try await store.read { transaction in
            guard let channel = try transaction.channel(id),
                let row = try transaction.row("SELECT * FROM client_channel WHERE channel = ?", [channel.row])
            else {
                throw ProtocolError(
                    .channelNotFound, "This device does not know the channel.",
                    hint: "`godwit channel list` shows the channels.")
            }
            let members = try transaction.rows(
                """
                SELECT m.user, count(*) AS devices, r.role, r.until FROM client_member m
                LEFT JOIN client_role r ON r.channel = m.channel AND r.user = m.user
                WHERE m.channel = ? AND m.until IS NULL GROUP BY m.user ORDER BY m.user
                """, [channel.row]
            ).map { row in
                ChannelDetails.Member(
                    user: try UserID(row["user"] as String),
                    role: (row["role"] as String?).flatMap { Role(rawValue: $0) } ?? .member, devices: row["devices"],
                    until: (row["until"] as Int64?).map { Timestamp(milliseconds: $0) })
            }
            return ChannelDetails(
                id: id, state: channel.state,
                settings: ChannelSettings(
                    topic: row["topic"], description: row["description"],
                    visibility: Visibility(rawValue: row["visibility"]) ?? .private,
                    sharesHistory: row["shares_history"]),
                members: members, version: channel.applied,
                waitsForEpoch: try channel.state == .member && transaction.writingEpoch(of: channel) == nil,
                inviter: try (row["inviter"] as String?).map { text in try UserID(text) })
        }
    }

    /// What happened in channels, newest first.
    public func channelEvents(of id: ChannelID? = nil, limit: Int = 100) async throws -> [ChannelEvent] {
        try await store.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM client_channel_event WHERE ?1 IS NULL OR channel = ?1 ORDER BY event DESC LIMIT ?2
                """, [id?.text, max(0, limit)]
            ).map { row in
                ChannelEvent(
                    row: row["event"],
                    channel: try ChannelID(row["channel"] as String, defaultNode: transaction.context.home.id),
                    at: Timestamp(milliseconds: row["at"]), action: row["action"],
                    details: try JSONObject.parse(row.blob("details")))
            }
        }
    }
}

/// A channel as a device knows it.
public struct ChannelDetails: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public var user: UserID
        public var role: Role
        public var devices: Int
        /// When a role for a time ends, by the clock.
        public var until: Timestamp?
    }
    public var id: ChannelID
    public var state: ChannelSummary.State
    public var settings: ChannelSettings
    public var members: [Member]
    /// Version of the last change.
    public var version: Int64
    /// Somebody has left, and the keys without that one have not come: texts wait.
    public var waitsForEpoch: Bool
    /// Who has invited this user.
    public var inviter: UserID?
}

/// Something that happened in a channel.
public struct ChannelEvent: Sendable, Hashable {
    public var row: Int64
    public var channel: ChannelID
    public var at: Timestamp
    /// `created`, `member_joined`, `member_left`, `role_changed`, `settings_changed`, `invited`, `left`, `deleted`,
    /// `messages_held`.
    public var action: String
    public var details: JSONObject
}
