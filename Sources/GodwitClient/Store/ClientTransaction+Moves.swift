import FoundationEssentials
import GRDB
import GodwitCrypto
public import GodwitProtocol

/// Channels that move to another node: members follow by themselves (D-18).
extension ClientTransaction {
    /// Moves a channel of this user to the home node.
    ///
    /// - Throws: `ProtocolError` 1002 for a channel of somebody else, 2000 for one that is there, 2002; 3003 when the
    ///   spool is full.
    func move(_ id: ChannelID) throws {
        guard let channel = try channel(id), channel.state == .member || channel.state == .joining else {
            throw ProtocolError(
                .channelNotFound, "This device is not in the channel.",
                hint: "`godwit channel list` shows the channels.",
                details: ["channel": .string(id.name.text)])
        }
        guard id.node != context.home.id else {
            throw ProtocolError.malformed("The channel is on the home node already.", member: "to")
        }
        guard try role(of: context.user, in: channel) == .owner else {
            throw ProtocolError(
                .insufficientPermissions, "Only the owner moves a channel.", hint: "Ask the owner.",
                details: ["channel": .string(id.name.text)])
        }
        let unsigned = ChannelMove.unsigned(id, to: context.home.id, by: context.user, context.device, at: now)
        let object = context.signing.signed(unsigned, purpose: .moved)
        try enqueue(object)
        guard let row = try row("SELECT * FROM client_channel WHERE channel = ?", [channel.row]) else { return }
        let settings = ChannelSettings(
            topic: row["topic"], description: row["description"],
            visibility: Visibility(rawValue: row["visibility"]) ?? .private, sharesHistory: row["shares_history"])
        try follow(try ChannelMove(object), from: channel, creating: true, settings.object)
    }

    /// The owner has moved a channel that this device is in.
    func take(_ move: ChannelMove) throws {
        guard let channel = try channel(move.channel), channel.state == .member || channel.state == .joining else {
            return
        }
        guard let known = try device(move.owner, move.device) else { throw Waiting(.device(move.owner, move.device)) }
        try KeyChecks.verify(move.object, signedBy: known.signingKey, purpose: .moved)
        guard try role(of: move.owner, in: channel) == .owner else {
            throw Rejected(.misdirected, "A channel was moved by somebody who does not own it.")
        }
        guard move.owner != context.user || move.device != context.device else { return }
        try follow(move, from: channel, creating: false, [:])
    }

    /// What is written to the channel goes to its new place from now on; what comes from the old one is read still.
    private func follow(
        _ move: ChannelMove, from channel: KnownChannel, creating: Bool, _ request: JSONObject
    ) throws {
        let new = move.successor
        try run("UPDATE client_channel SET moved_to = ? WHERE channel = ?", [move.to.text, channel.row])
        if try self.channel(new) == nil { try enter(new, creating: creating, request: request) }
        try run(
            "UPDATE client_outbox SET target = ?, conversation = ? WHERE state = 'waiting_keys' AND target = ?",
            [
                MessageTarget.channel(new).description, Conversation.channel(new).text,
                MessageTarget.channel(channel.id).description,
            ])
        try note("moved", ["to": .string(move.to.text)], in: channel.id, at: move.at)
    }

    /// Where what is meant for a target goes: a channel may have moved, more than once.
    func current(_ target: MessageTarget) throws -> MessageTarget {
        var target = target
        var seen: Set<ChannelID> = []
        while case .channel(let id) = target, seen.insert(id).inserted,
            let row = try row(
                "SELECT moved_to FROM client_channel WHERE name = ? AND node = ?", [id.name.text, id.node.text]),
            let node: String = row["moved_to"]
        {
            target = .channel(ChannelID(name: id.name, node: try Self.stored { try NodeID(node) }))
        }
        if case .user(let user) = target { return .user(try current(user)) }
        return target
    }
}

extension Device {
    /// Moves a channel that this user owns to the home node, also when the channel's node is dead. Its members follow.
    ///
    /// - Throws: `ProtocolError` 1002, 2000, 2002, 3003.
    public func moveChannel(_ id: ChannelID) async throws { try await store.write { try $0.move(id) } }
}
