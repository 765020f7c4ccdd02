import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// What this user has read: other devices are told, and authors of direct messages if the user lets them know.
extension ClientTransaction {
    /// Marks what was shown as read, up to and with a row of the inbox.
    func markRead(upTo row: Int64, _ conversation: Conversation?) throws {
        let read = try rows(
            """
            SELECT hash, conversation, user, device, shown FROM client_message
            WHERE shown <= ?1 AND is_read = 0 AND (?2 IS NULL OR conversation = ?2)
              AND user NOT IN (SELECT user FROM client_block) ORDER BY shown
            """, [row, conversation?.text])
        guard !read.isEmpty else { return }
        try run(
            """
            UPDATE client_message SET is_read = 1
            WHERE shown <= ?1 AND is_read = 0 AND (?2 IS NULL OR conversation = ?2)
              AND user NOT IN (SELECT user FROM client_block)
            """, [row, conversation?.text])
        var last: [String: [UInt8]] = [:]
        var receipts: [Party: [[UInt8]]] = [:]
        for row in read {
            let text: String = row["conversation"]
            last[text] = row.blob("hash")
            guard context.tellsOfReading, text.hasPrefix("@") else { continue }
            let author = try UserID(row["user"] as String)
            guard author != context.user else { continue }
            receipts[.device(author, try DeviceID(row["device"] as String)), default: []].append(row.blob("hash"))
        }
        try tellOwn(last)
        for (author, hashes) in receipts.sorted(by: { $0.key.text < $1.key.text }) {
            for start in stride(from: 0, to: hashes.count, by: Receipt.itemsMax) {
                let items = Array(hashes[start..<min(hashes.count, start + Receipt.itemsMax)])
                try enqueue(
                    Receipt(state: .read, items: items, to: author, from: context.party, at: now).object,
                    kind: .receipt)
            }
        }
    }

    /// Own other devices learn how far each conversation was read; of what still waits here only the newest goes.
    private func tellOwn(_ last: [String: [UInt8]]) throws {
        guard try ownDeviceList().devices.count > 1 else { return }
        for (text, hash) in last.sorted(by: { $0.key < $1.key }) {
            guard let upTo = MessageHash(hash) else { continue }
            let conversation = try Conversation(stored: text, home: context.home.id)
            let marker = ReadMarker(
                userID: context.user, device: context.device,
                name: ConversationName(conversation, of: context.user), upTo: upTo, at: now)
            if let before = try row("SELECT item FROM client_marker WHERE conversation = ?", [text]),
                let waiting = try spool.waitingItem(ItemID(before.blob("item")), for: context.homeParty)
            {
                try spool.release([waiting.row])
            }
            let item = try enqueue(marker.object)
            try run(
                """
                INSERT INTO client_marker (conversation, item) VALUES (?, ?)
                ON CONFLICT (conversation) DO UPDATE SET item = excluded.item
                """, [text, Data(item)])
        }
    }

    /// Another device of this user has read so far.
    func take(_ marker: ReadMarker) throws {
        guard marker.userID == context.user, marker.device != context.device else {
            throw Rejected(.misdirected, "A read marker of another user arrived here.")
        }
        try run(
            """
            UPDATE client_message SET is_read = 1 WHERE conversation = ?1
              AND shown <= (SELECT shown FROM client_message WHERE hash = ?2 AND conversation = ?1)
            """, [marker.conversation.text, Data(marker.upTo.bytes)])
    }
}
