import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// A message as the journal has it.
struct JournalEntry {
    var arrival: Int64
    var hash: MessageHash
    var bodyHash: [UInt8]
    var author: String
    var received: Timestamp
    /// Canonical JSON; nil in a hole.
    var body: [UInt8]?
    var hole: Hole?
    var deletedBy: String?
}

extension NodeTransaction {
    /// Notes a message under the next arrival number, sealed under the key of its period.
    ///
    /// - Parameters:
    ///   - body: nil for one that is a hole from the beginning.
    ///   - keeps: milliseconds for which the body is kept.
    func journal(
        _ message: Message, _ body: [UInt8]?, keeping keeps: Int64, as hole: Hole? = nil, by deleter: String? = nil
    ) throws {
        let period = body == nil ? nil : try period(keeping: keeps)
        let sealed = try body.flatMap { body in try period.map { try $0.key.seal(body, of: message.hash) } }
        let statement = try spool.prepared(
            """
            INSERT INTO node_message
              (hash, body_hash, author, conversation, timestamp, received, size, period, body, hole, deleted_by)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(1, message.hash.bytes)
        statement.bind(2, message.bodyHash)
        statement.bind(3, message.author.text)
        statement.bind(4, message.conversation.text)
        statement.bind(5, message.timestamp.milliseconds)
        statement.bind(6, now.milliseconds)
        statement.bind(7, Int64(message.authoredSize))
        statement.bind(8, period?.number)
        statement.bind(9, sealed)
        statement.bind(10, sealed == nil ? (hole ?? .unkept).rawValue : nil)
        statement.bind(11, deleter)
        try statement.run()
    }

    /// Milliseconds for which a message is kept: the least of what the node, its author's account and, of a direct
    /// message, its reader's account say.
    func retention(of message: Message) throws -> Int64 {
        var users = [message.author]
        if case .direct(let address) = message.address { users.append(address.user) }
        return least(of: try users.map(retention))
    }

    /// The least of what accounts say and what the node does, in milliseconds.
    func least(of retentions: [Int64?]) -> Int64 {
        retentions.reduce(context.retention.milliseconds) { min($0, $1 ?? $0) }
    }

    /// What an account at home here says; nil if it says nothing.
    private func retention(of user: UserID) throws -> Int64? {
        let statement = try spool.prepared("SELECT retention FROM node_user WHERE user = ? AND is_local")
        statement.bind(1, user.text)
        return try statement.first { $0.isNull(0) ? nil : $0.integer(0) } ?? nil
    }

    /// The period of now; nil where nothing is kept.
    private func period(keeping keeps: Int64) throws -> (number: Int64, key: JournalPeriod)? {
        guard keeps > 0 else { return nil }
        let uptime = try spool.uptime()
        let slot = JournalPeriod.slot(keeping: keeps, at: uptime)
        let statement = try spool.prepared(
            "SELECT period, ends, key FROM node_period WHERE keeps = ? AND slot = ? AND key IS NOT NULL")
        statement.bind(1, keeps)
        statement.bind(2, slot)
        if let row = try statement.first({ ($0.integer(0), $0.integer(1), $0.bytes(2)) }) {
            let key = try context.journalKeys.period(
                keeps: keeps, slot: slot, ends: row.1, wrapped: row.2, of: context.signingKey)
            return (row.0, key)
        }
        let period = try JournalPeriod.make(keeping: keeps, at: uptime)
        let wrapped = try period.wrapped(by: context.journalKeys.master(of: context.signingKey))
        try run(
            "INSERT INTO node_period (keeps, slot, ends, key) VALUES (?, ?, ?, ?)",
            [keeps, slot, period.ends, Data(wrapped)])
        return (database.lastInsertedRowID, period)
    }

    private func key(of row: Row) throws -> JournalPeriod {
        try context.journalKeys.period(
            keeps: row["keeps"], slot: row["slot"], ends: row["ends"], wrapped: [UInt8](row["key"] as Data),
            of: context.signingKey)
    }

    // MARK: Reading

    /// Whether a message is known here, and whether somebody has taken back one that was not. One look, for it is asked
    /// for every message.
    func standing(of hash: MessageHash) throws -> (isJournaled: Bool, isTakenBack: Bool) {
        let statement = try spool.prepared(
            """
            SELECT EXISTS (SELECT 1 FROM node_message WHERE substr(hash, 1, 8) = ?1 AND hash = ?2),
              EXISTS (SELECT 1 FROM node_taken_back WHERE hash = ?2)
            """)
        statement.bind(1, Array(hash.bytes.prefix(8)))
        statement.bind(2, hash.bytes)
        return try statement.first { ($0.integer(0) == 1, $0.integer(1) == 1) } ?? (false, false)
    }

    /// The row of a message, if it was ever here.
    func journalRow(_ hash: MessageHash) throws -> Row? {
        try row(
            "SELECT arrival, author, conversation, hole FROM node_message WHERE substr(hash, 1, 8) = ? AND hash = ?",
            [Data(hash.bytes.prefix(8)), Data(hash.bytes)])
    }

    /// Opens the bodies of rows of the journal.
    func entries(_ rows: [Row]) throws -> [JournalEntry] {
        var keys: [Int64: JournalPeriod] = [:]
        return try rows.compactMap { row in
            guard let hash = MessageHash([UInt8](row["hash"] as Data)) else { return nil }
            var entry = JournalEntry(
                arrival: row["arrival"], hash: hash, bodyHash: [UInt8](row["body_hash"] as Data),
                author: row["author"], received: Timestamp(milliseconds: row["received"]), body: nil,
                hole: (row["hole"] as String?).flatMap { Hole(rawValue: $0) }, deletedBy: row["deleted_by"])
            guard let sealed: Data = row["body"], let period: Int64 = row["period"] else { return entry }
            if keys[period] == nil {
                keys[period] = try self.row("SELECT * FROM node_period WHERE period = ? AND key IS NOT NULL", [period])
                    .map(key)
            }
            entry.body = try keys[period]?.open([UInt8](sealed), of: hash.bytes)
            // Its key has gone, its bytes go with the next look.
            if entry.body == nil { entry.hole = .expired }
            return entry
        }
    }

    // MARK: Forgetting

    func makeHole(_ arrival: Int64, _ hole: Hole, by deleter: String? = nil) throws {
        try run(
            "UPDATE node_message SET body = NULL, period = NULL, hole = ?, deleted_by = ? WHERE arrival = ?",
            [hole.rawValue, deleter, arrival])
        aftermath.erased = true
    }

    /// Bodies that are taken out in one transaction.
    static let forgottenPerCall = 1_024

    /// Destroys the keys of periods that have ended, then takes out what they sealed, a slice a call.
    /// - Returns: how many bodies were taken out.
    func forgetJournal() throws -> Int {
        // A node that is told to keep less than before ends earlier what it has.
        let begin = "slot * max(60000, min(86400000, keeps / 64))"
        try run(
            "UPDATE node_period SET ends = \(begin) + ?1 WHERE keeps > ?1 AND ends > \(begin) + ?1",
            [context.retention.milliseconds])
        try run(
            "UPDATE node_period SET key = NULL WHERE key IS NOT NULL AND ends <= ?", [try spool.uptime()])
        if database.changesCount > 0 {
            aftermath.erased = true
            context.journalKeys.forget()
        }
        let ended = try rows(
            """
            SELECT m.arrival FROM node_period p CROSS JOIN node_message m ON m.period = p.period
            WHERE p.key IS NULL LIMIT ?
            """, [Self.forgottenPerCall])
        for row in ended { try makeHole(row["arrival"], .expired) }
        if ended.count < Self.forgottenPerCall { try run("DELETE FROM node_period WHERE key IS NULL") }
        return ended.count
    }
}
