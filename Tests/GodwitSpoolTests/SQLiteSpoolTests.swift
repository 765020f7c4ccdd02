import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("The SQLite spool")
struct SQLiteSpoolTests {
    private func with<Value>(
        _ configuration: SpoolConfiguration = .test, _ body: (SQLiteSpool, TemporaryDirectory) async throws -> Value
    ) async throws -> Value {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: configuration)
        let value = try await body(spool, directory)
        try await spool.close()
        return value
    }

    @Test("writes ahead with full synchronisation, checks references, wipes what it deletes (GW-03)")
    func pragmas() async throws {
        try await with { spool, directory in
            let values = try await spool.write { transaction in
                try ["journal_mode", "synchronous", "foreign_keys", "secure_delete"].map {
                    try String.fetchOne(transaction.database, sql: "PRAGMA \($0)")
                }
            }
            #expect(values == ["wal", "2", "1", "1"])
            for name in ["spool.sqlite", "spool.sqlite-wal", "lock"] {
                var status = stat()
                #expect(stat(directory.path + "/" + name, &status) == 0)
                #expect(status.st_mode & 0o777 == 0o600, "\(name) is for its owner only")
            }
        }
    }

    @Test("has the schema that is committed beside this test")
    func schema() async throws {
        let path = String(#filePath.dropLast("SQLiteSpoolTests.swift".count)) + "schema.sql"
        let expected = String(decoding: try SystemFile.read(path, limit: 1 << 20), as: UTF8.self)
        let present = try await with { spool, _ in
            try await spool.read { transaction in
                try String.fetchAll(
                    transaction.database,
                    sql:
                        """
                        SELECT sql FROM sqlite_master
                        WHERE tbl_name LIKE 'spool~_%' ESCAPE '~' AND sql IS NOT NULL ORDER BY rowid
                        """
                )
            }
        }
        #expect(present.map { $0 + ";\n" }.joined() == expected)
    }

    @Test("lets one process in, and says which (D-6)")
    func lock() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        var first: SQLiteSpool? = try SQLiteSpool(directory: directory.path, configuration: .test)
        let error = #expect(throws: SpoolError.self) {
            try SQLiteSpool(directory: directory.path, configuration: .test)
        }
        #expect(error?.code == .locked)
        #expect(error?.hint?.contains("\(getpid())") == true)
        try await first?.close()
        first = nil
        try await SQLiteSpool(directory: directory.path, configuration: .test).close()
    }

    @Test("makes the directories that are missing, and says when it cannot")
    func directories() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let nested = TemporaryDirectory(path: directory.path + "/a/b")
        defer {
            nested.remove()
            rmdir(directory.path + "/a")
        }
        try await SQLiteSpool(directory: nested.path, configuration: .test).close()
        let error = #expect(throws: SpoolError.self) {
            try SQLiteSpool(directory: nested.path + "/spool.sqlite/x", configuration: .test)
        }
        #expect(error?.code == .unusable)
        #expect(error?.hint != nil)
    }

    @Test("keeps tables of other rooms in the same transaction")
    func otherTables() async throws {
        struct Stop: Error {}
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test) { migrator in
            migrator.registerMigration("guest-1") { try $0.execute(sql: "CREATE TABLE guest (n INTEGER) STRICT") }
        }
        await #expect(throws: Stop.self) {
            try await spool.write { transaction in
                _ = try transaction.enqueue(Fixture.item(1, to: alpha))
                try transaction.database.execute(sql: "INSERT INTO guest VALUES (1)")
                throw Stop()
            }
        }
        try await spool.write { try $0.database.execute(sql: "INSERT INTO guest VALUES (2)") }
        let (guests, items) = try await spool.read { transaction in
            (
                try Int.fetchAll(transaction.database, sql: "SELECT n FROM guest"),
                try transaction.items(for: nil, limit: 9).count
            )
        }
        #expect(guests == [2])
        #expect(items == 0)
        try await spool.close()
    }

    @Test("refuses a file that a newer version wrote")
    func newer() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test) { migrator in
            migrator.registerMigration("spool-999") { _ in }
        }
        try await spool.close()
        let error = #expect(throws: SpoolError.self) {
            try SQLiteSpool(directory: directory.path, configuration: .test)
        }
        #expect(error?.code == .newer)
    }

    @Test("refuses a file that is no database")
    func noDatabase() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try directory.write([UInt8](repeating: 65, count: 8_192), to: "spool.sqlite")
        let error = #expect(throws: SpoolError.self) {
            try SQLiteSpool(directory: directory.path, configuration: .test)
        }
        #expect(error?.code == .corrupt)
    }

    @Test("remembers everything over a restart")
    func restart() async throws {
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let before = try SQLiteSpool(directory: directory.path, configuration: .test)
        let frame = try await before.write { spool in
            let row = try #require(try spool.enqueue(Fixture.item(1, to: alpha, size: 70_000)).row)
            _ = try spool.expire(elapsed: 777)
            _ = try spool.commitInbound(
                FrameNumber(incarnation: 3, number: 4), from: alpha, digest: Fixture.id(5).bytes)
            return try spool.frame([row], to: alpha, bytes: [9, 8, 7])
        }
        try await before.close()
        let after = try SQLiteSpool(directory: directory.path, configuration: .test)
        try await after.write { spool throws -> Void in
            #expect(try spool.unacknowledged(to: alpha) == [frame])
            #expect(try spool.items(for: alpha, limit: 9).map(\.age) == [777])
            #expect(try spool.items(for: alpha, limit: 9).map(\.body) == [Fixture.body(1, size: 70_000)])
            #expect(try spool.inbound(from: alpha).map(\.ranges) == [[4...4]])
            #expect(try spool.nextFrame(to: alpha) == FrameNumber(incarnation: frame.number.incarnation, number: 2))
        }
        try await after.close()
    }

    @Test("goes on after a full disk, with nothing half-written (G-63)")
    func fullDisk() async throws {
        let alpha = try Fixture.alpha
        try await with { spool, _ in
            let pages = try await spool.pool.writeWithoutTransaction { database in
                let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
                _ = try Int.fetchOne(database, sql: "PRAGMA max_page_count = \(pages + 20)")
                return pages
            }
            #expect(pages > 0)
            var accepted = 0
            let error = await #expect(throws: ProtocolError.self) {
                for number in 0..<100 {
                    try await spool.write { spool in
                        for half in 0..<2 {
                            _ = try spool.enqueue(Fixture.item(2 * number + half, to: alpha, size: 9_000))
                        }
                    }
                    accepted += 2
                }
            }
            #expect(error?.code == .bandwidthExceeded)
            #expect(error?.hint != nil)
            #expect(try await spool.read { try $0.items(for: alpha, limit: 999).count } == accepted)
            #expect(try await spool.verify().problems == [])

            _ = try await spool.pool.writeWithoutTransaction {
                try Int.fetchOne($0, sql: "PRAGMA max_page_count = 1000000")
            }
            _ = try await spool.write { try $0.enqueue(Fixture.item(500, to: alpha, size: 9_000)) }
            #expect(try await spool.read { try $0.items(for: alpha, limit: 999).count } == accepted + 1)
        }
    }

    @Test("asks the system how full the disk is")
    func diskUsage() throws {
        let usage = try #require(DiskUsage(fileSystemOf: "/tmp"))
        #expect(usage.total > .zero)
        #expect(usage.available <= usage.total)
        #expect(DiskUsage(fileSystemOf: "/nowhere/at/all") == nil)
    }
}
