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

    @Test(
        "a store from before messages were held for moderators keeps its bans, and holds nothing that it did not note")
    func moderation() async throws {
        try await TestNode.with { node in
            let bob = try await node.asker("bob")
            let directory = node.directory + "-old"
            try SystemFile.makeDirectory(directory)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let pool = try DatabasePool(path: directory + "/spool.sqlite")
            var migrator = DatabaseMigrator()
            SpoolSchema.register(in: &migrator)
            NodeSchema.register(in: &migrator, for: node.node.core.context)
            try migrator.migrate(pool, upTo: "node epochs")
            let name = [UInt8](repeating: 9, count: 32)
            let user = bob.person.id.text
            try await pool.write { database in
                for (sql, arguments) in [
                    (
                        """
                        INSERT INTO node_channel (channel, name, node, version, created, last_activity)
                          VALUES (1, '#general', ?, 3, 0, 0)
                        """, [node.id.text]
                    ),
                    ("INSERT INTO node_rotation (channel, name, side) VALUES (1, ?, 0)", [Data(name)]),
                    (
                        "INSERT INTO node_ban (channel, user, banned, moderator, at) VALUES (1, ?, 1, 'x', 0)",
                        [user]
                    ),
                ] as [(String, StatementArguments)] {
                    try database.execute(sql: sql, arguments: arguments)
                }
            }
            try pool.close()
            let context = node.node.core.context
            let spool = try SQLiteSpool(directory: directory, configuration: SpoolConfiguration(disk: { _ in nil })) {
                NodeSchema.register(in: &$0, for: context)
            }
            let message = try Message(bob.person.message(to: "#general", at: node.id))
            #expect(message.epoch == name)
            try await spool.read { database in
                let transaction = NodeTransaction(database, context: context, now: TestTime.start)
                let channel = try #require(try transaction.channel(JoinTests.general(node)))
                #expect(try transaction.ban(of: bob.person.id, in: channel) != nil)
                #expect(try transaction.stay(of: message, in: channel) == nil)
                #expect(try transaction.row("SELECT membership FROM node_rotation")?["membership"] == 0)
            }
            #expect(try await spool.verify().problems == [])
            try await spool.close()
        }
    }
}
