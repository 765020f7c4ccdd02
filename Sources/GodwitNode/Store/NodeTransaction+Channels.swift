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
            "SELECT channel, version FROM node_channel WHERE name = ? AND node = ?", [id.name.text, id.node.text]
        ).map { KnownChannel(row: $0["channel"], id: id, version: $0["version"]) }
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

    /// Creates a channel of this node with its creator as owner.
    /// - Throws: `ProtocolError` 1002 if it exists or belongs to another node.
    func createChannel(_ id: ChannelID, by joiner: Joiner) throws {
        guard id.node == context.id, joiner.userID.node == context.id else {
            throw ProtocolError(
                .insufficientPermissions, "A channel is created on its creator's home node.",
                hint: "Leave channel_node out, or join the channel there.")
        }
        guard try channel(id) == nil else {
            throw ProtocolError(
                .insufficientPermissions, "The channel exists already.", hint: "Join it with `godwit channel join`.")
        }
        try run(
            "INSERT INTO node_channel (name, node, version, created, last_activity) VALUES (?, ?, 0, ?, ?)",
            [id.name.text, id.node.text, now.milliseconds, now.milliseconds])
        joins[id, default: []].append(joiner)
    }

    /// Takes a device into a channel of this node, or passes the command on to the channel's node.
    func joinChannel(_ id: ChannelID, by joiner: Joiner, command: SignedCommand?) throws {
        guard id.node == context.id else {
            guard let command else {
                throw ProtocolError(
                    .invalidMessageFormat, "Joining a channel of another node needs a signed command.",
                    hint: "Send the member command with the signed join_channel object.")
            }
            try requirePeer(id.node)
            try route(command.object, to: .node(id.node), about: [joiner.userID])
            return
        }
        guard try channel(id) != nil else {
            throw ProtocolError(
                .channelNotFound, "There is no such channel on this node.", hint: "`godwit channel list` shows them.")
        }
        joins[id, default: []].removeAll { $0.userID == joiner.userID && $0.device == joiner.device }
        joins[id, default: []].append(joiner)
    }

    /// Makes one numbered, signed change of the membership out of all joins of a frame, and tells everybody.
    func changeMembership(of id: ChannelID, joining all: [Joiner]) throws {
        for start in stride(from: 0, to: all.count, by: Membership.joinedMax) {
            try changeMembership(
                of: id, joiningAtMost: Array(all[start..<min(all.count, start + Membership.joinedMax)]))
        }
    }

    private func changeMembership(of id: ChannelID, joiningAtMost joiners: [Joiner]) throws {
        guard var channel = try channel(id) else { return }
        let before = try members(of: channel)
        channel.version += 1
        let sponsor = try sponsor(for: joiners, among: before, of: channel)
        for joiner in joiners { try insertMember(joiner, into: channel) }
        let list = MemberList(
            channel: id, version: channel.version, devices: try members(of: channel).map(\.party))
        let unsigned = Membership.unsigned(
            channel: id, version: channel.version, at: now, joined: joiners, deviceSet: list.hash, sponsor: sponsor)
        let membership = try Membership(context.signingKey.signed(unsigned, purpose: .order))
        try store(membership, channel)
        try distribute(membership, list, before: before)
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

    private func store(_ membership: Membership, _ channel: KnownChannel) throws {
        try run("UPDATE node_channel SET version = ? WHERE channel = ?", [membership.version, channel.row])
        try run(
            "INSERT INTO node_epoch (channel, membership, sponsor, device_set) VALUES (?, ?, ?, ?)",
            [channel.row, membership.version, membership.sponsor.text, Data(membership.deviceSet)])
    }

    /// Sends a change to the sites and the local devices of all members; whoever is new gets the whole list first.
    private func distribute(_ membership: Membership, _ list: MemberList, before: [KnownMember]) throws {
        let users = list.devices.compactMap(\.user)
        let joined = Set(membership.joined.map { Party.device($0.userID, $0.device) })
        let sites = Set(users.map(\.node)).subtracting([context.id])
        let known = Set(before.map(\.user.node))
        if membership.channel.node == context.id {
            for site in sites.sorted() {
                let about = known.contains(site) ? membership.joined.map(\.userID) : users
                if !known.contains(site) { try route(list.object, to: .node(site), about: about) }
                try route(membership.object, to: .node(site), about: about)
            }
        }
        for device in list.devices where device.user?.node == context.id {
            let isNew = joined.contains(device)
            if isNew { try route(list.object, to: device, about: users) }
            try route(membership.object, to: device, about: isNew ? users : membership.joined.map(\.userID))
        }
    }

    /// A member list from a channel's node: the base on which later changes are applied.
    func accept(_ list: MemberList, from peer: Party) throws {
        guard peer == .node(list.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "A member list comes from the channel's node only.")
        }
        if try channel(list.channel) == nil {
            try run(
                "INSERT INTO node_channel (name, node, version, created, last_activity) VALUES (?, ?, 0, ?, ?)",
                [list.channel.name.text, list.channel.node.text, now.milliseconds, now.milliseconds])
        }
        guard let channel = try channel(list.channel), channel.version < list.version else { return }
        for device in list.devices {
            guard case .device(let user, let id) = device else { continue }
            try run(
                """
                INSERT OR IGNORE INTO node_member (channel, user, device, role, joined)
                VALUES (?, ?, ?, 'member', ?)
                """, [channel.row, user.text, id.text, list.version])
        }
    }

    /// A change from a channel's node: applied, then passed on to the members here.
    func accept(_ membership: Membership, from peer: Party) throws {
        guard peer == .node(membership.channel.node),
            let row = try row("SELECT public_key FROM node_peer WHERE node = ?", [membership.channel.node.text])
        else {
            throw ProtocolError(.insufficientPermissions, "A membership comes from the channel's node only.")
        }
        try KeyChecks.verify(
            membership.object, signedBy: [UInt8](row["public_key"] as Data), purpose: .order)
        guard let channel = try channel(membership.channel) else {
            throw ProtocolError(.channelNotFound, "The member list of the channel has not come yet.")
        }
        guard membership.version > channel.version else { return }
        let before = try members(of: channel)
        for joiner in membership.joined {
            try run(
                """
                INSERT OR IGNORE INTO node_member (channel, user, device, role, joined)
                VALUES (?, ?, ?, 'member', ?)
                """, [channel.row, joiner.userID.text, joiner.device.text, membership.version])
        }
        let list = MemberList(
            channel: membership.channel, version: membership.version, devices: try members(of: channel).map(\.party))
        guard list.hash == membership.deviceSet else {
            throw ProtocolError(
                .federationError, "The members known here are not those that the channel's node has signed.",
                hint: "A change is missing; the channel's node must send its member list again.")
        }
        try store(membership, channel)
        try distribute(membership, list, before: before)
    }

    /// An epoch's start: checked against the membership that it belongs to, then passed on.
    func accept(_ epoch: EpochStart, from peer: Party) throws {
        guard let channel = try channel(epoch.channel),
            let row = try row(
                "SELECT sponsor, device_set, name FROM node_epoch WHERE channel = ? AND membership = ?",
                [channel.row, epoch.membership])
        else { throw ProtocolError(.channelNotFound, "The epoch belongs to no membership known here.") }
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
        for member in members where member.user.node == context.id {
            let object = epoch.keepingWraps { $0.userID == member.user && $0.device == member.device }
            try route(object, to: member.party, about: [epoch.author])
        }
    }
}

extension Party {
    var user: UserID? { if case .device(let user, _) = self { user } else { nil } }
}
