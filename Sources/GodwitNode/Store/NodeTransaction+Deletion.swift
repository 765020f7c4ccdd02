import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Messages that are taken back: journal and queues lose their bodies, what comes later of them is not kept.
extension NodeTransaction {
    /// Messages that a user has taken back before they came here.
    static let takenBackMax: Int64 = 1_024
    /// Milliseconds for which such a one is remembered: the longest lifetime of a message.
    private static let takenBackLifetime: Int64 = 31_536_000_000

    /// - Throws: `ProtocolError` 1002 where the deleter's role does not allow it, or a message is another's.
    func accept(_ deletion: Deletion, from source: Party) throws {
        let hub: NodeID? = if case .channel(let id) = deletion.conversation { id.node } else { nil }
        let key = try authorKey(of: deletion.userID, deletion.device, from: source, via: hub)
        try KeyChecks.verify(deletion.object, signedBy: key, purpose: .deletion)
        if case .device(let user, let device) = source, user != deletion.userID || device != deletion.device {
            throw ProtocolError(
                .insufficientPermissions, "A device sends its own deletions only.", hint: "Log in as the author.")
        }
        switch deletion.conversation {
        case .direct(let one, let other):
            // The same again goes no further; nor does anything to somebody who has blocked the deleter.
            guard try takeBack(deletion, anyAuthor: false) else { return }
            let reader = one == deletion.userID ? other : one
            let targets =
                reader.node == context.id
                ? try blocks(reader, deletion.userID) ? [] : devices(of: reader).map { Party.device(reader, $0) }
                : [try nodeTowards(reader)]
            try pass(on: deletion, to: targets + (try ownOthers(deletion)))
        case .channel(let id): try accept(deletion, in: id, from: source)
        }
    }

    private func nodeTowards(_ user: UserID) throws -> Party {
        try requirePeer(user.node)
        return .node(user.node)
    }

    /// The deleter's other devices, if it is at home here.
    private func ownOthers(_ deletion: Deletion) throws -> [Party] {
        guard deletion.userID.node == context.id else { return [] }
        return try devices(of: deletion.userID).filter { $0 != deletion.device }
            .map { .device(deletion.userID, $0) }
    }

    private func accept(_ deletion: Deletion, in id: ChannelID, from source: Party) throws {
        let isJudged = id.node != context.id && source == .node(id.node)
        guard let channel = try channel(id) else {
            if isJudged { throw MembershipUnknown(channel: id, version: 1, needsList: true) }
            throw ProtocolError.unknown(id)
        }
        let members = try members(of: channel)
        if !isJudged, try self.role(of: deletion.userID, in: channel) == nil, try isPrivate(channel) {
            throw ProtocolError.unknown(id)
        }
        let role =
            try members.first { $0.user == deletion.userID && $0.device == deletion.device }?.role
            ?? (wasStruck(deletion.userID, deletion.device, from: channel) ? .member : nil)
        if isJudged {
            _ = try takeBack(deletion, anyAuthor: true)
        } else {
            guard let role, role.may(.deleteOwnMessages) else {
                throw ProtocolError(
                    .insufficientPermissions, "The device may not delete messages of this channel.",
                    hint: "Join the channel, or ask a moderator.", details: ["channel": .string(id.name.text)])
            }
            // Of a channel of another node, that one judges what is not the deleter's own.
            let isHome = id.node == context.id
            let isNews = try takeBack(
                deletion, anyAuthor: isHome && role.may(.deleteOthersMessages), skippingOthers: !isHome)
            guard isNews || !isHome else { return }
            guard isHome else {
                try requirePeer(id.node)
                return try pass(on: deletion, to: [.node(id.node)])
            }
        }
        let author = Party.device(deletion.userID, deletion.device)
        var targets = try listed(members.map(\.party).filter { $0 != author })
        if id.node == context.id {
            targets += Set(members.map(\.user.node)).subtracting([context.id]).sorted().map(Party.node)
        }
        try pass(on: deletion, to: targets)
    }

    /// Takes the bodies out of the journal, and notes what has not come yet.
    /// - Returns: false where all of it had been taken back before.
    private func takeBack(_ deletion: Deletion, anyAuthor: Bool, skippingOthers: Bool = false) throws -> Bool {
        var isNews = false
        for hash in deletion.items {
            guard let known = try journalRow(hash) else {
                if try noteTakenBack(hash, deletion, anyAuthor: anyAuthor) { isNews = true }
                continue
            }
            let isOwn = known["author"] as String == deletion.userID.text
            guard known["conversation"] as String == deletion.conversation.text, isOwn || anyAuthor else {
                if skippingOthers { continue }
                throw ProtocolError(
                    .insufficientPermissions, "A message that is named is another's, or of another conversation.",
                    hint: "Name messages of this conversation that the role allows to delete.",
                    details: ["message_id": .string(hash.id.text)])
            }
            // One whose body is not kept may still wait in queues.
            guard known["hole"] as String? != Hole.deleted.rawValue else { continue }
            try makeHole(known["arrival"], .deleted, by: deletion.userID.text)
            isNews = true
        }
        return isNews
    }

    /// Of too many the oldest is forgotten: what is judged elsewhere must take hold here.
    /// - Returns: false where it was noted before.
    private func noteTakenBack(_ hash: MessageHash, _ deletion: Deletion, anyAuthor: Bool) throws -> Bool {
        let user = deletion.userID.text
        let isKnown =
            try row("SELECT 1 FROM node_taken_back WHERE hash = ? AND user = ?", [Data(hash.bytes), user]) != nil
        let count = try row("SELECT count(*) AS n FROM node_taken_back WHERE user = ?", [user])?["n"] as Int64?
        if !isKnown, count ?? 0 >= Self.takenBackMax {
            try run(
                """
                DELETE FROM node_taken_back WHERE user = ?1 AND hash =
                  (SELECT hash FROM node_taken_back WHERE user = ?1 ORDER BY ends, hash LIMIT 1)
                """, [user])
        }
        try run(
            """
            INSERT INTO node_taken_back (hash, conversation, user, any_author, ends) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (hash, user) DO UPDATE SET conversation = excluded.conversation,
              any_author = excluded.any_author, ends = excluded.ends
            """,
            [
                Data(hash.bytes), deletion.conversation.text, user, anyAuthor,
                try spool.uptime() + Self.takenBackLifetime,
            ])
        return !isKnown
    }

    /// Who has taken a message back before it came; nil: nobody who may.
    func deleter(of message: Message) throws -> String? {
        let statement = try spool.prepared(
            "SELECT user FROM node_taken_back WHERE hash = ? AND conversation = ? AND (any_author OR user = ?)")
        statement.bind(1, message.hash.bytes)
        statement.bind(2, message.conversation.text)
        statement.bind(3, message.author.text)
        guard let deleter = try statement.first({ $0.text(0) }) else { return nil }
        try run("DELETE FROM node_taken_back WHERE hash = ?", [Data(message.hash.bytes)])
        return deleter
    }

    func forgetTakenBack() throws {
        try run("DELETE FROM node_taken_back WHERE ends <= ?", [try spool.uptime()])
    }

    /// Queues the deletion, and takes what it names out of the queues as far as no frame holds it.
    private func pass(on deletion: Deletion, to targets: [Party]) throws {
        let body = deletion.object.canonicalBytes()
        let id = ItemID(SHA256Digest.of(body))
        for target in targets {
            try ensureIntroduced(deletion.userID, to: target)
            let item = NewItem(
                id: id, kind: .object, body: body, destination: target, priority: .revocation, created: now,
                lifetime: Message.defaultLifetime,
                owner: deletion.userID.node == context.id ? .device(deletion.userID, deletion.device) : nil)
            for hash in deletion.items {
                guard try mayTakeBack(hash, deletion),
                    let waiting = try spool.waitingItem(ItemID(hash.bytes), for: target)
                else { continue }
                // On a socket an item is known by its row, which may be on its way: only what goes in frames takes
                // the place of another.
                if case .node = target {
                    _ = try spool.supersede(ItemID(hash.bytes), by: item)
                    aftermath.touched.insert(target)
                } else {
                    try spool.release([waiting.row])
                }
            }
            try enqueue(item)
        }
    }

    /// What was left to the channel's node to judge stays in the queues until that has judged.
    private func mayTakeBack(_ hash: MessageHash, _ deletion: Deletion) throws -> Bool {
        guard let known = try journalRow(hash) else { return false }
        return known["hole"] as String? == Hole.deleted.rawValue
    }
}
