import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// Messages whose keys failed or do not come: each becomes a hole with a reason in its place, and is asked for
/// (docs/protocol.md §7).
extension ClientTransaction {
    /// What a failed message becomes: a hole with a reason in its place, and a request.
    /// - Returns: false for what is no failure of keys.
    func notesUnreadable(_ kind: BatchItem.Kind, _ body: [UInt8], _ error: any Error) throws -> Bool {
        guard kind != .receipt, let reason = Self.reason(of: error) else { return false }
        if kind == .message, let message = try? Message(parsing: body) {
            // What devices of one user tell each other they ask for in another way.
            guard !message.isAmongOwn else { return false }
            try noteUnreadable(message, reason, due: try age(), isEarlier: error is EarlierEpoch)
            return true
        }
        guard case .resealed(let resealed)? = try? ProtocolObject(parsing: body) else { return false }
        return try wantAgain(resealed)
    }

    /// A session in which a message was sealed again is of no use either: the next request says so. What nobody has
    /// answered for too long is asked for once more, since its author is there.
    /// - Returns: false for a message of which nothing is known here.
    private func wantAgain(_ resealed: ResealedMessage) throws -> Bool {
        let (hash, reason) = (Data(resealed.item.bytes), MessageRequest.Reason.unknownSession.rawValue)
        try run(
            "UPDATE client_want SET reason = ?, session = ? WHERE hash = ?", [reason, resealed.encryption.keyID, hash])
        guard database.changesCount == 0 else { return true }
        let (user, device) = (resealed.from.user.text, resealed.from.device.text)
        guard
            let row = try row(
                "SELECT conversation, seq, lost FROM client_message WHERE hash = ? AND user = ? AND device = ?",
                [hash, user, device])
        else { return false }
        // It has come in another way.
        guard row["lost"] as String? != nil else { return true }
        try run("UPDATE client_message SET lost = ? WHERE hash = ?", [reason, hash])
        try run(
            """
            INSERT INTO client_want (hash, conversation, user, device, seq, reason, session, due)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                hash, row["conversation"] as String, user, device, row["seq"] as Int64, reason,
                resealed.encryption.keyID, try age(),
            ])
        return true
    }

    private static func reason(of error: any Error) -> MessageRequest.Reason? {
        switch error {
        case is EarlierEpoch: .noEpoch
        case let rejected as Rejected where rejected.code == .unreadable: .preKeyGone
        case CryptoError.keyGone, CryptoError.tooFarAhead: .keyGone
        case is CryptoError: .undecipherable
        default: nil
        }
    }

    /// - Precondition: the message's signature was verified.
    ///
    /// - Parameter isEarlier: it is from before the own coming, of which only so much is asked for.
    private func noteUnreadable(
        _ message: Message, _ reason: MessageRequest.Reason, due: Int64, isEarlier: Bool = false
    ) throws {
        let wanted = try row("SELECT reason FROM client_want WHERE hash = ?", [Data(message.hash.bytes)])
        guard wanted == nil || wanted?["reason"] == MessageRequest.Reason.missing.rawValue else { return }
        guard try integer("SELECT count(*) FROM client_want") ?? 0 < Self.wantsMax else {
            return try warn(
                Rejected(
                    .overflow, "Too many messages are asked for at a time; one was not.",
                    hint: "It is asked for again when some have come."), about: message.author.text)
        }
        try run(
            """
            INSERT INTO client_message
              (hash, conversation, user, device, seq, prev, timestamp, received, type, content, starts, lost)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (hash) DO UPDATE SET conversation = excluded.conversation, user = excluded.user,
              device = excluded.device, seq = excluded.seq, prev = excluded.prev, timestamp = excluded.timestamp,
              content = excluded.content, starts = excluded.starts, lost = excluded.lost, late = NULL, shown = NULL
              WHERE user <> excluded.user OR device <> excluded.device
            """,
            [
                Data(message.hash.bytes), message.conversation.text, message.author.text, message.device.text,
                message.sequence, message.previous.map { Data($0.bytes) }, message.timestamp.milliseconds,
                now.milliseconds, message.type.rawValue, Self.emptied,
                try message.sequence == 0 || isFirst(message), reason.rawValue,
            ])
        if !isEarlier { try noteLink(ChainLink(message), starts: false) }
        if case .direct = message.address {
            // With a body for several devices it is the session through which the key was wrapped for this one.
            let wrap = message.wraps.first { $0.party == context.party }
            try want(message, reason, session: wrap?.session ?? message.encryption.keyID, due: due)
        } else {
            try want(message, reason, session: nil, due: due)
        }
        try release(message)
    }

    /// Nothing of the chain was ever here, so that nothing before it is waited for.
    private func isFirst(_ message: Message) throws -> Bool {
        try row(
            "SELECT 1 FROM client_message WHERE conversation = ? AND user = ? AND device = ? LIMIT 1",
            [message.conversation.text, message.author.text, message.device.text]) == nil
    }

    private func want(
        _ message: Message, _ reason: MessageRequest.Reason, session: String?, due: Int64
    ) throws {
        try run(
            """
            INSERT OR REPLACE INTO client_want (hash, conversation, user, device, seq, reason, session, due)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Data(message.hash.bytes), message.conversation.text, message.author.text, message.device.text,
                message.sequence, reason.rawValue, session, due,
            ])
    }

    /// What has waited for long enough for a session, an epoch or a key is asked for; it stays among what waits, for the
    /// keys may still come.
    func noteWaiting() throws {
        let rows = try rows(
            """
            SELECT pending, waits_for, body FROM client_pending
            WHERE kind = ? AND came <= ? AND (waits_for LIKE 'session:%' OR waits_for LIKE 'epoch:%'
              OR waits_for LIKE 'key:%') ORDER BY pending
            """, [BatchItem.Kind.message.rawValue, try age() - Self.wantPatience])
        for row in rows {
            let message = try Self.stored { try Message(parsing: row.blob("body")) }
            guard !message.isAmongOwn else { continue }
            if let known = try self.row(
                "SELECT lost, synced FROM client_message WHERE hash = ? AND user = ? AND device = ?",
                [Data(message.hash.bytes), message.author.text, message.device.text])
            {
                // It has come sealed again meanwhile. What another own device told stays unproven.
                if known["lost"] as String? == nil, !(known["synced"] as Bool) { try stopReading(row["pending"]) }
                continue
            }
            let waits: String = row["waits_for"]
            let reason: MessageRequest.Reason =
                waits.hasPrefix("session:") ? .unknownSession : waits.hasPrefix("epoch:") ? .noEpoch : .noEntry
            try noteUnreadable(message, reason, due: try age())
        }
    }

    /// A message that was sealed again in a session that never came: the next request says so.
    func noteWaitingResealed() throws {
        for row in try rows(
            "SELECT pending, body FROM client_pending WHERE kind = ? AND came <= ? AND waits_for LIKE 'session:%'",
            [BatchItem.Kind.object.rawValue, try age() - Self.wantPatience])
        {
            guard case .resealed(let resealed)? = try? ProtocolObject(parsing: row.blob("body")) else { continue }
            try run("DELETE FROM client_pending WHERE pending = ?", [row["pending"] as Int64])
            try run(
                "UPDATE client_want SET reason = ?, session = ?, due = ? WHERE hash = ?",
                [
                    MessageRequest.Reason.unknownSession.rawValue, resealed.encryption.keyID, try age(),
                    Data(resealed.item.bytes),
                ])
        }
    }

    /// The epoch of a join that follows from one which never came: this device asks to be let in again, which brings it the
    /// newest. For one from before the last list of members it has done so.
    func noteStuckEpochs() throws {
        for row in try rows(
            "SELECT pending, body FROM client_pending WHERE kind = ? AND came <= ? AND waits_for LIKE 'epoch:%'",
            [BatchItem.Kind.object.rawValue, try age() - patience(Self.stuckPatience)])
        {
            guard case .membership(let change)? = try? ProtocolObject(parsing: row.blob("body")) else { continue }
            try run("DELETE FROM client_pending WHERE pending = ?", [row["pending"] as Int64])
            guard let channel = try channel(change.channel), change.version >= channel.listed else { continue }
            try askAgain(for: channel)
        }
    }

    /// Users whose lists are asked for in one contact.
    private static let authorsMax = 4

    /// A list with the device of something's author has not come, and nothing brings it any more: its user's home node is
    /// asked, and again where the question or its answer was lost (`lookupPatience`).
    func lookForAuthors() throws {
        for row in try rows(
            """
            SELECT user FROM (
              SELECT substr(waits_for, 8, instr(waits_for, '/') - 8) AS user, min(pending) AS first FROM client_pending
              WHERE waits_for GLOB 'device:*' AND came <= ? GROUP BY user)
            WHERE user NOT IN (SELECT user FROM client_lookup) ORDER BY first LIMIT ?
            """, [try age() - patience(Self.epochPatience), Self.authorsMax])
        {
            let user = try Self.stored { try UserID(row["user"] as String) }
            do {
                try inSavepoint { try self.lookUp(user, refresh: true) }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                // Asked once there is room. A contact, which makes room, must not fail for it.
                return
            }
        }
    }
}
