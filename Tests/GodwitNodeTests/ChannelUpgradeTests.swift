import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode
@testable import GodwitSpool

@Suite("Stores from before channels had roles of users")
struct ChannelUpgradeTests {
    @Test("owners stay owners, with all devices, and the keys with which members joined are found again")
    func upgrade() async throws {
        try await TestNode.with { node in
            let alice = try await node.asker("alice")
            let spoolDirectory = node.directory + "-old"
            try SystemFile.makeDirectory(spoolDirectory)
            defer { try? FileManager.default.removeItem(atPath: spoolDirectory) }
            let pool = try DatabasePool(path: spoolDirectory + "/spool.sqlite")
            var migrator = DatabaseMigrator()
            SpoolSchema.register(in: &migrator)
            NodeSchema.register(in: &migrator, for: node.node.core.context)
            try migrator.migrate(pool, upTo: "node link measures")
            let preKey = alice.person.signedPreKey()
            let order: JSONObject = ["joined": [.object(preKey)], "version": 1]
            let user = alice.person.id.text
            try await pool.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO node_channel (channel, name, node, version, created, last_activity)
                          VALUES (1, '#general', ?, 3, 0, 0)
                        """, arguments: [node.id.text])
                for (member, device, role, joined) in [
                    (user, alice.person.device.text, "owner", 1), (user, "bbbbbbbb", "member", 2),
                    ("elsewher.bob", "cccccccc", "member", 3),
                ] {
                    try database.execute(
                        sql: "INSERT INTO node_member (channel, user, device, role, joined) VALUES (1, ?, ?, ?, ?)",
                        arguments: [member, device, role, joined])
                }
                try database.execute(
                    sql: "INSERT INTO node_order (channel, version, membership) VALUES (1, 1, ?)",
                    arguments: [Data(order.canonicalBytes())])
            }
            try pool.close()
            let spool = try SQLiteSpool(
                directory: spoolDirectory, configuration: SpoolConfiguration(disk: { _ in nil })
            ) {
                NodeSchema.register(in: &$0, for: node.node.core.context)
            }
            let context = node.node.core.context
            try await spool.read { database in
                let transaction = NodeTransaction(database, context: context, now: TestTime.start)
                let channel = try #require(try transaction.channel(JoinTests.general(node)))
                #expect(channel.settings == ChannelSettings() && channel.departed == 0)
                #expect(try transaction.members(of: channel).map(\.role) == [.owner, .owner, .member])
                let keys = try transaction.rows("SELECT pre_key FROM node_member ORDER BY joined").map { row in
                    try (row["pre_key"] as Data?).map { try JSONObject.parse([UInt8]($0)) }
                }
                #expect(keys == [preKey, nil, nil])
            }
            try await spool.close()
        }
    }
}
