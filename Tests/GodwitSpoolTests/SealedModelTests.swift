import GRDB
import Testing

@testable import GodwitSpool

/// The same statements on a sealed and on a plain database.
@Suite("A sealed database and a plain one")
struct SealedModelTests {
    private static let tables = """
        CREATE TABLE test_one (id INTEGER PRIMARY KEY, a TEXT, b BLOB);
        CREATE TABLE test_two (id INTEGER PRIMARY KEY, a TEXT, b BLOB) STRICT;
        CREATE INDEX one_a ON test_one (a);
        CREATE VIRTUAL TABLE words USING fts5 (text);
        CREATE TRIGGER one_came AFTER INSERT ON test_one BEGIN
          INSERT INTO words (rowid, text) VALUES (NEW.id, NEW.a);
        END;
        CREATE TRIGGER one_left AFTER DELETE ON test_one BEGIN DELETE FROM words WHERE rowid = OLD.id; END;
        """
    private static let words = ["river", "ice", "bridge", "mail", "snow", "road", "camp", "wind"]

    /// One statement, as the seed says.
    private static func statement(_ random: inout SeededGenerator) -> String {
        let table = Bool.random(using: &random) ? "test_one" : "test_two"
        let id = Int.random(in: 0..<400, using: &random)
        let text = (0..<Int.random(in: 1...40, using: &random))
            .map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ")
        let size = [0, 30, 900, 4_056, 4_096, 20_000].randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
            return """
                INSERT INTO \(table) (a, b) VALUES ('\(text)', CAST(substr(hex(zeroblob(\(size))) || '\(text)', \(id)) AS BLOB))
                """
        case 5, 6: return "UPDATE \(table) SET a = '\(text)', b = zeroblob(\(size)) WHERE id % 7 = \(id % 7)"
        case 7: return "DELETE FROM \(table) WHERE id BETWEEN \(id) AND \(id + 20)"
        case 8: return "INSERT INTO words (words) VALUES ('optimize')"
        default: return "UPDATE \(table) SET b = NULL WHERE id = \(id)"
        }
    }

    /// A transaction of some statements, parts of which may be undone.
    private static func transaction(_ random: inout SeededGenerator) -> [String] {
        var lines = ["BEGIN IMMEDIATE"]
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let isUndone = Int.random(in: 0..<4, using: &random) == 0
            if isUndone { lines.append("SAVEPOINT part") }
            lines.append(statement(&random))
            if isUndone { lines += ["ROLLBACK TO part", "RELEASE part"] }
        }
        lines.append(Int.random(in: 0..<5, using: &random) == 0 ? "ROLLBACK" : "COMMIT")
        return lines
    }

    private static func between(_ random: inout SeededGenerator) -> String? {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: "PRAGMA wal_checkpoint(TRUNCATE)"
        case 1: "PRAGMA wal_checkpoint(RESTART)"
        case 2: "PRAGMA wal_checkpoint(PASSIVE)"
        case 3: "VACUUM"
        // So small that pages leave the cache, and frames of the log are written twice in one transaction.
        case 4: "PRAGMA cache_size = 5"
        case 5: "PRAGMA journal_size_limit = 40000"
        default: nil
        }
    }

    private static func state(_ queue: DatabaseQueue) throws -> [String] {
        try queue.read { database in
            let found = try words.map { word in
                try Int.fetchOne(database, sql: "SELECT sum(rowid) FROM words WHERE words MATCH ?", arguments: [word])
            }
            return try Sealed.rows(database) + found.map { "\($0 ?? 0)" }
                + String.fetchAll(database, sql: "PRAGMA integrity_check")
        }
    }

    @Test("have the same rows after the same transactions, checkpoints, VACUUMs and openings", arguments: 1...6)
    func same(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (directory, plainDirectory) = (try TemporaryDirectory(), try TemporaryDirectory())
        defer {
            directory.remove()
            plainDirectory.remove()
        }
        let key = try Sealed.key()
        for opening in 0..<6 {
            let plain = try DatabaseQueue(path: plainDirectory.path + "/plain.sqlite")
            try plain.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
            try Sealed.database(in: directory, key) { sealed in
                var lines = opening == 0 ? [[Self.tables]] : []
                for _ in 0..<12 {
                    lines.append(Self.transaction(&random))
                    if let line = Self.between(&random) { lines.append([line]) }
                }
                for queue in [sealed, plain] {
                    try queue.inDatabase { database in
                        do {
                            for line in lines.joined() { try database.execute(sql: line) }
                        } catch {
                            try? database.rollback()
                            throw error
                        }
                    }
                }
                let state = try Self.state(sealed)
                #expect(try state == Self.state(plain))
                #expect(state.last == "ok")
            }
            try plain.close()
        }
        let bytes = try directory.read("spool.sqlite")
        // Words that are long enough not to stand there by chance.
        for word in Self.words.filter({ $0.count > 4 }) + ["one_came"] { #expect(!bytes.contains(word)) }
    }
}
