import GRDB
import Glibc
import Testing

@testable import GodwitSpool

/// Pages under a key, below SQLite (G-11): what a thief may do to the files.
@Suite("A sealed database")
struct SealedDatabaseTests {
    /// A database of some pages with long values, closed, and its rows.
    private func filled(_ directory: TemporaryDirectory, _ key: StoreKey) throws -> [String] {
        try Sealed.database(in: directory, key) { queue in
            try queue.write { database in
                try database.execute(sql: "CREATE TABLE test (id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
                for number in 0..<30 {
                    try database.execute(
                        sql: "INSERT INTO test VALUES (?, ?, zeroblob(?))",
                        arguments: [number, "row \(number)", number * 400])
                }
            }
            return try queue.read(Sealed.rows)
        }
    }

    private func rows(_ directory: TemporaryDirectory, _ key: StoreKey) throws -> [String] {
        try Sealed.database(in: directory, key) { queue in
            try queue.read { database in
                let rows = try Sealed.rows(database)
                let check = try String.fetchAll(database, sql: "PRAGMA integrity_check")
                guard check == ["ok"] else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
                return rows
            }
        }
    }

    @Test("comes back as it was, from files that say nothing of it")
    func roundTrip() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        let before = try filled(directory, key)
        #expect(try rows(directory, key) == before)
        #expect(try directory.names == ["spool.sqlite"])
        let bytes = try directory.read("spool.sqlite")
        #expect(bytes.prefix(16) == Array("Godwit sealed 1\0".utf8)[...])
        for word in ["SQLite format", "CREATE TABLE", "row 1"] {
            #expect(!bytes.contains(word), "\(word)")
        }
        // Zeros, of which most pages consist, are not seen either.
        #expect(!bytes.contains([UInt8](repeating: 0, count: 12)))
    }

    @Test("a changed byte anywhere in the file is an error and never another row", arguments: [1, 2])
    func flipped(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        _ = try filled(directory, key)
        let bytes = try directory.read("spool.sqlite")
        let pages = bytes.count / 4_096
        #expect(pages > 30)
        let ends = (0..<pages).flatMap { [$0 * 4_096, $0 * 4_096 + 4_095] }
        for place in ends + (0..<60).map({ _ in Int.random(in: 0..<bytes.count, using: &generator) }) {
            var changed = bytes
            changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            try directory.write(changed, to: "spool.sqlite")
            #expect(throws: (any Error).self, "byte \(place)") { try rows(directory, key) }
        }
        try directory.write(bytes, to: "spool.sqlite")
        #expect(throws: Never.self) { try rows(directory, key) }
    }

    @Test("pages that changed places, were cut off or became zeros are errors")
    func moved() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        _ = try filled(directory, key)
        let bytes = try directory.read("spool.sqlite")
        let pages = bytes.count / 4_096
        for page in 2..<pages {
            var swapped = bytes
            swapped.replaceSubrange((page - 1) * 4_096..<page * 4_096, with: bytes[page * 4_096..<(page + 1) * 4_096])
            swapped.replaceSubrange(page * 4_096..<(page + 1) * 4_096, with: bytes[(page - 1) * 4_096..<page * 4_096])
            var zeroed = bytes
            zeroed.replaceSubrange(page * 4_096..<(page + 1) * 4_096, with: [UInt8](repeating: 0, count: 4_096))
            for (what, changed) in [
                ("swapped", swapped), ("zeroed", zeroed), ("cut", Array(bytes[..<(page * 4_096)])),
                ("torn", Array(bytes[..<(page * 4_096 + 2_000)])),
            ] {
                try directory.write(changed, to: "spool.sqlite")
                #expect(throws: (any Error).self, "\(what) at page \(page)") { try rows(directory, key) }
            }
        }
    }

    @Test("a page that was cut off is an error also where the log alone says how many there are")
    func cutBelowLog() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        _ = try filled(directory, key)
        let copy = try Sealed.database(in: directory, key) { queue in
            try queue.writeWithoutTransaction { database in
                // Its last page ends a chain and holds zeros only: where SQLite took a missing page for zeros, nothing
                // would be found wrong.
                try database.execute(sql: "CREATE TABLE test_last (id INTEGER PRIMARY KEY, a, b)")
                try database.execute(sql: "INSERT INTO test_last VALUES (1, '', zeroblob(20000))")
                _ = try database.checkpoint(.truncate)
                try database.execute(sql: "UPDATE test SET a = 'changed' WHERE id = 1")
                return try directory.snapshot()
            }
        }
        defer { copy.remove() }
        let bytes = try copy.read("spool.sqlite")
        try copy.write(Array(bytes.dropLast(4_096)), to: "spool.sqlite")
        #expect(throws: (any Error).self) { try rows(copy, key) }
    }

    @Test("another key opens nothing")
    func otherKey() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        _ = try filled(directory, try Sealed.key())
        let error = #expect(throws: SpoolError.self) { try rows(directory, Sealed.key(8)) }
        #expect(error?.code == .sealed && error?.hint != nil)
    }

    @Test("a rollback journal beside it is refused, so that no page gets there in clear")
    func journal() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        _ = try filled(directory, key)
        let (mode, temporary, names) = try Sealed.database(in: directory, key) { queue in
            try queue.inDatabase { database in
                #expect(throws: DatabaseError.self) { try database.execute(sql: "PRAGMA journal_mode = DELETE") }
                return (
                    try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                    try Int.fetchOne(database, sql: "PRAGMA temp_store"), try directory.names
                )
            }
        }
        #expect(mode == "wal" && temporary == 2)
        #expect(names.filter { $0.contains("journal") } == [])
    }

    @Test("a page that leaves no room for its seal is not written")
    func room() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        // Opened under a key, but made by SQLite as it makes any other.
        let path = SQLiteSpool.databasePath(in: directory.path)
        let hold = try SealedPath(path, key: Sealed.key())
        let queue = try DatabaseQueue(path: path)
        #expect(throws: DatabaseError.self) {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = MEMORY; CREATE TABLE test (id INTEGER PRIMARY KEY)")
            }
        }
        try queue.close()
        withExtendedLifetime(hold) {}
        #expect(try directory.read("spool.sqlite").isEmpty)
    }
}

extension [UInt8] {
    func contains(_ text: String) -> Bool { contains(Array(text.utf8)) }

    func contains(_ part: [UInt8]) -> Bool {
        withUnsafeBytes { whole in
            part.withUnsafeBytes { part in
                guard let start = whole.baseAddress, let wanted = part.baseAddress else { return false }
                var place = 0
                while place + part.count <= whole.count {
                    let rest = whole.count - part.count - place + 1
                    guard let found = memchr(start + place, Int32(part[0]), rest) else { return false }
                    if memcmp(found, wanted, part.count) == 0 { return true }
                    place = UnsafeRawPointer(found) - start + 1
                }
                return false
            }
        }
    }
}
