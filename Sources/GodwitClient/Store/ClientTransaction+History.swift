import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Earlier conversations for another device of this user, in pages, the newest first (docs/protocol.md §5.4).
extension ClientTransaction {
    /// Queues what was asked for.
    func answer(_ request: SyncRequest, from device: DeviceID) throws {
        var page: [SyncedMessage] = []
        var size = 0
        for entry in try historyEntries(request) {
            let bytes = entry.object.canonicalBytes().count
            // What fills a message by itself cannot be told of in one.
            guard bytes <= 2 * SyncedPage.bytesMax else { continue }
            if !page.isEmpty, size + bytes > SyncedPage.bytesMax || page.count == SyncedPage.entriesMax {
                try tell(device, ["sync": .object(SyncedPage(page).object)])
                (page, size) = ([], 0)
            }
            page.append(entry)
            size += bytes
        }
        if !page.isEmpty { try tell(device, ["sync": .object(SyncedPage(page).object)]) }
    }

    func historyEntries(_ request: SyncRequest) throws -> [SyncedMessage] {
        try rows(
            """
            SELECT m.*, p.body_hash, p.prev, p.seq, p.cover, p.signature FROM (
              SELECT hash, conversation, user, device, timestamp AS at, type, content, is_read FROM client_message
                WHERE shown IS NOT NULL AND hole IS NULL
              UNION ALL SELECT hash, conversation, ?1, ?2, created, 'text', content, 1 FROM client_outbox
                WHERE hash IS NOT NULL AND hole IS NULL AND state NOT IN ('refused', 'expired')
            ) m LEFT JOIN client_proof p ON p.hash = m.hash
            WHERE m.at >= ?3 ORDER BY m.at DESC, m.hash LIMIT ?4
            """,
            [context.user.text, context.device.text, request.since?.milliseconds ?? .min, request.limit]
        ).compactMap { row in try Self.stored { try self.entry(row) } }
    }

    private func entry(_ row: Row) throws -> SyncedMessage? {
        guard let hash = MessageHash(row.blob("hash")), let type = MessageType(rawValue: row["type"]) else {
            return nil
        }
        let target: MessageTarget =
            switch try Conversation(stored: row["conversation"], home: context.home.id) {
            case .channel(let id): .channel(id)
            case .direct(let one, let other): .user(one == context.user ? other : one)
            }
        var entry = SyncedMessage(
            hash: hash, conversation: target, author: try UserID(row["user"] as String),
            device: try DeviceID(row["device"] as String), timestamp: Timestamp(milliseconds: row["at"]), type: type,
            content: try JSONObject.parse(row.blob("content")), isRead: row["is_read"], proof: nil)
        if let bodyHash = row.optionalBlob("body_hash") {
            let cover = row.blob("cover")
            entry.proof = SyncedMessage.Proof(
                bodyHash: bodyHash, previous: row.optionalBlob("prev").flatMap { MessageHash($0) },
                sequence: row["seq"],
                proof: MessageProof(
                    of: hash, hashes: stride(from: 0, to: cover.count, by: 32).map { Array(cover[$0..<$0 + 32]) },
                    signature: row.blob("signature")))
        }
        return entry
    }

    /// Takes over what this device does not have. A text is vouched for by the device that told of it; that the author
    /// wrote a message of the hash is checked where the proof came with it and the author's device is known.
    func take(_ page: SyncedPage) throws {
        for entry in page.entries {
            let conversation = entry.conversation.conversation(of: context.user)
            if case .direct(let one, let other) = conversation, entry.author != one, entry.author != other {
                throw Rejected(.malformed, "A message was told of in a conversation that is not its author's.")
            }
            guard try !isHere(entry, in: conversation) else { continue }
            do {
                try check(entry)
            } catch let rejected as Rejected {
                try warn(rejected, about: entry.author.text)
                continue
            }
            try insert(entry, in: conversation)
        }
    }

    /// A hole of the same author and conversation is none that is here: it is filled.
    private func isHere(_ entry: SyncedMessage, in conversation: Conversation) throws -> Bool {
        try row(
            """
            SELECT 1 FROM client_message WHERE hash = ?1 AND (lost IS NULL OR conversation <> ?2 OR user <> ?3)
            UNION ALL SELECT 1 FROM client_outbox WHERE hash = ?1
            UNION ALL SELECT 1 FROM client_hole WHERE hash = ?1 AND conversation = ?2 LIMIT 1
            """, [Data(entry.hash.bytes), conversation.text, entry.author.text]) != nil
    }

    private func check(_ entry: SyncedMessage) throws {
        guard let proof = entry.proof, let known = try device(entry.author, entry.device) else { return }
        guard let signature = try? Signature(proof.proof.signature), let key = try? VerifyingKey(known.signingKey),
            key.verify(proof.proof.signed.bytes, signature: signature, purpose: .message)
        else {
            throw Rejected(
                .badSignature, "Another device of this user told of a message that its author did not sign.",
                hint: "Look at that device; if you do not know why, remove it with `godwit device remove`.")
        }
    }

    private func insert(_ entry: SyncedMessage, in conversation: Conversation) throws {
        let sequence = entry.proof?.sequence ?? 0
        // What nobody else could give is a hole no more.
        try run("DELETE FROM client_message WHERE hash = ? AND lost IS NOT NULL", [Data(entry.hash.bytes)])
        try run(
            """
            INSERT INTO client_message
              (hash, conversation, user, device, seq, prev, timestamp, received, type, content, starts, is_read, synced,
               shown)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, 1, (SELECT coalesce(max(shown), 0) + 1 FROM client_message))
            """,
            [
                Data(entry.hash.bytes), conversation.text, entry.author.text, entry.device.text, sequence,
                (entry.proof?.previous).map { Data($0.bytes) }, entry.timestamp.milliseconds, now.milliseconds,
                entry.type.rawValue, Data(entry.content.canonicalBytes()),
                entry.isRead || entry.author == context.user,
            ])
        try relate(entry.hash, entry.content, by: entry.author)
        try run("DELETE FROM client_pending WHERE waits_for = ?", [Awaited.bodyKey(entry.hash).text])
        guard let proof = entry.proof else { return }
        try run(
            """
            INSERT INTO client_head (conversation, user, device, seq, hash) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (conversation, user, device) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
              WHERE excluded.seq > seq
            """,
            [
                conversation.text, entry.author.text, entry.device.text, proof.sequence, Data(entry.hash.bytes),
            ])
        try run(
            "INSERT OR IGNORE INTO client_proof (hash, body_hash, prev, seq, cover, signature) VALUES (?, ?, ?, ?, ?, ?)",
            [
                Data(entry.hash.bytes), Data(proof.bodyHash), proof.previous.map { Data($0.bytes) }, proof.sequence,
                Data(proof.proof.hashes.flatMap { $0 }), Data(proof.proof.signature),
            ])
        try releaseSuccessor(of: entry.hash, in: conversation.text)
    }
}
