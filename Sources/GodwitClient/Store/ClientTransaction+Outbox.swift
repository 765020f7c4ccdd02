import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension OutboxEntry {
    init(_ row: Row, home: NodeID) throws {
        self.init(
            row: row["row"], target: try MessageTarget(row["target"], defaultNode: home),
            conversation: try Conversation(stored: row["conversation"], home: home),
            content: try JSONObject.parse(row.blob("content")), created: Timestamp(milliseconds: row["created"]),
            state: State(rawValue: row["state"]) ?? .refused,
            hash: row.optionalBlob("hash").flatMap { MessageHash($0) },
            error: try row.optionalBlob("error").flatMap { ProtocolError(object: try JSONObject.parse($0)) },
            isDeleted: row["hole"] as String? != nil, wasRead: row["was_read"],
            wasForwarded: row["forwarded"],
            relatesTo: try row.optionalBlob("relates").map { bytes in try MessageID("msg_" + Base32.encode(bytes)) })
    }
}

extension ClientTransaction {
    func outboxEntry(_ number: Int64) throws -> OutboxEntry? {
        try row("SELECT * FROM client_outbox WHERE row = ?", [number])
            .map { try OutboxEntry($0, home: context.home.id) }
    }

    /// Puts a content into the outbox and sees that its keys are on their way.
    ///
    /// - Returns: row of the entry.
    /// - Throws: `ProtocolError` 2000, 2001, 2002, 2003; 3003 when the spool is full. Nothing is kept then.
    func compose(_ content: JSONObject, to wanted: MessageTarget) throws -> Int64 {
        // What is about another message stays in that one's conversation.
        let target = if case .user = wanted, ContentRelation(content) != nil { wanted } else { try current(wanted) }
        _ = try pack(content, to: target, created: now)
        try prepare(target)
        let conversation = target.conversation(of: context.user).text
        try run(
            """
            INSERT INTO client_outbox (conversation, target, content, created, state, came)
            VALUES (?, ?, ?, ?, 'waiting_keys', ?)
            """, [conversation, target.description, Data(content.canonicalBytes()), now.milliseconds, try age()])
        let number = database.lastInsertedRowID
        if let relation = ContentRelation(content), let about = relation.target.prefix {
            try run(
                "UPDATE client_outbox SET relation = ?, relates = ? WHERE row = ?",
                [relation.name, Data(about), number])
        }
        try flush(conversation)
        return number
    }

    private func prepare(_ target: MessageTarget) throws {
        switch target {
        case .channel(let id):
            guard let channel = try channel(id), channel.state == .joining || channel.state == .member else {
                throw ProtocolError(
                    .channelNotFound, "This device is not in the channel.",
                    hint: "Join it first: `godwit channel join`.", details: ["channel": .string(id.name.text)])
            }
        case .user(context.user):
            throw ProtocolError(
                .userNotFound, "A direct message goes to somebody else.", hint: "Check the address.")
        case .user(let user):
            _ = try readers(of: user)
        }
    }

    // MARK: What became of entries

    /// Marks all entries for a target that still wait for keys as refused.
    func failWaiting(for target: MessageTarget, _ error: ProtocolError) throws {
        try run(
            "UPDATE client_outbox SET state = 'refused', error = ? WHERE state = 'waiting_keys' AND target = ?",
            [Data(error.object(at: now).canonicalBytes()), target.description])
    }

    /// Takes over from the queue what has been handed over.
    func settleOutbox() throws {
        for row in try rows("SELECT row, hash FROM client_outbox WHERE state = 'sealed'") {
            let custody = try spool.custody(of: ItemID(row.blob("hash")))
            guard custody.contains(where: { $0.destination == context.homeParty && $0.state == .forwarded }) else {
                continue
            }
            try run("UPDATE client_outbox SET state = 'at_node' WHERE row = ?", [row["row"] as Int64])
        }
    }

    /// Something that this device sent goes no further.
    func take(_ refusal: Refusal) throws {
        guard refusal.to == context.party else {
            throw Rejected(.misdirected, "A refusal for another device arrived here.")
        }
        let error = Data(refusal.error.object(at: refusal.at).canonicalBytes())
        if refusal.error.details["destination"] != nil { return try noteExpired(refusal, error) }
        if let last = refusal.error.details["counter"]?.integer, try numberOn(from: last, refusal.item) { return }
        try noteReturned(refusal)
        try run(
            "UPDATE client_outbox SET state = 'refused', error = ? WHERE hash = ? AND state <> 'delivered'",
            [error, Data(refusal.item)])
        if database.changesCount > 0 { return }
        if let row = try row("SELECT user, refresh FROM client_lookup WHERE item = ?", [Data(refusal.item)]) {
            // Nothing waits for a refresh.
            guard row["refresh"] as Bool == false else { return }
            let user: String = row["user"]
            try run("DELETE FROM client_lookup WHERE user = ?", [user])
            try noteKeyless(try UserID(user))
            try failWaiting(for: .user(try UserID(user)), refusal.error)
            return
        }
        if let row = try row("SELECT * FROM client_channel WHERE command = ?", [Data(refusal.item)]) {
            let channel = try KnownChannel(row)
            guard channel.state == .joining else { return }
            if let version = refusal.error.details["departed"]?.integer, version > channel.applied {
                return try end(channel, with: version, at: refusal.at)
            }
            try run("UPDATE client_channel SET state = 'refused', error = ? WHERE channel = ?", [error, channel.row])
            try failWaiting(for: .channel(channel.id), refusal.error)
            return
        }
        try stays(refusal)
        // An epoch that nobody else gets must not be written in, and what was can be read by nobody.
        try run(
            """
            UPDATE client_outbox SET state = 'refused', error = ?
            WHERE state IN ('sealed', 'at_node') AND epoch = (SELECT name FROM client_epoch WHERE item = ?)
            """, [error, Data(refusal.item)])
        try run("UPDATE client_epoch SET next = NULL WHERE item = ?", [Data(refusal.item)])
        try warn(
            Rejected(.refused, refusal.error.message, hint: refusal.error.hint),
            about: refusal.error.details["channel"]?.string)
    }

    /// A copy of a message has expired on the way. It is sealed again for whoever asks for it; to a channel it has gone
    /// unless its node never got it.
    private func noteExpired(_ refusal: Refusal, _ error: Data) throws {
        guard let row = try row("SELECT target FROM client_outbox WHERE hash = ?", [Data(refusal.item)]) else { return }
        if case .channel(let id) = try MessageTarget(row["target"], defaultNode: context.home.id) {
            guard refusal.error.details["destination"]?.string == Party.node(id.node).text else { return }
        }
        try run(
            """
            UPDATE client_outbox SET state = 'expired', error = ? WHERE hash = ? AND state IN ('sealed', 'at_node')
            """, [error, Data(refusal.item)])
    }

    /// What readers and nodes say. Receipts are not signed: one about a direct message counts from its reader only.
    func take(_ receipt: Receipt) throws {
        guard receipt.to == context.party else {
            throw Rejected(.misdirected, "A receipt for another device arrived here.")
        }
        guard receipt.state == .delivered || receipt.state == .read, case .device(let reader, let device) = receipt.from
        else {
            return
        }
        let conversation = Conversation.between(context.user, reader).text
        for item in receipt.items {
            try noteReceived(item, by: reader, device)
            try run(
                """
                UPDATE client_outbox SET state = 'delivered', error = NULL, was_read = max(was_read, ?)
                WHERE conversation = ? AND hash >= ? AND hash <= ?
                  AND state IN ('sealed', 'at_node', 'expired', 'delivered')
                """,
                [
                    receipt.state == .read, conversation, Data(item + [UInt8](repeating: 0, count: 22)),
                    Data(item + [UInt8](repeating: 255, count: 22)),
                ])
        }
    }

    /// Tells authors that their direct messages were read here: one receipt an author's device and frame.
    func sendReceipts() throws {
        for (author, hashes) in delivered.sorted(by: { $0.key.text < $1.key.text }) {
            for start in stride(from: 0, to: hashes.count, by: Receipt.itemsMax) {
                let items = Array(hashes[start..<min(hashes.count, start + Receipt.itemsMax)])
                let receipt = Receipt(state: .delivered, items: items, to: author, from: context.party, at: now)
                try enqueue(receipt.object, kind: .receipt)
            }
        }
        delivered = [:]
    }
}
