import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Channels that their owners move to another node (D-18). The channel's node need not live any more: the owner's home
/// node knows the members, and tells their sites.
extension NodeTransaction {
    func accept(_ move: ChannelMove, from source: Party) throws {
        let owner = Party.device(move.owner, move.device)
        guard source == owner || source == .node(move.to) || source == .node(move.channel.node) else {
            throw ProtocolError(.insufficientPermissions, "A channel is moved by its owner's device.")
        }
        guard let key = try signingKey(of: move.owner, move.device) else { throw AuthorUnknown(user: move.owner) }
        try KeyChecks.verify(move.object, signedBy: key, purpose: .moved)
        guard let channel = try channel(move.channel) else { throw ProtocolError.unknown(move.channel) }
        guard
            try row(
                "SELECT 1 FROM node_role WHERE channel = ? AND user = ? AND role = 'owner'",
                [channel.row, move.owner.text]) != nil
        else {
            throw ProtocolError(
                .insufficientPermissions, "A channel is moved by its owner.", hint: "Ask the owner.",
                details: ["channel": .string(move.channel.name.text)])
        }
        try run(
            "INSERT OR IGNORE INTO node_moved (channel, node) VALUES (?, ?)", [channel.row, move.to.text])
        // The channel's node and the owner's may both tell of it.
        guard database.changesCount > 0 else { return }
        let members = try members(of: channel)
        if context.id == move.to || context.id == move.channel.node {
            let sites = Set(members.map(\.user.node) + [move.channel.node]).subtracting([context.id])
            for site in sites.sorted() where .node(site) != source && (try? requirePeer(site)) != nil {
                try route(move.object, to: .node(site), about: [move.owner])
            }
        }
        for party in try listed(members.map(\.party)) where party != owner {
            try route(move.object, to: party, about: [move.owner])
        }
    }

    /// The channel that one of this node was before.
    private func origin(of channel: KnownChannel) throws -> KnownChannel? {
        guard channel.id.node == context.id else { return nil }
        return try row(
            """
            SELECT c.* FROM node_channel c JOIN node_moved m ON m.channel = c.channel
            WHERE c.name = ? AND m.node = ? LIMIT 1
            """, [channel.id.name.text, context.id.text]
        ).map(KnownChannel.init)
    }

    /// Whether a user was a member where the channel comes from.
    func movesAlong(_ user: UserID, to channel: KnownChannel) throws -> Bool {
        guard let origin = try origin(of: channel) else { return false }
        return try isMember(user, of: origin)
    }

    /// Roles of the members are those that they had.
    func takeOverRoles(into channel: KnownChannel) throws {
        guard let origin = try origin(of: channel) else { return }
        for (user, role) in try givenRoles(in: origin) where role != .owner && role != .member {
            try give(RoleGrant(userID: user, role: role), in: channel)
        }
    }
}
