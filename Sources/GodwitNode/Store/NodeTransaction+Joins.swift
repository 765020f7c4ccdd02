import GRDB
import GodwitCrypto
import GodwitProtocol

/// A join that waits for the end of its frame.
struct PendingJoin {
    var joiner: Joiner
    /// SHA-256 of the command: what a refusal names.
    var item: [UInt8]
}

/// A join that cannot be carried out.
struct RefusedJoin {
    var join: PendingJoin
    var error: ProtocolError

    var author: Party { .device(join.joiner.userID, join.joiner.device) }
}

extension NodeTransaction {
    /// Creates a channel of this node with its creator as owner.
    /// - Throws: `ProtocolError` 1002 if it exists or belongs to another node.
    func createChannel(_ id: ChannelID, by join: PendingJoin) throws {
        guard id.node == context.id, join.joiner.userID.node == context.id else {
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
        joins[id, default: []].append(join)
    }

    /// Takes a device into a channel of this node, or passes the command on to the channel's node.
    /// - Throws: `ProtocolError` 2002 for an unknown channel, 1002 for one that is full.
    func joinChannel(_ id: ChannelID, by join: PendingJoin, command: SignedCommand) throws {
        guard id.node == context.id else {
            try requirePeer(id.node)
            try route(command.object, to: .node(id.node), about: [join.joiner.userID])
            return
        }
        guard let channel = try channel(id) else {
            throw ProtocolError(
                .channelNotFound, "There is no such channel on this node.", hint: "`godwit channel list` shows them.")
        }
        let count = try row("SELECT count(*) AS n FROM node_member WHERE channel = ?", [channel.row])?["n"] as Int64?
        if count ?? 0 >= Int64(context.membersMax), try !isMember(join.joiner, of: channel) { throw full(id) }
        joins[id, default: []].removeAll {
            $0.joiner.userID == join.joiner.userID && $0.joiner.device == join.joiner.device
        }
        joins[id, default: []].append(join)
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
            try inSavepoint { try self.changeMembership(of: id, joining: joins.map(\.joiner)) }
            return []
        } catch let error as ProtocolError where !error.isOfStore {
            guard joins.count > 1 else { return [RefusedJoin(join: first, error: error)] }
            let middle = joins.startIndex + joins.count / 2
            return try change(id, by: joins[..<middle]) + change(id, by: joins[middle...])
        }
    }
}
