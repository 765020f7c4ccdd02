import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// What happened in channels, for people: joins, leaves, roles, settings (CH-24); and invitations.
extension ClientTransaction {
    /// Events that are kept; the oldest go first.
    static let channelEventsMax: Int64 = 1_000
    /// Channels to which this device is invited and that it has not entered.
    static let invitedMax: Int64 = 256

    func note(_ action: String, _ details: JSONObject, in channel: ChannelID, at time: Timestamp) throws {
        try run(
            "INSERT INTO client_channel_event (channel, at, action, details) VALUES (?, ?, ?, ?)",
            [channel.text, time.milliseconds, action, Data(details.canonicalBytes())])
        try run(
            "DELETE FROM client_channel_event WHERE event <= ?", [database.lastInsertedRowID - Self.channelEventsMax])
    }

    func note(_ membership: Membership, in channel: ChannelID) throws {
        func note(_ action: String, _ details: JSONObject) throws {
            try self.note(action, details, in: channel, at: membership.at)
        }
        if membership.version == 1 { try note("created", [:]) }
        for user in Set(membership.joined.map(\.userID)).sorted() {
            try note("member_joined", ["user_id": .string(user.text)])
        }
        let left = membership.left.compactMap { if case .device(let user, _) = $0 { user } else { nil } }
        for user in Set(left).sorted() { try note("member_left", ["user_id": .string(user.text)]) }
        for grant in membership.roles { try note("role_changed", grant.object) }
        if let settings = membership.change.settings { try note("settings_changed", settings.object) }
    }

    /// Somebody made a channel and named this user. Those whom the user has blocked invite in vain.
    func take(_ invitation: Invitation) throws {
        guard invitation.to == context.user else {
            throw Rejected(.misdirected, "An invitation for another user arrived here.")
        }
        let blocked = context.identityFile.object["preferences"]?.object?["blocked_users"]?.array ?? []
        guard !blocked.contains(.string(invitation.inviter.text)) else { return }
        // Where another device of this user is, this one goes as well.
        let known = try channel(invitation.channel)
        guard invitation.inviter != context.user else {
            if known?.isLeaving != true { try enter(invitation.channel, creating: false) }
            return
        }
        guard known == nil || known?.state == .left || known?.state == .refused else { return }
        let count = try integer("SELECT count(*) FROM client_channel WHERE state = 'invited'") ?? 0
        guard count < Self.invitedMax else {
            throw Rejected(.overflow, "Too many invitations wait; one was dropped.", hint: "Enter or ask again.")
        }
        try run(
            """
            INSERT INTO client_channel (name, node, state, created, command, asked, inviter)
            VALUES (?, ?, 'invited', 0, ?, ?, ?)
            ON CONFLICT (name, node) DO UPDATE SET state = 'invited', inviter = excluded.inviter, error = NULL
            """,
            [
                invitation.channel.name.text, invitation.channel.node.text, Data(count: 32), uptime,
                invitation.inviter.text,
            ])
        try note("invited", ["user_id": .string(invitation.inviter.text)], in: invitation.channel, at: invitation.at)
    }

    // MARK: Asking for changes

    /// Queues a command about a channel that this device is in.
    /// - Throws: `ProtocolError` 2002.
    @discardableResult
    func ask(_ name: String, of id: ChannelID, _ data: JSONObject = [:]) throws -> [UInt8] {
        guard let channel = try channel(id), channel.state == .member || channel.state == .joining else {
            throw ProtocolError(
                .channelNotFound, "This device is not in the channel.",
                hint: "`godwit channel list` shows the channels.",
                details: ["channel": .string(id.name.text)])
        }
        return try command(
            name, data.setting("channel", .string(id.name.text)).setting("channel_node", .string(id.node.text)))
    }

    func leave(_ id: ChannelID) throws {
        let item = try ask("leave_channel", of: id)
        try run(
            "UPDATE client_channel SET leaves = ? WHERE name = ? AND node = ?",
            [Data(item), id.name.text, id.node.text])
    }

    /// Whether the refused item was the own leaving.
    func stays(_ refusal: Refusal) throws {
        try run("UPDATE client_channel SET leaves = NULL WHERE leaves = ?", [Data(refusal.item)])
    }

    /// An invite of this device, made without any node.
    /// - Throws: `ProtocolError` 2000, 2002; 1002 where this user's role is known not to allow it.
    func makeInvite(to id: ChannelID, lifetime: Int64, uses: Int64?) throws -> Invite {
        guard let channel = try channel(id), channel.state == .member else {
            throw ProtocolError(
                .channelNotFound, "This device is not in the channel.", hint: "Join it first.",
                details: ["channel": .string(id.name.text)])
        }
        guard (1...Invite.lifetimeMax).contains(lifetime) else {
            throw ProtocolError.malformed("An invite lasts at most a year.", member: "expires")
        }
        guard try role(of: context.user, in: channel).may(.inviteUsers) else {
            throw ProtocolError(
                .insufficientPermissions, "Your role in the channel does not allow this.", hint: "Ask a moderator.")
        }
        return try Invite(
            context.signing.signed(
                Invite.unsigned(
                    channel: id, id: SystemRandom().bytes(Invite.idCount),
                    expires: now.adding(milliseconds: lifetime), uses: uses, inviter: context.user,
                    device: context.device), purpose: .invite))
    }

    func role(of user: UserID, in channel: KnownChannel) throws -> Role {
        let row = try row("SELECT role FROM client_role WHERE channel = ? AND user = ?", [channel.row, user.text])
        return (row?["role"] as String?).flatMap { Role(rawValue: $0) } ?? .member
    }
}
