import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// A store that an older version made goes on with all that it held (Fixtures/: dumps of such stores).
@Suite("Stores of older versions")
struct UpgradeTests {
    static let fixtures = String(#filePath.dropLast("UpgradeTests.swift".count)) + "Fixtures/"

    /// A directory with the store of a dump.
    private func restore(_ name: String, into directory: String) throws {
        let dump = try #require(FileManager.default.contents(atPath: Self.fixtures + name))
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let queue = try DatabaseQueue(path: directory + "/spool.sqlite")
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA foreign_keys = OFF")
            try database.execute(sql: String(decoding: dump, as: UTF8.self))
        }
        try queue.close()
    }

    private func open(_ directory: String) throws -> SQLiteSpool {
        let context = NodeContext(id: try NodeID("abcdefgh"), signingKey: try .generate())
        return try SQLiteSpool(directory: directory, configuration: SpoolConfiguration(disk: { _ in nil })) {
            NodeSchema.register(in: &$0, for: context)
        }
    }

    private func schema(_ spool: SQLiteSpool) async throws -> [String] {
        try await spool.read { transaction in
            try String.fetchAll(
                transaction.database,
                sql: "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name")
        }
    }

    @Test("one from before sessions had names keeps users, keys, messages, queues and open sessions")
    func beforeSessions() async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/godwit-upgrade-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try restore("store-before-sessions.sql", into: directory + "/old")
        let spool = try open(directory + "/old")
        let id = try NodeID("6qzsugup")
        let context = NodeContext(id: id, signingKey: try .generate())
        let (alice, bob) = (try UserID("6qzsugup.alice"), try UserID("6qzsugup.bob"))
        // While its sessions were open.
        let now = Timestamp(milliseconds: 1_795_847_000_000)
        try await spool.read { transaction in
            let node = NodeTransaction(transaction, context: context, now: now)
            #expect(try node.counts()["users"] == 2 && node.counts()["messages"] == 1)
            let sessions = try node.sessions(of: alice)
            #expect(
                sessions.map(\.name) == ["6wnkes7xnwh7uds7pvt2klwzue"] && sessions.map(\.token) == sessions.map(\.name))
            #expect(sessions.first?.opened == sessions.first?.issued)
            let bundle = try #require(try node.bundles(of: alice, claim: false).first)
            #expect(bundle.device.text == "zujgx45h" && bundle.signedPreKey.device.text == "zujgx45h")
            let waiting = try transaction.keys(for: .device(bob, DeviceID("h2ke5qvz")))
            #expect(waiting.count { $0.kind == .message } == 1)
        }
        #expect(try await spool.verify().problems == [])
        let fresh = try open(directory + "/new")
        #expect(try await schema(spool) == schema(fresh), "an upgraded store is the same as a new one")
        try await spool.close()
        try await fresh.close()
    }

    /// With GODWIT_WRITE_SCHEMA=1 in the environment the dump is written anew.
    @Test("the node's tables are those of the dump that is committed beside this test")
    func dump() async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/godwit-schema-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let spool = try open(directory)
        let present = try await spool.read { transaction in
            try String.fetchAll(
                transaction.database,
                sql: """
                    SELECT sql FROM sqlite_master
                    WHERE tbl_name LIKE 'node~_%' ESCAPE '~' AND sql IS NOT NULL ORDER BY type DESC, name
                    """)
        }
        try await spool.close()
        let text = present.map { $0 + ";\n" }.joined()
        let path = Self.fixtures + "schema.sql"
        if ProcessInfo.processInfo.environment["GODWIT_WRITE_SCHEMA"] != nil {
            try Data(text.utf8).write(to: URL(filePath: path))
        }
        let committed = try #require(FileManager.default.contents(atPath: path))
        #expect(String(decoding: committed, as: UTF8.self) == text)
    }
}
