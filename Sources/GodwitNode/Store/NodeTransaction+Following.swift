import GRDB
import GodwitProtocol

/// What a home node keeps of channels of other nodes: who left, roles, settings.
extension NodeTransaction {
    /// Takes over what a change says besides who joined.
    func apply(_ membership: Membership, to channel: KnownChannel) throws {
        for case .device(let user, let device) in membership.left {
            try run(
                "DELETE FROM node_member WHERE channel = ? AND user = ? AND device = ?",
                [channel.row, user.text, device.text])
            if try !isMember(user, of: channel) {
                try run("DELETE FROM node_role WHERE channel = ? AND user = ?", [channel.row, user.text])
            }
        }
        if membership.change.isEnd { try run("DELETE FROM node_member WHERE channel = ?", [channel.row]) }
        for grant in membership.roles { try give(grant, in: channel) }
        if let settings = membership.change.settings { try save(settings, of: channel) }
    }

    /// The state of a channel of another node, as its list of members tells it.
    func take(_ settings: ChannelSettings, _ roles: [UserID: Role], in channel: KnownChannel) throws {
        try run("DELETE FROM node_role WHERE channel = ?", [channel.row])
        for (user, role) in roles { try give(RoleGrant(userID: user, role: role), in: channel) }
        try save(settings, of: channel)
    }

    private func save(_ settings: ChannelSettings, of channel: KnownChannel) throws {
        try run(
            "UPDATE node_channel SET topic = ?, description = ?, visibility = ?, shares_history = ? WHERE channel = ?",
            [settings.topic, settings.description, settings.visibility.rawValue, settings.sharesHistory, channel.row])
    }

    /// A list came in the place of changes that were missed: devices here that are not in it learn that they are out, by
    /// an empty one.
    func tellGone(from list: MemberList, of channel: KnownChannel) throws {
        let remaining = Set(list.devices)
        let empty = MemberList(channel: list.channel, version: list.version, devices: [])
        for party in try listed(members(of: channel).map(\.party)) where !remaining.contains(party) {
            try route(empty.object, to: party, about: [])
        }
    }

    /// Nothing is kept of a channel of another node in which nobody is left here.
    func forgetIfAbandoned(_ channel: KnownChannel) throws {
        guard channel.id.node != context.id,
            try !members(of: channel).contains(where: { $0.user.node == context.id })
        else { return }
        try run("DELETE FROM node_channel WHERE channel = ?", [channel.row])
        try run(
            "DELETE FROM node_gap WHERE name = ? AND node = ?", [channel.id.name.text, channel.id.node.text])
    }
}

extension NodeTransaction {
    /// Devices that left their user's list leave the channels of this node (D-14); other nodes learn the list from here.
    func takeOutOfChannels(_ devices: [DeviceID], of user: UserID, isStriking: Bool = false) throws {
        guard !devices.isEmpty else { return }
        let gone = Set(devices.map(\.text))
        for row in try rows(
            """
            SELECT * FROM node_channel
            WHERE channel IN (SELECT channel FROM node_member WHERE user = ?) ORDER BY name, node
            """, [user.text])
        {
            let channel = try KnownChannel(row)
            guard channel.id.node == context.id else {
                if user.node == context.id { try ensureIntroduced(user, to: .node(channel.id.node)) }
                continue
            }
            try settleJoins(of: channel.id)
            let leaving = try members(of: channel).filter { $0.user == user && gone.contains($0.device.text) }
            guard !leaving.isEmpty else { continue }
            try change(channel.id, by: PlannedChange(leaving: leaving.map(\.party)))
            guard isStriking, let version = try self.channel(channel.id)?.version else { continue }
            try noteDeparture(of: leaving, from: channel, at: version, isStriking: true)
        }
    }
}
