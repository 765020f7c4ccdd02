import GRDB
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("A crash of the SQLite spool")
struct SQLiteCrashTests {
    /// Ids in custody, in order of arrival, in the spool that a crash left behind.
    private func survivors(_ directory: TemporaryDirectory) async throws -> [ItemID] {
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let verification = try await spool.verify()
        #expect(verification.problems == [])
        let items = try await spool.read { try $0.items(for: nil, limit: 10_000) }
        for item in items { #expect(BlobStore.digest(of: item.body).count == 32) }
        try await spool.close()
        return items.map(\.id)
    }

    @Test("keeps everything acknowledged and nothing half-done, at random moments (GW-03)", arguments: [1, 2, 3])
    func randomMoments(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        var acknowledged: [ItemID] = []
        for round in 0..<25 {
            let numbers = (0..<Int.random(in: 1...6, using: &generator)).map { round * 10 + $0 }
            let crash = Int.random(in: 0..<5, using: &generator) < 2 ? numbers.randomElement(using: &generator) : nil
            let sizes = numbers.map { _ in [10, 2_000, 40_000].randomElement(using: &generator) ?? 10 }
            // The copy is taken on the writer's queue inside an unfinished transaction, as a power cut would.
            let copy = try await spool.write { spool -> TemporaryDirectory? in
                var copy: TemporaryDirectory?
                for (number, size) in zip(numbers, sizes) {
                    _ = try spool.enqueue(Fixture.item(number, to: alpha, size: size))
                    if number == crash { copy = try directory.copy() }
                }
                return copy
            }
            if let copy {
                defer { copy.remove() }
                #expect(try await survivors(copy) == acknowledged)
                #expect(try copy.blobNames.count < 200)
            }
            acknowledged += numbers.map(Fixture.id)
        }
        try await spool.close()
        #expect(try await survivors(directory) == acknowledged)
    }

    @Test("keeps a whole number of transactions when the log is torn anywhere", arguments: [5, 6])
    func tornLog(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        try await spool.pool.writeWithoutTransaction { database in
            _ = try Row.fetchAll(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        }
        var sizes: [Int] = []
        for number in 0..<12 {
            try await spool.write { spool in
                for half in 0..<2 { _ = try spool.enqueue(Fixture.item(2 * number + half, to: alpha, size: 900)) }
            }
            sizes.append(try directory.read("spool.sqlite-wal").count)
        }
        let end = try #require(sizes.last)
        for cut in sizes + sizes.map({ $0 - 1 }) + (0..<12).map({ _ in Int.random(in: 0..<end, using: &generator) }) {
            let copy = try directory.copy(walLimit: cut)
            defer { copy.remove() }
            let whole = sizes.filter { $0 <= cut }.count
            #expect(try await survivors(copy) == (0..<2 * whole).map(Fixture.id), "cut at \(cut)")
        }
        try await spool.close()
    }
}
