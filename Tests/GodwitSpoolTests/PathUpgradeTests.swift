import FoundationEssentials
import GRDB
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("A spool from before frames had paths")
struct PathUpgradeTests {
    @Test("its frames are the main link's, and are acknowledged and moved as others are")
    func upgrade() async throws {
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let pool = try DatabasePool(path: directory.path + "/spool.sqlite")
        var migrator = DatabaseMigrator()
        SpoolSchema.register(in: &migrator)
        try migrator.migrate(pool, upTo: "spool-3")
        try await pool.write { database in
            try database.execute(
                sql: """
                    UPDATE spool_state SET uptime = 5000;
                    INSERT INTO spool_party (party, name, incarnation, next) VALUES (1, '\(alpha.text)', 9, 3);
                    INSERT INTO spool_frame (peer, incarnation, number, bytes) VALUES (1, 9, 1, x'01'), (1, 9, 2, x'02');
                    """)
        }
        try pool.close()

        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let frames = try await spool.read { try $0.inFlight(to: alpha) }
        #expect(frames.map(\.path) == ["main", "main"] && frames.map(\.number.number) == [1, 2])
        try await spool.write { spool in
            try spool.move([frames[0].number], to: "bike", of: alpha)
            #expect(try spool.unacknowledged(to: alpha, path: "main").map(\.bytes) == [[2]])
            _ = try spool.acknowledge(from: alpha, incarnation: 9, numbers: [2...2])
            #expect(try spool.settledDigests(to: alpha, numbers: [1...2]) == [2: BlobStore.digest(of: [2])])
            _ = try spool.acknowledge(from: alpha, incarnation: 9, numbers: [1...2])
            #expect(try spool.inFlight(to: alpha).isEmpty)
        }
        #expect(try await spool.verify().problems == [])
        try await spool.close()
    }
}
