import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// Items that lack something, kept until it comes. Bounded in all and for each author, so that nobody's items that
/// never become readable push out those of others.
extension ClientTransaction {
    /// Items and bytes of bodies that are kept in all.
    static let pendingMax = PendingLoad(items: 4_096, bytes: 16 << 20)
    /// Those of one author.
    static let pendingMaxPerAuthor = PendingLoad(items: 1_024, bytes: 4 << 20)
    /// Milliseconds of uptime for which an item is kept.
    static let pendingTime = Message.defaultLifetime

    struct PendingLoad: Equatable {
        var items: Int64
        var bytes: Int64

        func fits(in limit: PendingLoad) -> Bool { items <= limit.items && bytes <= limit.bytes }
    }

    func keep(_ kind: BatchItem.Kind, _ body: [UInt8], until awaited: Awaited) throws {
        let author = try author(of: kind, body)
        try run(
            """
            INSERT INTO client_pending (id, waits_for, kind, body, author, size, came) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET waits_for = excluded.waits_for
            """,
            [
                Data(SHA256Digest.of(body)), awaited.text, kind.rawValue, Data(body), author, body.count, try age(),
            ])
        while try !pendingLoad(of: author).fits(in: Self.pendingMaxPerAuthor) { try dropOldest(of: author) }
        while try !pendingLoad().fits(in: Self.pendingMax) {
            // Nobody exceeds a share: whoever takes most room makes room.
            guard let row = try row("SELECT author FROM client_pending_share ORDER BY bytes DESC, author LIMIT 1")
            else { return }
            try dropOldest(of: row["author"])
        }
    }

    /// A message that waited for keys which this device is not to have.
    func forgetPending(_ hash: [UInt8], of author: String) throws {
        for row in try rows(
            "SELECT pending, body FROM client_pending WHERE author = ? AND kind = ?",
            [author, BatchItem.Kind.message.rawValue])
        where try Message(parsing: row.blob("body")).hash.bytes == hash {
            try run("DELETE FROM client_pending WHERE pending = ?", [row["pending"] as Int64])
        }
    }

    private func author(of kind: BatchItem.Kind, _ body: [UInt8]) throws -> String {
        guard kind != .message else { return try Message(parsing: body).author.text }
        guard case .epoch(let start) = try ProtocolObject(parsing: body) else { return "" }
        return start.author.text
    }

    /// - Parameter author: nil for all.
    func pendingLoad(of author: String? = nil) throws -> PendingLoad {
        guard
            let row = try row(
                """
                SELECT coalesce(sum(items), 0) AS items, coalesce(sum(bytes), 0) AS bytes FROM client_pending_share
                WHERE ?1 IS NULL OR author = ?1
                """, [author])
        else { return PendingLoad(items: 0, bytes: 0) }
        return PendingLoad(items: row["items"], bytes: row["bytes"])
    }

    private func dropOldest(of author: String) throws {
        try run(
            """
            DELETE FROM client_pending
            WHERE pending = (SELECT pending FROM client_pending WHERE author = ? ORDER BY pending LIMIT 1)
            """, [author])
        dropped[author, default: 0] += 1
    }

    /// One warning for each author of whom something was dropped, so that a flood leaves room for other warnings.
    func warnOfDropped() throws {
        for (author, count) in dropped.sorted(by: { $0.key < $1.key }) {
            try warn(
                Rejected(
                    .overflow,
                    "Too much of an author waits for keys that do not come; the oldest \(count) were dropped.",
                    hint: "Ask the author to send them again."), about: author.isEmpty ? nil : author)
        }
        dropped = [:]
    }

    /// Looks again at what waited for exactly what has come, one body at a time.
    func retry(_ awaited: Awaited) throws {
        let waiting = try rows(
            "SELECT pending FROM client_pending WHERE waits_for IN (?, ?) ORDER BY pending",
            [awaited.text, Awaited.spending(awaited).text])
        for number in waiting.map({ $0["pending"] as Int64 }) {
            guard let row = try row("SELECT kind, body FROM client_pending WHERE pending = ?", [number]) else {
                continue
            }
            let kind = BatchItem.Kind(rawValue: Int(row["kind"] as Int64)) ?? .object
            if let awaited = try attempt(kind, row.blob("body")) {
                try run("UPDATE client_pending SET waits_for = ? WHERE pending = ?", [awaited.text, number])
            } else {
                try run("DELETE FROM client_pending WHERE pending = ?", [number])
            }
        }
    }

    /// Drops what has waited longer than messages live.
    func expirePending() throws {
        // A key of a channel that this device has left, or of a change that never came: it has asked again, or needs none.
        // Nor is anything missed of what has come in another way.
        try run(
            "DELETE FROM client_pending WHERE came <= ? AND (waits_for GLOB 'change:*' OR waits_for GLOB 'spent:*')",
            [try age() - Self.pendingTime])
        for row in try rows(
            "SELECT author, count(*) AS n FROM client_pending WHERE came <= ? GROUP BY author ORDER BY author",
            [try age() - Self.pendingTime])
        {
            let count: Int64 = row["n"]
            let author: String = row["author"]
            try warn(
                Rejected(
                    .expired, "\(count) of an author's items waited for keys that never came, and were dropped.",
                    hint: "Ask the author to send them again."), about: author.isEmpty ? nil : author)
        }
        try run("DELETE FROM client_pending WHERE came <= ?", [try age() - Self.pendingTime])
    }

    /// Milliseconds of uptime for which this device has been in use, over all openings of its store.
    func age() throws -> Int64 { try integer("SELECT age FROM client_identity") ?? 0 }
}
