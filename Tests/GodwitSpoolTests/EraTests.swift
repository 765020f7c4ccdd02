import FoundationEssentials
import GRDB
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("Eras of duplicate detection")
struct EraTests {
    private static var configuration: SpoolConfiguration {
        var configuration = SpoolConfiguration.test
        configuration.idsPerEra = 8
        return configuration
    }

    private func eras(_ spool: SQLiteSpool) async throws -> [Int] {
        try await spool.read { transaction in
            try Int.fetchAll(
                transaction.database,
                sql: """
                    SELECT (SELECT count(*) FROM spool_arrival a WHERE a.era = e.era) FROM spool_era e ORDER BY e.era
                    """)
        }
    }

    /// Which of these items are new to the spool.
    private func new(_ numbers: Range<Int>, _ spool: SQLiteSpool) async throws -> [Int] {
        let alpha = try Fixture.alpha
        return try await spool.write { spool in
            try numbers.filter { number in
                let outcome = try spool.enqueue(Fixture.item(number, to: alpha))
                return outcome != .duplicate
            }
        }
    }

    @Test("hold so many ids and no more, and all of them are known, also after an opening")
    func limit() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: Self.configuration)
        for number in 0..<20 { #expect(try await new(number..<number + 1, spool) == [number]) }
        #expect(try await eras(spool) == [8, 8, 4])
        #expect(try await new(0..<20, spool) == [])
        try await spool.close()

        let again = try SQLiteSpool(directory: directory.path, configuration: Self.configuration)
        #expect(try await new(0..<20, again) == [])
        #expect(try await new(18..<24, again) == [20, 21, 22, 23])
        #expect(try await eras(again) == [8, 8, 8])
        #expect(try await new(0..<24, again) == [])
        #expect(try await again.verify().problems == [])
        try await again.close()
    }

    @Test("that a failed writer began are gone, and what others wrote is known")
    func rollBack() async throws {
        struct Stop: Error {}
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: Self.configuration)
        #expect(try await new(0..<6, spool).count == 6)
        await #expect(throws: Stop.self) {
            try await spool.write { spool in
                for number in 6..<40 { _ = try spool.enqueue(Fixture.item(number, to: alpha)) }
                throw Stop()
            }
        }
        #expect(try await eras(spool) == [6])
        #expect(try await new(0..<40, spool) == Array(6..<40))
        #expect(try await new(0..<40, spool) == [])
        #expect(try await eras(spool).allSatisfy { $0 <= 8 })
        #expect(try await eras(spool).reduce(0, +) == 40)
        try await spool.close()
    }

    @Test("go when their slot of uptime is over, however many there are")
    func forgetting() async throws {
        var configuration = Self.configuration
        configuration.duplicateDetection = 4_000
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: configuration)
        #expect(try await new(0..<50, spool).count == 50)
        try await spool.write { spool in try spool.release(try spool.items(for: nil, limit: 99).map(\.row)) }
        _ = try await spool.write { try $0.expire(elapsed: 4_999) }
        #expect(try await new(0..<50, spool) == [])
        _ = try await spool.write { try $0.expire(elapsed: 1) }
        #expect(try await eras(spool) == [])
        #expect(try await new(0..<50, spool).count == 50)
        try await spool.close()
    }

    @Test("a filter never denies what it was given, and denies most else")
    func filter() {
        var filter = EraFilter(count: 16_384)
        let keys = (0..<16_384).map { EraFilter.Key(Fixture.id($0)) }
        for key in keys { filter.insert(key) }
        #expect(keys.allSatisfy(filter.mayHold))
        let wrong = (100_000..<120_000).filter { filter.mayHold(EraFilter.Key(Fixture.id($0))) }.count
        #expect(wrong < 60, "\(wrong) of 20,000")
        let read = filter.bytes.withUnsafeBytes { EraFilter(bytes: $0) }
        #expect(read == filter)
        for size in [0, 1, 24] {
            let part = filter.bytes.withUnsafeBytes { EraFilter(bytes: UnsafeRawBufferPointer(rebasing: $0[..<size])) }
            #expect(part == nil)
        }
    }

    @Test("a spool of the first edition is taken over with all that it knows")
    func firstEdition() async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let pool = try DatabasePool(path: directory.path + "/spool.sqlite")
        var migrator = DatabaseMigrator()
        SpoolSchema.register(in: &migrator)
        try migrator.migrate(pool, upTo: "spool-1")
        let body = Fixture.body(1, size: 100)
        try await pool.write { database in
            try database.execute(
                sql: """
                    UPDATE spool_state SET uptime = 25 * 86400000;
                    INSERT INTO spool_party (party, name) VALUES (1, '\(alpha.text)'), (2, '\(bravo.text)');
                    INSERT INTO spool_era (era) VALUES (0), (3);
                    """)
            try database.execute(
                sql: "INSERT INTO spool_body (body, digest, size, content) VALUES (7, ?, 100, ?)",
                arguments: [Data(BlobStore.digest(of: body)), Data(body)])
            for (row, destination, era) in [(1, 1, 0), (2, 2, 3)] {
                try database.execute(
                    sql: """
                        INSERT INTO spool_item
                          (row, id, kind, body, size, destination, priority, created, lifetime, born, ends, era)
                        VALUES (?, ?, 1, 7, 100, ?, 3, 5, 8640000000, 0, 8640000000, ?)
                        """, arguments: [row, Data(Fixture.id(1).bytes), destination, era])
            }
            try database.execute(
                sql: "INSERT INTO spool_known (era, key) VALUES (0, ?)", arguments: [Data(Fixture.id(9).bytes)])
        }
        try pool.close()

        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        #expect(try await spool.verify().problems == [])
        let items = try await spool.read { try $0.items(for: nil, limit: 9) }
        #expect(items.map(\.body) == [body, body])
        #expect(items.map(\.destination) == [alpha, bravo])
        try await spool.write { spool in
            for party in [alpha, bravo] { #expect(try spool.enqueue(Fixture.item(1, to: party)) == .duplicate) }
            try spool.release([1, 2])
        }
        #expect(try await spool.verify().problems == [])
        #expect(try await spool.verify().bodies == 0)
        try await spool.close()
    }
}
