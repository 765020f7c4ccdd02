import GRDB
import GodwitCrypto
import GodwitProtocol

/// Who may come into a channel of this node.
extension NodeTransaction {
    /// Revoked invites of one channel; those of one member.
    static let revokedMax = 1_024
    private static let revokedMaxPerMember = 64
    /// Stands for whoever may revoke the invites of others.
    private static let anyone = "*"

    /// Whether a user may join, with an invite where one is needed. Uses are counted here.
    ///
    /// - Throws: `ProtocolError` 2002 where the channel must not be known to the user, 1002 for a ban or an invite that
    ///   does not serve any more.
    func admit(_ user: UserID, to channel: KnownChannel, with invite: Invite?) throws {
        guard try !isMember(user, of: channel) else { return }
        let isOpen =
            try !isPrivate(channel) || role(of: user, in: channel) != nil || isInvited(user, to: channel)
            || movesAlong(user, to: channel)
        let serves = try invite.map { try isGenuine($0, for: channel) } ?? false
        guard isOpen || serves else { throw ProtocolError.unknownChannel }
        if let ban = try ban(of: user, in: channel) {
            var details: JSONObject = ["channel": .string(channel.id.name.text), "banned": true]
            if let until = ban["until"] as Int64? {
                details["until"] = .string(Timestamp(milliseconds: until).description)
            }
            throw ProtocolError(
                .insufficientPermissions, "You are banned from the channel.", hint: "Ask a moderator.",
                details: details)
        }
        if !isOpen, let invite { try use(invite, for: channel) }
    }

    private func isInvited(_ user: UserID, to channel: KnownChannel) throws -> Bool {
        try row("SELECT 1 FROM node_invited WHERE channel = ? AND user = ?", [channel.row, user.text]) != nil
    }

    /// Made for this channel by the listed device that it names.
    private func isGenuine(_ invite: Invite, for channel: KnownChannel) throws -> Bool {
        guard invite.channel == channel.id, let key = try signingKey(of: invite.inviter, invite.device) else {
            return false
        }
        do {
            try KeyChecks.verify(invite.object, signedBy: key, purpose: .invite)
            return true
        } catch {
            return false
        }
    }

    private func use(_ invite: Invite, for channel: KnownChannel) throws {
        func ended(_ why: String) -> ProtocolError {
            ProtocolError(
                .insufficientPermissions, why, hint: "Ask for another one.",
                details: ["channel": .string(channel.id.name.text)])
        }
        // Of whoever has been muted, removed or banned since, no invite serves any more.
        guard let role = try role(of: invite.inviter, in: channel), role.may(.inviteUsers),
            try ban(of: invite.inviter, in: channel) == nil
        else { throw ended("Whoever made the invite may not invite any more.") }
        guard
            try row(
                "SELECT 1 FROM node_invite_revoked WHERE channel = ? AND invite = ? AND revoker IN (?, ?)",
                [channel.row, invite.id, invite.inviter.text, Self.anyone]) == nil
        else { throw ended("The invite was revoked.") }
        guard invite.expires.milliseconds > now.milliseconds,
            invite.expires.milliseconds - now.milliseconds <= Invite.lifetimeMax
        else { throw ended("The invite has expired.") }
        guard let uses = invite.uses else { return }
        // Whoever signs two invites with one id shares their uses.
        let key = invite.id + "/" + invite.inviter.text
        let used = try row("SELECT used FROM node_invite WHERE channel = ? AND invite = ?", [channel.row, key])
        guard used?["used"] as Int64? ?? 0 < uses else { throw ended("The invite was used as often as it may be.") }
        try run(
            """
            INSERT INTO node_invite (channel, invite, used) VALUES (?, ?, 1)
            ON CONFLICT (channel, invite) DO UPDATE SET used = used + 1
            """, [channel.row, key])
    }

    /// Ends an invite by its id: one's own, or as a moderator anybody's.
    func revokeInvite(_ text: String, in channel: KnownChannel, by user: UserID) throws {
        let invite = try Invite.checkedID(text)
        let role = try require(.inviteUsers, of: user, in: channel)
        let revoker = role.may(.banUsers) ? Self.anyone : user.text
        func count(_ condition: String, _ arguments: StatementArguments) throws -> Int64 {
            try row("SELECT count(*) AS n FROM node_invite_revoked WHERE \(condition)", arguments)?["n"] ?? 0
        }
        let own = try count("channel = ? AND revoker = ?", [channel.row, revoker])
        guard revoker == Self.anyone || own < Int64(Self.revokedMaxPerMember),
            try count("channel = ?", [channel.row]) < Int64(Self.revokedMax)
        else { throw ProtocolError.full(channel.id, "revoked_invites", Self.revokedMax) }
        try run(
            "INSERT OR IGNORE INTO node_invite_revoked (channel, invite, revoker) VALUES (?, ?, ?)",
            [channel.row, invite, revoker])
    }

    // MARK: Naming users when a channel is made

    /// Users who are named at once.
    static let namedMax = 64

    /// Lets users in and tells their devices.
    func invite(_ users: [UserID], to channel: KnownChannel, by inviter: UserID) throws {
        for user in users where user != inviter {
            try run(
                "INSERT OR IGNORE INTO node_invited (channel, user) VALUES (?, ?)", [channel.row, user.text])
            let invitation = Invitation(channel: channel.id, to: user, inviter: inviter, at: now)
            guard user.node != context.id else {
                try tell(invitation)
                continue
            }
            try requirePeer(user.node)
            try route(invitation.object, to: .node(user.node), about: [inviter])
        }
    }

    /// An invitation from another node, for all devices of a user here.
    func accept(_ invitation: Invitation, from peer: Party) throws {
        guard peer == .node(invitation.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "An invitation comes from the channel's node.")
        }
        try tell(invitation)
    }

    private func tell(_ invitation: Invitation) throws {
        guard try user(invitation.to)?.isLocal ?? false else {
            throw ProtocolError(
                .userNotFound, "There is no such user on this node.", hint: "Check the user ids.",
                details: ["user_id": .string(invitation.to.text)])
        }
        for device in try devices(of: invitation.to) {
            try route(invitation.object, to: .device(invitation.to, device), about: [invitation.inviter])
        }
    }
}
