import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Members, roles and settings of channels, as changes tell them. Changes are taken in order, from a list of members on.
extension ClientTransaction {
    /// The state of a channel at one version. An empty one says that this device is no member any more.
    func take(_ list: MemberList) throws {
        guard let channel = try channel(list.channel), channel.state != .invited else {
            throw Rejected(.misdirected, "Members of a channel arrived that this device has not joined.")
        }
        guard channel.state != .left, list.version > channel.applied else { return }
        guard !list.devices.isEmpty else { return try end(channel, with: list.version, at: now) }
        guard list.devices.contains(context.party) else {
            throw Rejected(.malformed, "Members of a channel arrived without this device.")
        }
        // Versions that have been here before: the channel was deleted and made anew.
        if let ended = channel.ended, channel.applied == 0, list.version <= ended {
            try run("DELETE FROM client_member WHERE channel = ?", [channel.row])
        }
        let present = Set(list.devices)
        var someoneLeft = false
        for case .device(let user, let device) in try members(of: channel, at: channel.applied).devices
        where !present.contains(.device(user, device)) {
            try close(user, device, at: list.version, in: channel)
            someoneLeft = true
        }
        for case .device(let user, let device) in list.devices where try !isPresent(user, device, in: channel) {
            try insertMember(user, device, since: list.version, came: false, in: channel)
        }
        try run("DELETE FROM client_role WHERE channel = ?", [channel.row])
        for (user, role) in list.roles { try store(RoleGrant(userID: user, role: role), in: channel) }
        try store(list.settings, in: channel)
        // Which change it was is not known: none of the epochs that are known here may be written in.
        let known = try newestEpoch(of: channel).map { $0.membership + 1 } ?? 0
        try run(
            "UPDATE client_channel SET applied = ?1, listed = ?1, departed = ?2 WHERE channel = ?3",
            [list.version, someoneLeft ? max(channel.departed, known) : channel.departed, channel.row])
        arrived += [.membership(channel.id, list.version), .channel(channel.id)]
        try stopWaiting(forChangesOf: channel, upTo: list.version)
    }

    /// A change of a channel. The home node's own are verified here; those of other nodes are the home node's to check,
    /// which knows their keys.
    func take(_ membership: Membership) throws {
        guard let channel = try channel(membership.channel), channel.state != .invited else {
            throw Rejected(.misdirected, "A change of a channel arrived that this device has not joined.")
        }
        guard channel.state != .left else { return }
        if membership.channel.node == context.home.id {
            try KeyChecks.verify(membership.object, signedBy: context.home.publicKey, purpose: .order)
        }
        let version = membership.version
        guard version <= channel.applied || channel.applied > 0 || version == 1 else {
            throw Waiting(.channel(channel.id))
        }
        guard version <= channel.applied + 1 else { throw Waiting(.membership(channel.id, version - 1)) }
        if version > channel.applied {
            guard !membership.change.isEnd, !membership.left.contains(context.party) else {
                return try end(channel, with: version, at: membership.at, isDeleted: membership.change.isEnd)
            }
            try apply(membership, to: channel)
        } else if version == channel.applied {
            try noteJoined(membership, in: channel)
        }
        try run(
            """
            INSERT OR IGNORE INTO client_membership (channel, version, body, has_duty, epoch) VALUES (?, ?, ?, ?, ?)
            """,
            [
                channel.row, version, Data(membership.object.canonicalBytes()), membership.sponsor == context.party,
                membership.change.predecessor.map { _ in Data(membership.joinHash) },
            ])
        if database.changesCount > 0 { try note(membership, in: channel.id) }
        arrived += [.membership(channel.id, version), .channel(channel.id)]
        if membership.change.predecessor != nil {
            arrived.append(.change(Array(membership.joinHash.prefix(EpochKey.idCount))))
        }
        try followJoin(membership)
    }

    private func apply(_ membership: Membership, to channel: KnownChannel) throws {
        try noteJoined(membership, in: channel)
        for case .device(let user, let device) in membership.left {
            guard try isPresent(user, device, in: channel) else {
                throw Rejected(.malformed, "A change of a channel takes somebody out who is not in it.")
            }
            try close(user, device, at: membership.version, in: channel)
        }
        for grant in membership.roles { try store(grant, in: channel) }
        if let settings = membership.change.settings { try store(settings, in: channel) }
        try run(
            "UPDATE client_channel SET applied = ?, departed = ? WHERE channel = ?",
            [
                membership.version, membership.left.isEmpty ? channel.departed : membership.version, channel.row,
            ])
        guard try members(of: channel, at: membership.version).hash == membership.deviceSet else {
            throw Rejected(
                .epochMismatch, "A change of a channel was signed for other members than are known here.",
                hint: "Join the channel again.")
        }
    }

    /// Whoever asks again was there before: of his messages there may be some that are not for this device.
    private func noteJoined(_ membership: Membership, in channel: KnownChannel) throws {
        if channel.state == .joining, membership.joined.contains(where: { $0.party == context.party }) {
            try stopWaiting(forEpochsOf: channel)
        }
        for joiner in membership.joined {
            if try !isPresent(joiner.userID, joiner.device, in: channel) {
                try insertMember(joiner.userID, joiner.device, since: membership.version, came: true, in: channel)
            }
            try run(
                """
                UPDATE client_member SET came = max(came, since = ?), pre_key = ?, keyless = 0
                WHERE channel = ? AND user = ? AND device = ? AND until IS NULL
                """,
                [
                    membership.version, Data(joiner.preKey.object.canonicalBytes()), channel.row, joiner.userID.text,
                    joiner.device.text,
                ])
        }
    }

    // MARK: Going

    /// This device is no member any more: its keys for the channel go, what was read stays.
    ///
    /// - Parameter version: of the change by which it went, or one after it.
    func end(_ channel: KnownChannel, with version: Int64, at time: Timestamp, isDeleted: Bool = false) throws {
        let row = try row("SELECT leaves FROM client_channel WHERE channel = ?", [channel.row])
        let isOwnWish = row?.optionalBlob("leaves") != nil
        let error = ProtocolError(
            .insufficientPermissions,
            isDeleted
                ? "The channel was deleted."
                : isOwnWish ? "You have left the channel." : "You are no member of the channel any more.",
            hint: isDeleted ? nil : "Join it again, if it lets you in.")
        try run(
            """
            UPDATE client_channel SET state = 'left', error = ?, ended = ?, applied = 0, listed = 0, departed = 0
            WHERE channel = ?
            """, [Data(error.object(at: time).canonicalBytes()), version, channel.row])
        // Who could read what this device has written is kept: it seals that again for them.
        try run(
            isDeleted
                ? "DELETE FROM client_member WHERE channel = ?2"
                : "UPDATE client_member SET until = ?1 WHERE channel = ?2 AND until IS NULL", [version, channel.row])
        for table in ["client_membership", "client_role"] {
            try run("DELETE FROM \(table) WHERE channel = ?", [channel.row])
        }
        try run(
            "DELETE FROM client_chain WHERE epoch IN (SELECT name FROM client_epoch WHERE channel = ?)", [channel.row])
        try run(
            "UPDATE client_epoch SET next = NULL, unsent = NULL, membership = 0 WHERE channel = ?", [channel.row])
        // Whoever comes in again begins anew with each author, and waits for nothing of the time between.
        try run(
            "DELETE FROM client_head WHERE conversation = ? AND NOT (user = ? AND device = ?)",
            [Conversation.channel(channel.id).text, context.user.text, context.device.text])
        try failWaiting(for: .channel(channel.id), error)
        try note(isDeleted ? "deleted" : "left", [:], in: channel.id, at: time)
        if !isOwnWish || isDeleted {
            try warn(Rejected(.removed, error.message, hint: error.hint), about: channel.id.text)
        }
    }

    /// No secret of a fresh epoch came for this device: it asks to be let in again, which brings it one.
    func askAgain(for channel: KnownChannel) throws {
        try run(
            """
            UPDATE client_channel SET state = 'joining', created = 0, command = ?, request = ?, asked = ?, attempts = 0
            WHERE channel = ? AND state = 'member' AND leaves IS NULL
            """,
            [Data(count: 32), Data(JSONObject().canonicalBytes()), uptime, channel.row])
    }

    // MARK: Rows

    private func insertMember(
        _ user: UserID, _ device: DeviceID, since: Int64, came: Bool, in channel: KnownChannel
    ) throws {
        try run(
            "INSERT INTO client_member (channel, user, device, since, came) VALUES (?, ?, ?, ?, ?)",
            [channel.row, user.text, device.text, since, came])
    }

    private func close(_ user: UserID, _ device: DeviceID, at version: Int64, in channel: KnownChannel) throws {
        try run(
            "UPDATE client_member SET until = ? WHERE channel = ? AND user = ? AND device = ? AND until IS NULL",
            [version, channel.row, user.text, device.text])
        try run(
            """
            DELETE FROM client_role WHERE channel = ?1 AND user = ?2
              AND NOT EXISTS (SELECT 1 FROM client_member WHERE channel = ?1 AND user = ?2 AND until IS NULL)
            """, [channel.row, user.text])
    }

    private func isPresent(_ user: UserID, _ device: DeviceID, in channel: KnownChannel) throws -> Bool {
        try row(
            "SELECT 1 FROM client_member WHERE channel = ? AND user = ? AND device = ? AND until IS NULL",
            [channel.row, user.text, device.text]) != nil
    }

    private func store(_ grant: RoleGrant, in channel: KnownChannel) throws {
        try run(
            "INSERT OR REPLACE INTO client_role (channel, user, role, until) VALUES (?, ?, ?, ?)",
            [channel.row, grant.userID.text, grant.role.rawValue, grant.until?.milliseconds])
    }

    private func store(_ settings: ChannelSettings, in channel: KnownChannel) throws {
        try run(
            "UPDATE client_channel SET topic = ?, description = ?, visibility = ?, shares_history = ? WHERE channel = ?",
            [settings.topic, settings.description, settings.visibility.rawValue, settings.sharesHistory, channel.row])
    }

    // MARK: What is known

    func membership(_ version: Int64, of channel: KnownChannel) throws -> Membership? {
        try row(
            "SELECT body FROM client_membership WHERE channel = ? AND version = ?", [channel.row, version]
        ).map { row in try Self.stored { try Membership(JSONObject.parse(row.blob("body"))) } }
    }

    /// All member devices at one version.
    func members(of channel: KnownChannel, at version: Int64) throws -> MemberList {
        let devices = try rows(
            """
            SELECT user, device FROM client_member
            WHERE channel = ? AND since <= ? AND (until IS NULL OR until > ?)
            """, [channel.row, version, version]
        ).map { row in
            try Self.stored { Party.device(try UserID(row["user"] as String), try DeviceID(row["device"] as String)) }
        }
        return MemberList(channel: channel.id, version: version, devices: devices)
    }

    /// All devices that were members at some time that this device knows of.
    func everyMember(of channel: KnownChannel) throws -> [Party] {
        try rows("SELECT DISTINCT user, device FROM client_member WHERE channel = ?", [channel.row]).map { row in
            try Self.stored { Party.device(try UserID(row["user"] as String), try DeviceID(row["device"] as String)) }
        }
    }

    /// Whether this device has seen another come in; nil for one that never was a member.
    func hasSeenComing(_ user: UserID, _ device: DeviceID, into channel: KnownChannel) throws -> Bool? {
        try row(
            "SELECT came FROM client_member WHERE channel = ? AND user = ? AND device = ? ORDER BY since DESC LIMIT 1",
            [channel.row, user.text, device.text]
        ).map { $0["came"] }
    }

    /// The version with which a device came in last, or at which it was there already.
    func since(_ user: UserID, _ device: DeviceID, in channel: KnownChannel) throws -> Int64? {
        try integer(
            "SELECT max(since) FROM client_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, user.text, device.text])
    }

    // MARK: Keys for a fresh secret

    /// Pre-keys of members that this device has not seen come in.
    func take(_ keys: MemberKeys) throws {
        guard keys.to == context.party, let channel = try channel(keys.channel) else {
            throw Rejected(.misdirected, "Keys for another sponsor arrived here.")
        }
        if let upTo = keys.upTo { try takeChanged(keys, upTo: upTo, in: channel) }
        for joiner in keys.keys {
            try run(
                """
                UPDATE client_member SET pre_key = ?
                WHERE channel = ? AND user = ? AND device = ? AND until IS NULL AND pre_key IS NULL
                """,
                [
                    Data(joiner.preKey.object.canonicalBytes()), channel.row, joiner.userID.text, joiner.device.text,
                ])
        }
        for case .device(let user, let device) in keys.without {
            try run(
                "UPDATE client_member SET keyless = 1 WHERE channel = ? AND user = ? AND device = ? AND pre_key IS NULL",
                [channel.row, user.text, device.text])
        }
    }

    /// What the secret is wrapped to for all members but this device; nil while keys are on their way.
    func preKeys(of members: Set<Party>, in channel: KnownChannel, at version: Int64) throws -> [Joiner]? {
        var joiners: [Joiner] = []
        for case .device(let user, let device) in members.sorted(by: { $0.text < $1.text })
        where .device(user, device) != context.party {
            guard
                let row = try row(
                    """
                    SELECT pre_key, keyless FROM client_member
                    WHERE channel = ? AND user = ? AND device = ? AND since <= ? ORDER BY since DESC LIMIT 1
                    """, [channel.row, user.text, device.text, version])
            else { return nil }
            guard let stored = row.optionalBlob("pre_key") else {
                guard row["keyless"] else { return nil }
                continue
            }
            joiners.append(try Self.stored { Joiner(preKey: try SignedPreKey(JSONObject.parse(stored))) })
        }
        return joiners
    }
}
