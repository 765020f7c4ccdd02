import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// A channel as this node knows it.
struct KnownChannel {
    var row: Int64
    var id: ChannelID
    var version: Int64
    /// Version of the last member list; 0: none came, as on the channel's node.
    var listed: Int64
    /// Version of the last change with which somebody left.
    var departed: Int64
    var settings: ChannelSettings

    init(_ row: Row) throws {
        self.row = row["channel"]
        id = ChannelID(name: try ChannelName(row["name"] as String), node: try NodeID(row["node"] as String))
        version = row["version"]
        listed = row["listed"]
        departed = row["departed"]
        settings = ChannelSettings(
            topic: row["topic"], description: row["description"],
            visibility: Visibility(rawValue: row["visibility"]) ?? .private, sharesHistory: row["shares_history"])
    }
}

/// A device in a channel.
struct KnownMember {
    var user: UserID
    var device: DeviceID
    var role: Role
    var joined: Int64

    var party: Party { .device(user, device) }
}

extension NodeTransaction {
    func channel(_ id: ChannelID) throws -> KnownChannel? {
        try row("SELECT * FROM node_channel WHERE name = ? AND node = ?", [id.name.text, id.node.text])
            .map(KnownChannel.init)
    }

    func members(of channel: KnownChannel) throws -> [KnownMember] {
        let roles = try givenRoles(in: channel)
        return try rows(
            "SELECT user, device, joined FROM node_member WHERE channel = ? ORDER BY joined, user, device",
            [channel.row]
        ).map { row in
            let user = try UserID(row["user"] as String)
            return KnownMember(
                user: user, device: try DeviceID(row["device"] as String), role: roles[user] ?? .member,
                joined: row["joined"])
        }
    }

    func store(_ membership: Membership, _ channel: KnownChannel) throws {
        try run("UPDATE node_channel SET version = ? WHERE channel = ?", [membership.version, channel.row])
        guard let sponsor = membership.sponsor else { return }
        try run(
            "INSERT INTO node_epoch (channel, membership, sponsor, device_set, since) VALUES (?, ?, ?, ?, ?)",
            [channel.row, membership.version, sponsor.text, Data(membership.deviceSet), try spool.uptime()])
        // Members have the epoch of a join with the change itself.
        guard membership.change.predecessor != nil else { return }
        try noteEpoch(membership.joinHash, of: membership.version, in: channel)
        arrived.append(.change(Array(membership.joinHash.prefix(EpochKey.idCount))))
    }

    /// The epoch of a version is there. One that comes later than that of a later version is followed by none.
    private func noteEpoch(_ name: [UInt8], of version: Int64, in channel: KnownChannel) throws {
        try run(
            "UPDATE node_epoch SET name = ? WHERE channel = ? AND membership = ?", [Data(name), channel.row, version])
        let newest = try row(
            "SELECT max(membership) AS n FROM node_epoch WHERE channel = ? AND name IS NOT NULL", [channel.row])
        guard newest?["n"] as Int64? == version else { return }
        try noteHead(name, of: channel)
    }

    /// Whose keys the sponsor of a change needs: the joiners', and everybody's where one has had to ask again, for then
    /// the secret is wrapped for all who joined since the last epoch, and where the secret is fresh (docs/protocol.md §7).
    func concerned(by membership: Membership, _ list: MemberList, before: [KnownMember]) -> [UserID] {
        let joined = Set(membership.joined.map(\.party))
        guard membership.change.isFresh || before.contains(where: { joined.contains($0.party) }) else {
            return membership.joined.map(\.userID)
        }
        return list.devices.compactMap(\.user)
    }

    /// Sends a change to the sites and the local devices of all members; whoever is new gets the whole list first.
    ///
    /// Keys go only where they are needed at once: the joiners' to the sponsor, the sponsor's to the joiners. Everybody
    /// else learns them with the first epoch or message that needs them, so that N joiners cause some 4 N objects, not N².
    ///
    /// Whoever has left gets the change as the last thing of the channel.
    ///
    /// - Parameter isComplete: the devices here may have missed changes, and all get the list.
    func distribute(
        _ membership: Membership, _ list: MemberList, before: [KnownMember], isComplete: Bool
    ) throws {
        let joined = Set(membership.joined.map(\.party))
        let concerned = concerned(by: membership, list, before: before)
        let sponsor = membership.sponsor?.user.map { [$0] } ?? []
        let told = list.devices + (membership.change.isEnd ? before.map(\.party) : membership.left)
        if membership.channel.node == context.id {
            let known = Set(before.map(\.user.node))
            let sites = Set(told.compactMap(\.user?.node)).subtracting([context.id])
            for site in sites.sorted() {
                if !known.contains(site) { try route(list.object, to: .node(site), about: []) }
                let about = membership.sponsor?.user?.node == site ? concerned : sponsor
                try route(membership.object, to: .node(site), about: about)
            }
        }
        for device in try listed(told) {
            let isNew = joined.contains(device)
            if isNew || isComplete { try route(list.object, to: device, about: []) }
            let about = device == membership.sponsor ? concerned : isNew ? sponsor : []
            try route(membership.object, to: device, about: about)
        }
    }

    /// Those of some devices that are at home here and on their users' lists: nothing is kept for one that was revoked.
    func listed(_ devices: [Party]) throws -> [Party] {
        let statement = try spool.prepared(
            """
            SELECT 1 FROM node_user u JOIN node_device d ON d.user = u.user
            WHERE u.user = ? AND u.is_local AND d.device = ?
            """)
        return try devices.filter { party in
            guard case .device(let user, let device) = party else { return false }
            statement.bind(1, user.text)
            statement.bind(2, device.text)
            return try statement.first { _ in true } ?? false
        }
    }

    /// A member list from a channel's node: the base on which later changes are applied. An empty one, sent to that node,
    /// asks for what is missing.
    func accept(_ list: MemberList, from peer: Party) throws {
        if list.channel.node == context.id, list.devices.isEmpty { return try answer(list, from: peer) }
        guard peer == .node(list.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "A member list comes from the channel's node only.")
        }
        guard !list.devices.isEmpty, list.devices.count <= context.membersMax else {
            throw ProtocolError.malformed("A channel's node sends lists with members.", member: "members")
        }
        if try channel(list.channel) == nil {
            try run(
                "INSERT INTO node_channel (name, node, version, created, last_activity) VALUES (?, ?, 0, ?, ?)",
                [list.channel.name.text, list.channel.node.text, now.milliseconds, now.milliseconds])
        }
        guard let channel = try channel(list.channel), channel.version < list.version else { return }
        try tellGone(from: list, of: channel)
        let before = try members(of: channel)
        let remaining = Set(list.devices)
        try noteDeparture(
            of: before.filter { !remaining.contains($0.party) }, from: channel, at: list.version)
        try run("DELETE FROM node_member WHERE channel = ?", [channel.row])
        // Whoever was there before has not come with the list.
        for member in before where remaining.contains(member.party) {
            try insert([member.party], into: channel, at: member.joined)
        }
        try insert(list.devices, into: channel, at: list.version)
        try run("UPDATE node_channel SET listed = ? WHERE channel = ?", [list.version, channel.row])
        try take(list.settings, list.roles, in: channel)
        arrived.append(.version(list.channel, list.version))
    }

    private func insert(_ devices: [Party], into channel: KnownChannel, at version: Int64) throws {
        for case .device(let user, let id) in devices {
            try run(
                """
                INSERT OR IGNORE INTO node_member (channel, user, device, joined) VALUES (?, ?, ?, ?)
                """, [channel.row, user.text, id.text, version])
        }
    }

    /// A change from a channel's node: applied, then passed on to the members here.
    /// - Throws: `MembershipUnknown` where an earlier change is missing.
    func accept(_ membership: Membership, from peer: Party) throws {
        guard peer == .node(membership.channel.node),
            let row = try row("SELECT public_key FROM node_peer WHERE node = ?", [membership.channel.node.text])
        else {
            throw ProtocolError(.insufficientPermissions, "A membership comes from the channel's node only.")
        }
        try KeyChecks.verify(
            membership.object, signedBy: [UInt8](row["public_key"] as Data), purpose: .order)
        let version = membership.version
        guard let channel = try channel(membership.channel) else {
            throw MembershipUnknown(channel: membership.channel, version: version, needsList: true)
        }
        guard version > channel.version else { return }
        let isListed = channel.listed == version
        guard isListed || version == channel.version + 1 else {
            throw MembershipUnknown(channel: membership.channel, version: version - 1, needsList: false)
        }
        let before = try members(of: channel)
        let joined = membership.joined.map(\.party)
        let after =
            membership.change.isEnd ? [] : Set(before.map(\.party)).union(joined).subtracting(membership.left)
        var list = MemberList(channel: membership.channel, version: version, devices: Array(after))
        guard list.hash == membership.deviceSet else {
            guard !isListed else {
                throw ProtocolError(
                    .federationError, "The members listed are not those that the channel's node has signed.")
            }
            throw MembershipUnknown(channel: membership.channel, version: version, needsList: true)
        }
        try insert(joined, into: channel, at: version)
        for joiner in joined { try tellOthers(of: joiner, about: channel) }
        try apply(membership, to: channel)
        try store(membership, channel)
        try noteDeparture(of: before.filter { membership.left.contains($0.party) }, from: channel, at: version)
        if let now = try self.channel(membership.channel) { list = try memberList(of: now) }
        try distribute(membership, list, before: before, isComplete: isListed)
        arrived.append(.version(membership.channel, version))
        try closeGap(of: membership.channel, at: version)
        try forgetIfAbandoned(channel)
    }

    /// An epoch's start: checked against the membership that it belongs to, then passed on.
    ///
    /// - Throws: `MembershipUnknown` where the membership of a channel of another node has not come yet.
    func accept(_ epoch: EpochStart, from peer: Party) throws {
        guard epoch.rotation == nil else { return try acceptRotation(epoch, from: peer) }
        let known = try channel(epoch.channel)
        guard let channel = known,
            let row = try row(
                "SELECT sponsor, device_set, name FROM node_epoch WHERE channel = ? AND membership = ?",
                [channel.row, epoch.membership])
        else {
            if epoch.channel.node != context.id, known?.version ?? 0 < epoch.membership,
                peer == .node(epoch.channel.node) || peer.user?.node == context.id
            {
                throw MembershipUnknown(
                    channel: epoch.channel, version: epoch.membership, needsList: known == nil)
            }
            throw ProtocolError(.channelNotFound, "The epoch belongs to no membership known here.")
        }
        guard row["sponsor"] as String == epoch.sponsor.text, [UInt8](row["device_set"] as Data) == epoch.deviceSet
        else {
            throw ProtocolError(.insufficientPermissions, "The epoch is not by its sponsor, or for other devices.")
        }
        guard let key = try signingKey(of: epoch.author, epoch.device) else {
            throw ProtocolError(.userNotFound, "The sponsor's device is unknown here.")
        }
        try KeyChecks.verify(epoch.object, signedBy: key, purpose: .epoch)
        // Any other node than the channel's learns the epoch from there, after its own sponsor has sent it up.
        if context.id != epoch.channel.node, peer != .node(epoch.channel.node) {
            try route(epoch.object, to: .node(epoch.channel.node), about: [epoch.author])
            return
        }
        if let known: Data = row["name"] {
            guard [UInt8](known) == epoch.name else {
                throw ProtocolError(.insufficientPermissions, "The membership has another epoch already.")
            }
            // A further part of it; of a repeated one there is a copy in every queue.
            return try distribute(epoch, in: channel)
        }
        try noteEpoch(epoch.name, of: epoch.membership, in: channel)
        try run(
            "UPDATE node_order SET epoch = ? WHERE channel = ? AND version = ?",
            [Data(epoch.object.canonicalBytes()), channel.row, epoch.membership])
        try distribute(epoch, in: channel)
    }

    /// Sends an epoch to all members, each with the own wraps only; a part that others follow only to whom it has some for.
    private func distribute(_ epoch: EpochStart, in channel: KnownChannel) throws {
        let wrapped = Set(epoch.wraps.map { Party.device($0.userID, $0.device) })
        let members = try members(of: channel).filter { !epoch.hasMore || wrapped.contains($0.party) }
        if epoch.channel.node == context.id {
            for site in Set(members.map(\.user.node)).subtracting([context.id]).sorted() {
                let object = epoch.keepingWraps { $0.userID.node == site }
                try route(object, to: .node(site), about: [epoch.author])
            }
        }
        for party in try listed(members.map(\.party)) {
            let object = epoch.keepingWraps { .device($0.userID, $0.device) == party }
            try route(object, to: party, about: [epoch.author])
        }
    }
}

extension Party {
    var user: UserID? { if case .device(let user, _) = self { user } else { nil } }
}
