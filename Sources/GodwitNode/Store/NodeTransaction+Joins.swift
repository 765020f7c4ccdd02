import GRDB
import GodwitCrypto
import GodwitProtocol

/// A join that waits for the end of its frame.
struct PendingJoin {
    var joiner: Joiner
    /// SHA-256 of the command: what a refusal names.
    var item: [UInt8]
}

/// What `create_channel` asks for.
struct NewChannel {
    var id: ChannelID
    var settings: ChannelSettings
    /// Users who may come in at once.
    var members: [UserID]

    /// - Throws: `ProtocolError` 2000.
    init(_ data: JSONObject, node: NodeID) throws {
        let fields = ObjectReader(data, what: "command")
        let named = data["members"] == nil ? [] : try fields.array("members")
        guard named.count <= NodeTransaction.namedMax else {
            throw ProtocolError.malformed("At most 64 users are named.", member: "members")
        }
        members = try named.map { try UserID($0.string ?? "") }
        settings = ChannelSettings()
        try settings.apply(data)
        let at = data["channel_node"] == nil ? node : try fields.nodeID("channel_node")
        guard data["channel"] != nil else {
            guard !members.isEmpty else {
                throw ProtocolError.malformed(
                    "A channel has a name, or members.", member: "channel", hint: "A group direct names its members.")
            }
            id = ChannelID(name: .group(random: SystemRandom().bytes(16)), node: at)
            settings.visibility = .private
            return
        }
        id = ChannelID(name: try fields.channelName("channel"), node: at)
        guard id.name.text.hasPrefix("#gdm-") else { return }
        guard id.name.isGroup, !members.isEmpty else {
            throw ProtocolError.malformed(
                "Names that begin with #gdm- are those of group directs.", member: "channel",
                hint: "Leave the name out and name the members.")
        }
        settings.visibility = .private
    }
}

/// A join that cannot be carried out.
struct RefusedJoin {
    var join: PendingJoin
    var error: ProtocolError

    var author: Party { .device(join.joiner.userID, join.joiner.device) }
}

extension ProtocolError {
    static var foreignChannel: Self {
        Self(
            .insufficientPermissions, "A channel is created on its creator's home node.",
            hint: "Leave channel_node out, or join the channel there.")
    }
}

extension NodeTransaction {
    /// Creates a channel of this node with its creator as owner; one inside another belongs to the owner of that one.
    /// - Returns: the channel, whose name may have been made here.
    /// - Throws: `ProtocolError` 1002 if it exists, belongs to another node, or the creator may not.
    @discardableResult
    func createChannel(_ wanted: NewChannel, by join: PendingJoin, command: SignedCommand) throws -> ChannelID {
        let id = wanted.id
        guard id.node == context.id else {
            guard id.name.parent != nil else { throw ProtocolError.foreignChannel }
            try requirePeer(id.node)
            try route(command.object, to: .node(id.node), about: [join.joiner.userID])
            return id
        }
        let above = try place(of: id, for: join.joiner.userID)
        try run(
            """
            INSERT INTO node_channel
              (name, node, version, created, last_activity, topic, description, visibility, shares_history)
            VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?)
            """,
            [
                id.name.text, id.node.text, now.milliseconds, now.milliseconds, wanted.settings.topic,
                wanted.settings.description, wanted.settings.visibility.rawValue, wanted.settings.sharesHistory,
            ])
        guard let channel = try channel(id) else { return id }
        if above == nil { try give(RoleGrant(userID: join.joiner.userID, role: .owner), in: channel) }
        try takeOverRoles(into: channel)
        try invite(wanted.members, to: channel, by: join.joiner.userID)
        joins[id, default: []].append(join)
        return id
    }

    /// Channels inside one, at all levels.
    static let descendantsMax = 256

    /// The channel that a new one is in: the nearest above it that exists; nil for one that stands alone.
    ///
    /// - Throws: `ProtocolError` 1002 where the creator may not make it, 2002 where a private one above must not be known.
    private func place(of id: ChannelID, for creator: UserID) throws -> KnownChannel? {
        let levels = try id.name.ancestors.compactMap { try channel(ChannelID(name: $0, node: id.node)) }
        for level in levels { try settleJoins(of: level.id) }
        if let above = levels.first, let top = levels.last {
            try require(.changeSettings, of: creator, in: above)
            guard try descendants(of: top).count < Self.descendantsMax else {
                throw ProtocolError.full(top.id, "sub_channels", Self.descendantsMax)
            }
        } else {
            guard creator.node == context.id else { throw ProtocolError.foreignChannel }
            // Nobody gets power over channels that stand alone by making one above them.
            let below = try row(
                "SELECT 1 FROM node_channel WHERE node = ? AND name >= ? AND name < ? LIMIT 1",
                [id.node.text, id.name.text + "/", id.name.text + "0"])
            guard below == nil else {
                throw ProtocolError(
                    .insufficientPermissions, "There are channels whose names begin with this one.",
                    hint: "Choose another name.")
            }
        }
        guard try channel(id) == nil else {
            throw ProtocolError(
                .insufficientPermissions, "The channel exists already.", hint: "Join it with `godwit channel join`.")
        }
        return levels.first
    }

    /// Takes a device into a channel of this node, or passes the command on to the channel's node.
    /// - Throws: `ProtocolError` 2002 for an unknown channel, 1002 for one that is full or not open to the user.
    func joinChannel(_ id: ChannelID, by join: PendingJoin, command: SignedCommand) throws {
        guard id.node == context.id else {
            try requirePeer(id.node)
            try route(command.object, to: .node(id.node), about: [join.joiner.userID])
            return
        }
        guard let channel = try channel(id) else { throw ProtocolError.unknownChannel }
        let invite = try command.data["invite"]?.object.map { object in try Invite(object) }
        let isMember = try isMember(join.joiner, of: channel)
        let count = try row("SELECT count(*) AS n FROM node_member WHERE channel = ?", [channel.row])?["n"] as Int64?
        if !isMember {
            try requireLater(command, of: join.joiner, than: channel)
            try admit(join.joiner.userID, to: channel, with: invite)
        }
        if count ?? 0 >= Int64(context.membersMax), !isMember { throw full(id) }
        joins[id, default: []].removeAll {
            $0.joiner.userID == join.joiner.userID && $0.joiner.device == join.joiner.device
        }
        joins[id, default: []].append(join)
    }

    /// A join that was under way while its device was taken out must not bring it in again: the device has not learned of
    /// it yet, and nobody has decided anew.
    ///
    /// - Throws: `ProtocolError` 1002 with the version of the departure in `details.departed`.
    private func requireLater(_ command: SignedCommand, of joiner: Joiner, than channel: KnownChannel) throws {
        let fields = ObjectReader(command.data, what: "command")
        guard let known = try fields.optionalInteger("version", in: 0...JSONValue.integerMax),
            let departed = try departure(of: joiner.userID, joiner.device, from: channel), departed > known
        else { return }
        throw ProtocolError(
            .insufficientPermissions, "The device has left the channel, or was taken out of it, since it asked.",
            hint: "Join again, if it still is to be in.",
            details: [
                "channel": .string(channel.id.name.text), "channel_node": .string(channel.id.node.text),
                "departed": .integer(departed),
            ])
    }

    /// Carries out now what a frame has brought of joins to a channel so far; what cannot be carried out is told at the end.
    func settleJoins(of id: ChannelID) throws {
        guard let pending = joins.removeValue(forKey: id) else { return }
        refusedJoins += try settle(pending, in: id)
    }

    private func isMember(_ joiner: Joiner, of channel: KnownChannel) throws -> Bool {
        try row(
            "SELECT 1 FROM node_member WHERE channel = ? AND user = ? AND device = ?",
            [channel.row, joiner.userID.text, joiner.device.text]) != nil
    }

    func full(_ id: ChannelID) -> ProtocolError {
        ProtocolError(
            .insufficientPermissions, "The channel has as many devices as a channel can have.",
            hint: "Join another channel, or ask the channel's owner to open a second one.",
            details: [
                "channel": .string(id.name.text), "channel_node": .string(id.node.text), "limit": "channel_members",
                "value": .integer(Int64(context.membersMax)),
            ])
    }

    /// Makes numbered, signed changes of the membership out of all joins of a frame, as few as can be.
    func settle(_ pending: [PendingJoin], in id: ChannelID) throws -> [RefusedJoin] {
        var refused: [RefusedJoin] = []
        for start in stride(from: 0, to: pending.count, by: Membership.joinedMax) {
            refused += try change(id, by: pending[start..<min(pending.count, start + Membership.joinedMax)])
        }
        // A channel that its creator could not enter was not created.
        if !refused.isEmpty, let channel = try channel(id), channel.version == 0 {
            try run("DELETE FROM node_channel WHERE channel = ?", [channel.row])
        }
        return refused
    }

    /// What cannot be signed and sent as one change is halved until the joins at fault stand alone: one of them keeps
    /// out no other, and holds up no frame.
    private func change(_ id: ChannelID, by joins: ArraySlice<PendingJoin>) throws -> [RefusedJoin] {
        guard let first = joins.first else { return [] }
        do {
            try inSavepoint { try self.change(id, by: PlannedChange(joining: joins.map(\.joiner))) }
            return []
        } catch let error as ProtocolError where !error.isOfStore {
            guard joins.count > 1 else { return [RefusedJoin(join: first, error: error)] }
            let middle = joins.startIndex + joins.count / 2
            return try change(id, by: joins[..<middle]) + change(id, by: joins[middle...])
        }
    }
}
