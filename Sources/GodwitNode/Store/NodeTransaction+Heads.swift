import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// What expired in a device's queue is not lost to it: it is told which messages were the newest, and asks for them (D-3).
extension NodeTransaction {
    /// Milliseconds for which a device is told; a year.
    private static let headsLifetime: Int64 = 31_536_000_000

    /// Tells devices at home here of the messages that have expired in their queues.
    func tellMissed(_ expired: [SpoolItem]) throws {
        var told: [String: ConversationHeads] = [:]
        for item in expired where item.kind == .message {
            guard let heads = try heads(of: item) else { continue }
            let key = item.destination.text + " " + Self.key(of: heads)
            told[key] = told[key].map { heads.adding($0) } ?? heads
        }
        for heads in told.sorted(by: { $0.key < $1.key }).map(\.value) {
            do { try tell(heads) } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // No room for it: nothing else may fail for that.
            }
        }
    }

    /// A notice that nobody came for in a year is kept for another one, while the device is listed.
    func followUp(_ lost: ConversationHeads, to party: Party) throws {
        guard try isListedHere(party) else { return }
        try tell(lost)
    }

    private func heads(of item: SpoolItem) throws -> ConversationHeads? {
        guard try isListedHere(item.destination), let user = item.destination.user,
            let message = try? Message(parsing: item.body), !message.isAmongOwn
        else { return nil }
        return ConversationHeads(
            to: item.destination, name: ConversationName(message.conversation, of: user), author: message.author,
            heads: [
                ConversationHeads.Head(
                    device: message.device, sequence: message.sequence, hash: message.hash, count: 1)
            ], since: message.timestamp, at: now)
    }

    private func isListedHere(_ party: Party) throws -> Bool {
        guard case .device(let user, let device) = party, user.node == context.id else { return false }
        return try signingKey(of: user, device) != nil
    }

    private static func key(of heads: ConversationHeads) -> String {
        "heads/\(heads.name.address.text)/\(heads.name.channelNode?.text ?? "")/\(heads.author.text)"
    }

    /// Queues a notice in the place of the one that waits.
    private func tell(_ heads: ConversationHeads) throws {
        let key = Self.key(of: heads)
        let before = try row("SELECT item FROM node_latest WHERE party = ? AND key = ?", [heads.to.text, key])
        let older = (before?["item"] as Data?).map { ItemID([UInt8]($0)) }
        var heads = heads
        if let older, let waiting = try spool.waitingItem(older, for: heads.to),
            case .conversationHeads(let earlier)? = try? ProtocolObject(parsing: waiting.body)
        {
            heads = heads.adding(earlier)
        }
        let item = NewItem(
            id: ItemID(SHA256Digest.of(SystemRandom().bytes(32))), kind: .object, body: heads.object.canonicalBytes(),
            destination: heads.to, priority: .control, created: now, lifetime: Self.headsLifetime)
        try run(
            """
            INSERT INTO node_latest (party, key, item) VALUES (?, ?, ?)
            ON CONFLICT (party, key) DO UPDATE SET item = excluded.item
            """, [heads.to.text, key, Data(item.id.bytes)])
        try sweep(after: key, of: heads.to)
        if let older, try spool.supersede(older, by: item) {
            aftermath.touched.insert(heads.to)
        } else {
            try enqueue(item)
        }
    }
}
