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
        try row(
            "SELECT channel, version, listed FROM node_channel WHERE name = ? AND node = ?",
            [id.name.text, id.node.text]
        ).map { KnownChannel(row: $0["channel"], id: id, version: $0["version"], listed: $0["listed"]) }
    }

    func members(of channel: KnownChannel) throws -> [KnownMember] {
        try rows(
            "SELECT user, device, role, joined FROM node_member WHERE channel = ? ORDER BY joined, user, device",
            [channel.row]
        ).map { row in
            KnownMember(
                user: try UserID(row["user"] as String), device: try DeviceID(row["device"] as String),
                role: Role(rawValue: row["role"]) ?? .restricted, joined: row["joined"])
        }
    }

    /// Makes one numbered, signed change of the membership, and tells everybody.
    /// - Throws: `ProtocolError` 1002 when the channel has no room, 2001 when the change or the list fits nowhere.
    func changeMembership(of id: ChannelID, joining joiners: [Joiner]) throws {
        guard var channel = try channel(id) else { return }
        let before = try members(of: channel)
        channel.version += 1
        let sponsor = try sponsor(for: joiners, among: before, of: channel)
        for joiner in joiners { try insertMember(joiner, into: channel) }
        let list = MemberList(
            channel: id, version: channel.version, devices: try members(of: channel).map(\.party))
        guard list.devices.count <= context.membersMax else { throw full(id) }
        let unsigned = Membership.unsigned(
            channel: id, version: channel.version, at: now, joined: joiners, deviceSet: list.hash, sponsor: sponsor)
        let membership = try Membership(context.signingKey.signed(unsigned, purpose: .order))
        try store(membership, channel)
        try keepOrder(membership, channel)
        try distribute(membership, list, before: before, isComplete: false)
    }

    private func insertMember(_ joiner: Joiner, into channel: KnownChannel) throws {
        let role: Role = channel.version == 1 ? .owner : .member
        try run(
            """
            INSERT INTO node_member (channel, user, device, role, joined) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (channel, user, device) DO UPDATE SET attempts = attempts + 1
            """, [channel.row, joiner.userID.text, joiner.device.text, role.rawValue, channel.version])
    }

    /// Somebody who holds the epoch before and is near the joiners: wraps for them then stay on their site. Whoever
    /// asks again, because no epoch came, gets the next candidate.
    private func sponsor(
        for joiners: [Joiner], among members: [KnownMember], of channel: KnownChannel
    ) throws -> Party {
        let joining = Set(joiners.map { Party.device($0.userID, $0.device) })
        let site = joiners[0].userID.node
        let others = members.filter { !joining.contains($0.party) }
        let ordered =
            others.filter { $0.user.node == site }
            + others.filter { $0.user.node != site && $0.user.node == context.id }
            + others.filter { $0.user.node != site && $0.user.node != context.id }
        guard !ordered.isEmpty else { return .device(joiners[0].userID, joiners[0].device) }
        let attempts = try row(
            "SELECT max(attempts) AS attempts FROM node_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, joiners[0].userID.text, joiners[0].device.text])
        // The row of a first join is not there yet; that of a repeated one counts the repeats before this one.
        let attempt = (attempts?["attempts"] as Int64?).map { $0 + 1 } ?? 0
        return ordered[Int(attempt % Int64(ordered.count))].party
    }

    func store(_ membership: Membership, _ channel: KnownChannel) throws {
        try run("UPDATE node_channel SET version = ? WHERE channel = ?", [membership.version, channel.row])
        try run(
            "INSERT INTO node_epoch (channel, membership, sponsor, device_set) VALUES (?, ?, ?, ?)",
            [channel.row, membership.version, membership.sponsor.text, Data(membership.deviceSet)])
    }

    /// Whose keys the sponsor of a change needs: the joiners', and everybody's where one has had to ask again, for then
    /// the secret is wrapped for all who joined since the last epoch (docs/protocol.md §7).
    func concerned(by membership: Membership, _ list: MemberList, before: [KnownMember]) -> [UserID] {
        let joined = Set(membership.joined.map { Party.device($0.userID, $0.device) })
        guard before.contains(where: { joined.contains($0.party) }) else { return membership.joined.map(\.userID) }
        return list.devices.compactMap(\.user)
    }

    /// Sends a change to the sites and the local devices of all members; whoever is new gets the whole list first.
    ///
    /// Keys go only where they are needed at once: the joiners' to the sponsor, the sponsor's to the joiners. Everybody
    /// else learns them with the first epoch or message that needs them, so that N joiners cause some 4 N objects, not N².
    ///
    /// - Parameter isComplete: the devices here may have missed changes, and all get the list.
    func distribute(
        _ membership: Membership, _ list: MemberList, before: [KnownMember], isComplete: Bool
    ) throws {
        let joined = Set(membership.joined.map { Party.device($0.userID, $0.device) })
        let concerned = concerned(by: membership, list, before: before)
        let sponsor = membership.sponsor.user.map { [$0] } ?? []
        if membership.channel.node == context.id {
            let known = Set(before.map(\.user.node))
            for site in Set(list.devices.compactMap(\.user?.node)).subtracting([context.id]).sorted() {
                if !known.contains(site) { try route(list.object, to: .node(site), about: []) }
                let about = membership.sponsor.user?.node == site ? concerned : sponsor
                try route(membership.object, to: .node(site), about: about)
            }
        }
        let listed = try listedDevices()
        for device in list.devices where listed.contains(device) {
            let isNew = joined.contains(device)
            if isNew || isComplete { try route(list.object, to: device, about: []) }
            let about = device == membership.sponsor ? concerned : isNew ? sponsor : []
            try route(membership.object, to: device, about: about)
        }
    }

    /// The devices of this node's users that are on their users' lists: nothing is kept for one that was revoked.
    func listedDevices() throws -> Set<Party> {
        let rows = try rows(
            "SELECT d.user, d.device FROM node_device d JOIN node_user u ON u.user = d.user WHERE u.is_local")
        return Set(try rows.map { .device(try UserID($0["user"] as String), try DeviceID($0["device"] as String)) })
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
        try run("DELETE FROM node_member WHERE channel = ?", [channel.row])
        try insert(list.devices, into: channel, at: list.version)
        try run("UPDATE node_channel SET listed = ? WHERE channel = ?", [list.version, channel.row])
        arrived.append(.version(list.channel, list.version))
    }

    private func insert(_ devices: [Party], into channel: KnownChannel, at version: Int64) throws {
        for case .device(let user, let id) in devices {
            try run(
                """
                INSERT OR IGNORE INTO node_member (channel, user, device, role, joined)
                VALUES (?, ?, ?, 'member', ?)
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
        let joined = membership.joined.map { Party.device($0.userID, $0.device) }
        let list = MemberList(
            channel: membership.channel, version: version, devices: Array(Set(before.map(\.party)).union(joined)))
        guard list.hash == membership.deviceSet else {
            guard !isListed else {
                throw ProtocolError(
                    .federationError, "The members listed are not those that the channel's node has signed.")
            }
            throw MembershipUnknown(channel: membership.channel, version: version, needsList: true)
        }
        try insert(joined, into: channel, at: version)
        try store(membership, channel)
        try distribute(membership, list, before: before, isComplete: isListed)
        arrived.append(.version(membership.channel, version))
        try closeGap(of: membership.channel, at: version)
    }

    /// An epoch's start: checked against the membership that it belongs to, then passed on.
    ///
    /// - Throws: `MembershipUnknown` where the membership of a channel of another node has not come yet.
    func accept(_ epoch: EpochStart, from peer: Party) throws {
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
        if let known: Data = row["name"] {
            guard [UInt8](known) == epoch.name else {
                throw ProtocolError(.insufficientPermissions, "The membership has another epoch already.")
            }
            return
        }
        // Any other node than the channel's learns the epoch from there, after its own sponsor has sent it up.
        if context.id != epoch.channel.node, peer != .node(epoch.channel.node) {
            try route(epoch.object, to: .node(epoch.channel.node), about: [epoch.author])
            return
        }
        try run(
            "UPDATE node_epoch SET name = ? WHERE channel = ? AND membership = ?",
            [Data(epoch.name), channel.row, epoch.membership])
        try run(
            "UPDATE node_order SET epoch = ? WHERE channel = ? AND version = ?",
            [Data(epoch.object.canonicalBytes()), channel.row, epoch.membership])
        try distribute(epoch, in: channel)
    }

    private func distribute(_ epoch: EpochStart, in channel: KnownChannel) throws {
        let members = try members(of: channel)
        if epoch.channel.node == context.id {
            for site in Set(members.map(\.user.node)).subtracting([context.id]).sorted() {
                let object = epoch.keepingWraps { $0.userID.node == site }
                try route(object, to: .node(site), about: [epoch.author])
            }
        }
        let listed = try listedDevices()
        for member in members where listed.contains(member.party) {
            let object = epoch.keepingWraps { $0.userID == member.user && $0.device == member.device }
            try route(object, to: member.party, about: [epoch.author])
        }
    }
}

extension Party {
    var user: UserID? { if case .device(let user, _) = self { user } else { nil } }
}
