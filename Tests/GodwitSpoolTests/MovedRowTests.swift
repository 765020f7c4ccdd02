import Foundation
import GRDB
import GodwitProtocol
import Testing

@testable import GodwitSpool

/// What SQLite leaves in the middle of a page when it moves rows to another (E2E-04, docs/threat-model.md). Pages are read
/// here as SQLite's document of its file format has them.
@Suite("Rows that moved")
struct MovedRowTests {
    private struct Place: Hashable {
        var epoch: Int64
        var device: Int
    }

    /// Rows of keys come, are replaced by others of other lengths, and go, so that pages are split and joined.
    /// - Returns: what the table holds in the end.
    private static func fill(_ spool: SQLiteSpool, seed: UInt64) async throws -> [Place: [UInt8]] {
        var random = SeededGenerator(seed: seed)
        var held: [Place: [UInt8]] = [:]
        func state() -> [UInt8] {
            let count = [80, 84, 120, 300].randomElement(using: &random) ?? 80
            return (0..<count).map { _ in UInt8.random(in: 1...255, using: &random) }
        }
        func sorted() -> [Place] { held.keys.sorted { ($0.epoch, $0.device) < ($1.epoch, $1.device) } }
        for _ in 0..<300 {
            var changes: [Place: [UInt8]?] = [:]
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<4:
                let epoch = Int64.random(in: 0 ... .max, using: &random)
                for device in 0..<Int.random(in: 1...40, using: &random) {
                    changes[Place(epoch: epoch, device: device)] = state()
                }
            case 4..<18:
                for place in sorted().shuffled(using: &random).prefix(30) { changes[place] = state() }
            default:
                let epoch = sorted().randomElement(using: &random)?.epoch
                for place in held.keys where place.epoch == epoch { changes[place] = .some(nil) }
            }
            let batch = changes
            try await spool.write { transaction in
                for (place, state) in batch {
                    let names: StatementArguments = [place.epoch, place.device]
                    try transaction.database.execute(
                        sql: "DELETE FROM state WHERE epoch = ? AND device = ?", arguments: names)
                    guard let state else { continue }
                    try transaction.database.execute(
                        sql: "INSERT INTO state VALUES (?, ?, ?)", arguments: names + [Data(state)])
                }
            }
            for (place, state) in batch { held[place] = state }
        }
        return held
    }

    private static func open(_ directory: String) throws -> SQLiteSpool {
        try SQLiteSpool(directory: directory, configuration: .test) { migrator in
            migrator.registerMigration("state") { database in
                try database.execute(
                    sql: """
                        CREATE TABLE state (epoch INTEGER, device INTEGER, state BLOB, PRIMARY KEY (epoch, device))
                        STRICT, WITHOUT ROWID
                        """)
            }
        }
    }

    /// Bytes in the unused middle of pages of B-trees, and how many such pages there are.
    private static func middles(of file: [UInt8]) -> (pages: Int, bytes: Int) {
        var (pages, bytes) = (0, 0)
        for start in stride(from: 0, to: file.count, by: 4_096) {
            let head = start + (start == 0 ? 100 : 0)
            let sizes: [UInt8: Int] = [2: 12, 5: 12, 10: 8, 13: 8]
            guard let size = sizes[file[head]] else { continue }
            func number(at place: Int) -> Int { Int(file[place]) << 8 | Int(file[place + 1]) }
            let pointers = head + size + 2 * number(at: head + 3)
            pages += 1
            bytes += file[pointers..<start + number(at: head + 5)].count { $0 != 0 }
        }
        return (pages, bytes)
    }

    @Test("leave nothing on the pages that they left, and every row that stays is what it was", arguments: [1, 2, 3])
    func nothingStays(_ seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try Self.open(directory.path)
        let held = try await Self.fill(spool, seed: seed)
        try await spool.close()
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: SQLiteSpool.databasePath(in: directory.path))))
        let (pages, bytes) = Self.middles(of: file)
        #expect(pages > 50 && bytes == 0)

        let again = try Self.open(directory.path)
        let (found, verdict) = try await again.read { transaction in
            let rows = try Row.fetchAll(transaction.database, sql: "SELECT * FROM state").map { row in
                (Place(epoch: row["epoch"], device: row["device"]), [UInt8](row["state"] as Data))
            }
            let verdict = try String.fetchAll(transaction.database, sql: "PRAGMA integrity_check")
            return (Dictionary(uniqueKeysWithValues: rows), verdict)
        }
        #expect(found == held && verdict == ["ok"])
        try await again.close()
    }
}
