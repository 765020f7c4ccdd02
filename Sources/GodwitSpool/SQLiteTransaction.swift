import FoundationEssentials
public import GRDB
import GodwitProtocol

/// A transaction of `SQLiteSpool`. Use it only inside the closure that received it.
public struct SQLiteTransaction: SpoolTransaction {
    /// The connection, for tables that other rooms keep in the same file: their changes are part of the same
    /// transaction. Leave `spool_…` tables to the spool, and do not begin or end transactions (savepoints are fine).
    public let database: Database
    let blobs: BlobStore
    let configuration: SpoolConfiguration
    let journal: BlobJournal
    let memory: WriterMemory

    /// Files that a transaction made, and files whose last row it dropped. Lives on the writer's queue only.
    final class BlobJournal {
        var created: [[UInt8]] = []
        var dropped: [[UInt8]] = []
    }

    var eras: DuplicateEras { DuplicateEras(time: configuration.duplicateDetection) }

    // MARK: Statements

    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func row(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func integer(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Int64? {
        try Int64.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    /// A statement about tables that other rooms keep here, prepared once for the writer and cheap to run: for what
    /// every message needs. Bind all arguments before each run; it must be done before it is asked for again.
    public func prepared(_ sql: StaticString) throws -> WriterStatement { try memory.statement(sql, database) }

    // MARK: Common look-ups

    /// Milliseconds that this spool has been in use, over all its openings.
    public func uptime() throws -> Int64 {
        if let uptime = memory.uptime { return uptime }
        let uptime = try statement(.uptime).first { $0.integer(0) } ?? 0
        memory.uptime = uptime
        return uptime
    }

    /// Row of a party; nil if it is unknown.
    func find(_ party: Party) throws -> Int64? {
        if let row = memory.row(of: party) { return row }
        let statement = try statement(.findParty)
        statement.bind(1, party.text)
        guard let row = try statement.first({ $0.integer(0) }) else { return nil }
        memory.note(party, row: row)
        return row
    }

    /// Row of a party, made if needed.
    func place(_ party: Party) throws -> Int64 {
        if let row = try find(party) { return row }
        let statement = try statement(.insertParty)
        statement.bind(1, party.text)
        try statement.run()
        let row = database.lastInsertedRowID
        memory.note(party, row: row)
        return row
    }

    func statement(_ sql: WriterSQL) throws -> WriterStatement { try memory.statement(sql, database) }

    /// The era in which what arrives now is kept; it knows the id from now on.
    func takingEra(_ key: EraFilter.Key, at uptime: Int64) throws -> Int64 {
        try memory.eras.take(key, slot: eras.slot(at: uptime), memory, database)
    }

    /// Eras that may hold an id, and whether what has left custody still counts there.
    func erasHolding(_ key: EraFilter.Key, at uptime: Int64) throws -> [(era: Int64, counts: Bool)] {
        let oldest = eras.oldest(at: uptime)
        return try memory.eras.holding(key, memory, database).map { ($0.era, $0.slot >= oldest) }
    }
}

extension SQLiteTransaction {
    /// Columns that `item(_:)` reads.
    static let itemColumns = """
        SELECT i.row, i.id, i.kind, i.size, i.priority, i.created, i.lifetime, i.born, i.era, i.frame,
          d.name AS destination, o.name AS owner, b.body, b.digest, b.content,
          (SELECT uptime FROM spool_state) AS uptime
        FROM spool_item i
          JOIN spool_party d ON d.party = i.destination
          LEFT JOIN spool_party o ON o.party = i.owner
          JOIN spool_body b ON b.body = i.body

        """

    func item(_ row: Row) throws -> SpoolItem { try item(row, body: try body(row)) }

    /// An item whose custody ends: a body that cannot be read counts as empty, so that it keeps nothing here for ever.
    func leavingItem(_ row: Row) throws -> SpoolItem { try item(row, body: (try? body(row)) ?? []) }

    private func item(_ row: Row, body: [UInt8]) throws -> SpoolItem {
        guard let kind = ItemKind(rawValue: row["kind"]), let priority = PriorityClass(rawValue: row["priority"]) else {
            throw SpoolError(.corrupt, "An item is of an unknown kind or class.")
        }
        let name: String? = row["owner"]
        let frame: Int64? = row["frame"]
        let born: Int64 = row["born"]
        let uptime: Int64 = row["uptime"]
        return SpoolItem(
            row: row["row"], id: ItemID(bytes(row["id"])), kind: kind, body: body,
            destination: try party(row["destination"]), priority: priority,
            created: Timestamp(milliseconds: row["created"]), lifetime: row["lifetime"], age: uptime - born,
            state: frame == nil ? .waiting : .framed, owner: try name.map(party))
    }

    private func body(_ row: Row) throws -> [UInt8] {
        if let content: Data = row["content"] { return [UInt8](content) }
        return try blobs.read(digest: bytes(row["digest"]), size: row["size"])
    }

    func bytes(_ data: Data) -> [UInt8] { [UInt8](data) }

    func party(_ name: String) throws -> Party {
        do {
            return try Party(name)
        } catch {
            throw SpoolError(.corrupt, "A party has a name that is none.")
        }
    }
}
