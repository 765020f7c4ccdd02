import FoundationEssentials
import GRDB
import GodwitProtocol

/// Shows messages in their author's order (D-3): each names the one before, and is held back until that one is shown.
extension ClientTransaction {
    /// Messages of one chain that are held back; with one more, the first of them is shown with a mark of the gap.
    static let heldMax: Int64 = 64
    /// Milliseconds of uptime after which a message is shown though the one before never came.
    static let heldTime: Int64 = 86_400_000

    /// One device's chain in one conversation.
    private struct Chain {
        var conversation: String
        var user: String
        var device: String
        var key: StatementArguments { [conversation, user, device] }
    }

    private static let held = """
        SELECT * FROM client_message
        WHERE conversation = ? AND user = ? AND device = ? AND shown IS NULL
        """

    func release(_ message: Message) throws {
        try release(
            Chain(conversation: message.conversation.text, user: message.author.text, device: message.device.text))
    }

    func release(conversation: String, user: String, device: String) throws {
        try release(Chain(conversation: conversation, user: user, device: device))
    }

    /// A message that was taken back holds up nothing that comes after it.
    func releaseSuccessor(of hash: MessageHash, in conversation: String) throws {
        for row in try rows(
            """
            SELECT conversation, user, device FROM client_message
            WHERE prev = ? AND conversation = ? AND shown IS NULL
            """, [Data(hash.bytes), conversation])
        {
            try release(Chain(conversation: row["conversation"], user: row["user"], device: row["device"]))
        }
    }

    private func release(_ chain: Chain) throws {
        while true {
            if let next = try next(in: chain) {
                try show(next, in: chain, afterGap: isHole(next, afterGapIn: chain))
                continue
            }
            let count = try integer(
                """
                SELECT count(*) FROM client_message
                WHERE conversation = ? AND user = ? AND device = ? AND shown IS NULL
                """, chain.key)
            guard count ?? 0 > Self.heldMax, let first = try row(Self.held + " ORDER BY seq LIMIT 1", chain.key) else {
                return
            }
            try show(first, in: chain, afterGap: true)
        }
    }

    private func head(of chain: Chain) throws -> (seq: Int64, hash: [UInt8])? {
        try row("SELECT seq, hash FROM client_head WHERE conversation = ? AND user = ? AND device = ?", chain.key)
            .map { ($0["seq"], $0.blob("hash")) }
    }

    /// What may be shown now: the successor of what was shown last, something that comes late, or the start.
    private func next(in chain: Chain) throws -> Row? {
        guard let head = try head(of: chain) else {
            // Without a head, but with the one before: this device was away in between.
            return try row(
                Self.held + """
                     AND (starts = 1 OR EXISTS
                      (SELECT 1 FROM client_message p WHERE p.hash = client_message.prev AND p.shown IS NOT NULL))
                    ORDER BY seq LIMIT 1
                    """, chain.key)
        }
        return try row(
            Self.held + """
                 AND (seq <= ? OR (seq = ? AND EXISTS
                  (SELECT 1 FROM client_message p WHERE p.hash = client_message.prev AND p.shown IS NOT NULL))
                  OR (lost IS NOT NULL AND prev IS NULL) OR EXISTS (SELECT 1 FROM client_hole h
                    WHERE h.hash = client_message.prev AND h.conversation = client_message.conversation))
                ORDER BY seq LIMIT 1
                """, chain.key + [head.seq, head.seq + 1])
    }

    /// A message that will not come, with others before it of which nothing is known.
    private func isHole(_ message: Row, afterGapIn chain: Chain) throws -> Bool {
        guard message["lost"] as String? != nil, message.optionalBlob("prev") == nil else { return false }
        let seq: Int64 = message["seq"]
        // A chain of a channel that was left and entered anew has no head.
        let shown = try integer(
            """
            SELECT max(seq) FROM client_message
            WHERE conversation = ? AND user = ? AND device = ? AND shown IS NOT NULL AND seq < ?
            """, chain.key + [seq])
        return try seq > max(head(of: chain)?.seq ?? -1, shown ?? -1) + 1
    }

    private func show(_ message: Row, in chain: Chain, afterGap: Bool) throws {
        let (hash, seq) = (message.blob("hash"), message["seq"] as Int64)
        let head = try head(of: chain)
        try run(
            """
            UPDATE client_message SET gap = ?, shown = (SELECT coalesce(max(shown), 0) + 1 FROM client_message)
            WHERE hash = ?
            """, [afterGap, Data(hash)])
        try run(
            """
            UPDATE client_message SET overtaken = 1 WHERE hash = ? AND EXISTS (SELECT 1 FROM client_message m
              WHERE m.conversation = ? AND m.user = ? AND m.device = ? AND m.seq > ? AND m.shown IS NOT NULL)
            """, [Data(hash)] + chain.key + [seq])
        if let head, seq <= head.seq {
            // What was shown without it follows no gap any more.
            try run(
                """
                UPDATE client_message SET gap = 0
                WHERE conversation = ? AND user = ? AND device = ? AND seq = ? AND prev = ?
                """, chain.key + [seq + 1, Data(hash)])
            try noteFork(at: seq, in: chain)
            return
        }
        try run(
            """
            INSERT INTO client_head (conversation, user, device, seq, hash) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (conversation, user, device) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
            """, chain.key + [seq, Data(hash)])
    }

    private func noteFork(at seq: Int64, in chain: Chain) throws {
        let count = try integer(
            "SELECT count(*) FROM client_message WHERE conversation = ? AND user = ? AND device = ? AND seq = ?",
            chain.key + [seq])
        guard count ?? 0 > 1 else { return }
        try warn(
            Rejected(
                .fork, "A device has written two messages at one place of its chain; both are shown.",
                hint: "The device was restored from a copy, or somebody else has its keys."), about: chain.user)
    }

    /// Shows what has been held back for too long.
    func releaseOverdue() throws {
        let overdue = try rows(
            """
            SELECT DISTINCT conversation, user, device FROM client_message
            WHERE shown IS NULL AND came <= ?
            """, [try age() - Self.heldTime])
        for row in overdue {
            let chain = Chain(conversation: row["conversation"], user: row["user"], device: row["device"])
            guard let first = try self.row(Self.held + " ORDER BY seq LIMIT 1", chain.key) else { continue }
            try show(first, in: chain, afterGap: true)
            try release(chain)
        }
    }
}
