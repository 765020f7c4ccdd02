import FoundationEssentials
import GRDB
import GodwitLink
import GodwitProtocol

/// What a device missed while it was dark for longer than messages live: its home node tells the newest of each chain, the
/// rest is asked for like any gap (D-3), and other devices of the user are asked for what they have.
extension ClientTransaction {
    func take(_ notice: ConversationHeads) throws {
        guard notice.to == context.party else {
            throw Rejected(.misdirected, "Heads of a conversation for another device arrived here.")
        }
        let conversation = notice.name.conversation(of: context.user)
        switch conversation {
        case .direct(let one, let other):
            guard notice.author == one || notice.author == other else {
                throw Rejected(.malformed, "Heads of a conversation are of an author who is not in it.")
            }
        case .channel(let id): guard try channel(id)?.state == .member else { return }
        }
        let patience = try asksOwnDevices ? Self.askPatience : Self.wantPatience
        var missed = false
        for head in notice.heads {
            let author = DeviceAddress(user: notice.author, device: head.device)
            if try noteMissed(head, of: author, in: conversation, due: age() + patience) { missed = true }
        }
        if missed { try askOwnDevices(since: notice.since) }
    }

    /// Asks for the newest message of a chain, and for as many before it as have expired.
    ///
    /// - Returns: whether it is missing.
    private func noteMissed(
        _ head: ConversationHeads.Head, of author: DeviceAddress, in conversation: Conversation, due: Int64
    ) throws -> Bool {
        let chain: StatementArguments = [conversation.text, author.user.text, author.device.text]
        let newest = try integer(
            "SELECT max(seq) FROM client_message WHERE conversation = ? AND user = ? AND device = ?", chain)
        // Where a later one is here, what it follows was asked for when it came.
        guard newest ?? -1 < head.sequence, author.device != context.device,
            try row("SELECT 1 FROM client_hole WHERE hash = ?", [Data(head.hash.bytes)]) == nil,
            try integer("SELECT count(*) FROM client_want") ?? 0 < Self.wantsMax
        else { return false }
        let count = min(head.count, head.sequence + 1)
        let floor = newest.map { $0 + 1 } ?? (head.sequence + 1 - count)
        try run(
            """
            INSERT OR IGNORE INTO client_want (hash, conversation, user, device, seq, run, reason, due, floor)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Data(head.hash.bytes), conversation.text, author.user.text, author.device.text, head.sequence,
                min(MessageRequest.runMax, head.sequence + 1 - floor), MessageRequest.Reason.missing.rawValue, due,
                floor,
            ])
        return database.changesCount > 0
    }

    // MARK: Other devices of the user

    /// From Tier 3 up, and where there are any: a page of history costs more than the one message of which it was not known
    /// that it is there.
    private var asksOwnDevices: Bool {
        get throws { try context.tier >= .medium && !otherDevices(of: context.user).isEmpty }
    }

    /// One request for each of them, however many conversations it is for.
    private func askOwnDevices(since: Timestamp) throws {
        guard try asksOwnDevices else { return }
        for device in try otherDevices(of: context.user) {
            var since = since
            for row in try rows("SELECT row, content FROM client_own_outbox WHERE device = ?", [device.text]) {
                let content = try ownContent(row)
                guard let waiting = content["sync_request"]?.object, let earlier = try? SyncRequest(waiting).since
                else { continue }
                since = min(since, earlier)
                try run("DELETE FROM client_own_outbox WHERE row = ?", [row["row"] as Int64])
            }
            try tell(
                device, ["sync_request": .object(SyncRequest(since: since, limit: SyncRequest.limitMax).object)])
        }
    }
}
