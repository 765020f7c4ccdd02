import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Epochs that start by time (D-14): any member's device starts one, and of several that follow the same epoch the
/// channel's node picks the first that comes.
extension NodeTransaction {
    /// Rotations of a channel that are remembered.
    private static let rotationsKept = 64

    /// - Throws: `MembershipUnknown` where a change of a channel of another node is missing, `AuthorUnknown`.
    func acceptRotation(_ epoch: EpochStart, from peer: Party) throws {
        let isOwn = epoch.channel.node == context.id
        let isFromHub = !isOwn && peer == .node(epoch.channel.node)
        guard isFromHub || peer == epoch.sponsor || peer == .node(epoch.author.node) else {
            throw ProtocolError(.insufficientPermissions, "An epoch comes from its sponsor or the channel's node.")
        }
        let known = try channel(epoch.channel)
        guard let channel = known, epoch.membership <= channel.version else {
            guard !isOwn, known != nil || isFromHub else { throw ProtocolError.unknown(epoch.channel) }
            throw MembershipUnknown(channel: epoch.channel, version: epoch.membership, needsList: known == nil)
        }
        let members = try members(of: channel)
        if !isFromHub { try check(epoch, in: channel, members) }
        guard let key = try signingKey(of: epoch.author, epoch.device) else { throw AuthorUnknown(user: epoch.author) }
        try KeyChecks.verify(epoch.object, signedBy: key, purpose: .epoch)
        let isSide = try isSide(epoch, in: channel, isFromHub: isFromHub)
        let object = epoch.object.omitting(["side"])
        let marked = try EpochStart(isSide ? object.setting("side", true) : object)
        try distributeRotation(marked, to: members, from: peer)
        guard !isOwn, !isFromHub else { return }
        try requirePeer(epoch.channel.node)
        try route(object, to: .node(epoch.channel.node), about: [epoch.author])
    }

    private func check(_ epoch: EpochStart, in channel: KnownChannel, _ members: [KnownMember]) throws {
        guard members.contains(where: { $0.party == epoch.sponsor }) else {
            throw ProtocolError(.insufficientPermissions, "Who starts an epoch is a member.")
        }
        let stored: [UInt8]?
        if epoch.membership == channel.version {
            stored = MemberList(channel: channel.id, version: channel.version, devices: members.map(\.party)).hash
        } else if let row = try row(
            "SELECT membership FROM node_order WHERE channel = ? AND version = ?", [channel.row, epoch.membership])
        {
            stored = try Membership(JSONObject.parse([UInt8](row["membership"] as Data))).deviceSet
        } else {
            stored = try row(
                "SELECT device_set FROM node_epoch WHERE channel = ? AND membership = ?",
                [channel.row, epoch.membership]
            ).map { [UInt8]($0["device_set"] as Data) }
        }
        guard stored == epoch.deviceSet else {
            throw ProtocolError(.insufficientPermissions, "The epoch is for other devices than the channel has.")
        }
    }

    /// What the channel's node has said counts; before that, the first that comes follows.
    private func isSide(_ epoch: EpochStart, in channel: KnownChannel, isFromHub: Bool) throws -> Bool {
        if let known = try row(
            "SELECT side FROM node_rotation WHERE channel = ? AND name = ?", [channel.row, Data(epoch.name)]),
            !isFromHub
        {
            return known["side"]
        }
        let head = try epochHead(of: channel)
        let isSide = isFromHub ? epoch.isSide : head != nil && head != epoch.predecessor
        try run(
            """
            INSERT INTO node_rotation (channel, name, side, membership) VALUES (?, ?, ?, ?)
            ON CONFLICT (channel, name) DO UPDATE SET side = excluded.side
            """, [channel.row, Data(epoch.name), isSide, epoch.membership])
        try run(
            """
            DELETE FROM node_rotation WHERE channel = ?1 AND rotation <=
              (SELECT max(rotation) FROM node_rotation WHERE channel = ?1) - ?2
            """, [channel.row, Self.rotationsKept])
        if !isSide { try noteHead(epoch.name, of: channel) }
        return isSide
    }

    /// The newest epoch, which the next one follows: 32 bytes; nil: none has come.
    func epochHead(of channel: KnownChannel) throws -> [UInt8]? {
        try row("SELECT name FROM node_epoch_head WHERE channel = ?", [channel.row]).map { [UInt8]($0["name"] as Data) }
    }

    func noteHead(_ name: [UInt8], of channel: KnownChannel) throws {
        try run(
            """
            INSERT INTO node_epoch_head (channel, name) VALUES (?, ?)
            ON CONFLICT (channel) DO UPDATE SET name = excluded.name
            """, [channel.row, Data(name)])
    }

    /// To whom it has not come from: on the channel's node other sites, everywhere the members at home.
    private func distributeRotation(_ epoch: EpochStart, to members: [KnownMember], from peer: Party) throws {
        let wrapped = Set(epoch.wraps.map { Party.device($0.userID, $0.device) })
        let members = members.filter { $0.party != epoch.sponsor && (!epoch.hasMore || wrapped.contains($0.party)) }
        if epoch.channel.node == context.id {
            for site in Set(members.map(\.user.node)).subtracting([context.id, epoch.author.node]).sorted() {
                let object = epoch.keepingWraps { $0.userID.node == site }
                try route(object, to: .node(site), about: [epoch.author])
            }
        }
        for party in try listed(members.map(\.party)) {
            let object = epoch.keepingWraps { .device($0.userID, $0.device) == party }
            try route(object, to: party, about: [epoch.author])
        }
    }

    // MARK: Keys to wrap to

    /// A device has published another signed pre-key: channels whose member it is wrap to that one from now on.
    func refreshMemberKeys(_ preKey: SignedPreKey) throws {
        let joiner = Joiner(preKey: preKey)
        for row in try rows(
            """
            SELECT c.* FROM node_channel c JOIN node_member m ON m.channel = c.channel
            WHERE m.user = ? AND m.device = ? ORDER BY c.channel
            """, [preKey.userID.text, preKey.device.text])
        {
            let channel = try KnownChannel(row)
            guard channel.id.node != context.id else {
                try keep(joiner, in: channel)
                continue
            }
            // A node that cannot be reached learns the next one.
            guard channel.version > 0, (try? requirePeer(channel.id.node)) != nil else { continue }
            let keys = MemberKeys(
                channel: channel.id, version: channel.version, to: .node(channel.id.node), keys: [joiner])
            try route(keys.object, to: .node(channel.id.node), about: [preKey.userID])
        }
    }

    private func keep(_ joiner: Joiner, in channel: KnownChannel) throws {
        try run(
            """
            UPDATE node_member SET pre_key = ?4 WHERE channel = ?1 AND user = ?2 AND device = ?3
              AND (pre_key IS NULL OR pre_key <> ?4)
            """,
            [
                channel.row, joiner.userID.text, joiner.device.text, Data(joiner.preKey.object.canonicalBytes()),
            ])
    }

    /// Newer keys of members, from their home node.
    func takeKeys(_ keys: MemberKeys, from peer: Party) throws {
        guard keys.channel.node == context.id, let channel = try channel(keys.channel) else {
            throw ProtocolError.unknown(keys.channel)
        }
        for joiner in keys.keys {
            guard peer == .node(joiner.userID.node) else {
                throw ProtocolError(.insufficientPermissions, "Keys come from their user's node.")
            }
            guard let key = try signingKey(of: joiner.userID, joiner.device) else {
                throw AuthorUnknown(user: joiner.userID)
            }
            try KeyChecks.verify(joiner.preKey.object, signedBy: key, purpose: .preKey)
            try keep(joiner, in: channel)
        }
    }

    /// Bytes of keys in one answer.
    private static let keyBytesMax = 48_000

    /// A member's device wants the pre-keys that have changed: the channel's node answers.
    func answerKeys(_ question: MemberKeys, after: Int64, from peer: Party) throws {
        guard case .device(let user, let device) = question.to, peer == question.to || peer == .node(user.node) else {
            throw ProtocolError(.insufficientPermissions, "A device asks for itself only.")
        }
        guard let channel = try channel(question.channel), try isMember(user, of: channel) else {
            throw ProtocolError.unknown(question.channel)
        }
        guard question.channel.node == context.id else {
            try requirePeer(question.channel.node)
            try enqueueAnew(question.object, to: .node(question.channel.node))
            return
        }
        let next = try hop(towards: user, device)
        var answer = MemberKeys(
            channel: channel.id, version: max(1, channel.version), to: question.to, keys: [], upTo: after)
        var bytes = 0
        for row in try rows(
            """
            SELECT user, device, pre_key, key_number FROM node_member
            WHERE channel = ? AND (key_number > ? OR pre_key IS NULL) ORDER BY key_number, user, device
            """, [channel.row, after])
        {
            let party = Party.device(try UserID(row["user"] as String), try DeviceID(row["device"] as String))
            guard party != question.to else { continue }
            guard let stored: Data = row["pre_key"] else {
                answer.without.append(party)
                continue
            }
            bytes += stored.count
            if bytes > Self.keyBytesMax || answer.keys.count == MemberKeys.keysMax {
                try ensureIntroduced(Set(answer.keys.map(\.userID)), to: next)
                try enqueueAnew(answer.object, to: next)
                (answer.keys, answer.without, bytes) = ([], [], stored.count)
            }
            answer.keys.append(Joiner(preKey: try SignedPreKey(JSONObject.parse([UInt8](stored)))))
            answer.upTo = row["key_number"]
        }
        try ensureIntroduced(Set(answer.keys.map(\.userID)), to: next)
        try enqueueAnew(answer.object, to: next)
    }

    private func ensureIntroduced(_ users: Set<UserID>, to party: Party) throws {
        for user in users.sorted() { try ensureIntroduced(user, to: party) }
    }
}
