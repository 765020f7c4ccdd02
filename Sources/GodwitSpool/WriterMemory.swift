import GRDB
import GRDBSQLite
import GodwitProtocol

/// What the writer's connection need not ask the tables again, and its statements.
///
/// One process holds a spool and one connection writes to it, so what was read once stays true until that connection
/// changes it or takes a change back. A reader gets a fresh one for each snapshot.
final class WriterMemory: @unchecked Sendable {  // Used on one connection's queue only, one closure after the other.
    private static let partiesMax = 4_096

    private var statements: [WriterStatement?] = Array(repeating: nil, count: WriterSQL.allCases.count)
    /// Those of other rooms, by where their text stands in the program.
    private var others: [UnsafePointer<UInt8>: WriterStatement] = [:]
    private var parties: [Party: Int64] = [:]
    /// The last item for a party, by rows.
    private var last: [Int64: Int64] = [:]
    private var disk: DiskUsage??
    private var spent = 0
    var uptime: Int64?
    let eras: EraBook

    init(_ configuration: SpoolConfiguration) { eras = EraBook(idsMax: configuration.idsPerEra) }

    func statement(_ sql: WriterSQL, _ database: Database) throws -> WriterStatement {
        if let statement = statements[sql.rawValue] { return statement }
        let statement = try WriterStatement(sql.text, on: database)
        statements[sql.rawValue] = statement
        return statement
    }

    func statement(_ sql: StaticString, _ database: Database) throws -> WriterStatement {
        if let statement = others[sql.utf8Start] { return statement }
        let text = sql.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        let statement = try WriterStatement(text, on: database)
        others[sql.utf8Start] = statement
        return statement
    }

    func row(of party: Party) -> Int64? { parties[party] }

    func note(_ party: Party, row: Int64) {
        if parties.count >= Self.partiesMax { parties = [:] }
        parties[party] = row
    }

    /// - Returns: the row of the item before; nil if it is not known.
    func noteLast(_ row: Int64, for party: Int64) -> Int64? {
        if last.count >= Self.partiesMax { last = [:] }
        return last.updateValue(row, forKey: party)
    }

    /// How full the disk is. Asked once a group and for each MiB that the group adds.
    func disk(adding bytes: Int, _ ask: () -> DiskUsage?) -> DiskUsage? {
        spent += bytes
        if let disk, spent < 1 << 20 { return disk }
        spent = bytes
        let asked = ask()
        disk = .some(asked)
        return asked
    }

    func groupBegins() { disk = .none }

    /// Rows that this connection has changed so far, those of triggers included.
    func changes(_ database: Database) -> Int32 { sqlite3_total_changes(database.sqliteConnection) }

    /// To be called when changes were taken back.
    func forget() {
        parties = [:]
        last = [:]
        uptime = nil
        eras.unload()
    }

    /// Gives the statements back, without which the connection cannot close.
    func close() {
        forget()
        statements = Array(repeating: nil, count: WriterSQL.allCases.count)
        others = [:]
    }
}

/// The statements that every message needs.
enum WriterSQL: Int, CaseIterable {
    case savepoint, release, rollBack
    case uptime, findParty, insertParty, load
    case mark, heldBody, fileBody, insertBody, insertItem
    case heldRow, deleteItem, markEnded, deleteBody
    case eras, insertEra, storeFilter, eraCount, eraIDs

    var text: String {
        switch self {
        case .savepoint: "SAVEPOINT godwit_part"
        case .release: "RELEASE godwit_part"
        case .rollBack: "ROLLBACK TO godwit_part"
        case .uptime: "SELECT uptime FROM spool_state"
        case .findParty: "SELECT party FROM spool_party WHERE name = ?"
        case .insertParty: "INSERT INTO spool_party (name) VALUES (?)"
        case .load:
            """
            SELECT s.bytes, d.items, o.owned FROM spool_state s
              LEFT JOIN spool_party d ON d.party = ? LEFT JOIN spool_party o ON o.party = ?
            """
        case .mark: "SELECT state FROM spool_arrival WHERE era = ? AND id = ? AND destination = ?"
        case .heldBody:
            """
            SELECT b.body FROM spool_arrival a
              CROSS JOIN spool_item i ON i.row = a.row CROSS JOIN spool_body b ON b.body = i.body
            WHERE a.era = ? AND a.id = ? AND a.state = 0 AND b.digest = ? LIMIT 1
            """
        case .fileBody: "SELECT body FROM spool_body WHERE digest = ? AND content IS NULL"
        case .insertBody: "INSERT INTO spool_body (digest, size, content) VALUES (?, ?, ?)"
        case .insertItem:
            """
            INSERT INTO spool_item
              (id, kind, body, size, destination, priority, created, lifetime, born, ends, owner, era)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .heldRow: "SELECT id, destination, era, body, size FROM spool_item WHERE row = ?"
        case .deleteItem: "DELETE FROM spool_item WHERE row = ?"
        case .markEnded: "UPDATE spool_arrival SET state = ?, ended = ? WHERE era = ? AND id = ? AND destination = ?"
        case .deleteBody:
            "DELETE FROM spool_body WHERE body = ?1 AND NOT EXISTS (SELECT 1 FROM spool_item WHERE body = ?1)"
        case .eras: "SELECT era, slot, filter FROM spool_era ORDER BY era"
        case .insertEra: "INSERT INTO spool_era (era, slot) VALUES (?, ?)"
        case .storeFilter: "UPDATE spool_era SET filter = ? WHERE era = ?"
        case .eraCount: "SELECT count(*) FROM spool_arrival WHERE era = ?"
        case .eraIDs: "SELECT id FROM spool_arrival WHERE era = ?"
        }
    }
}
