import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import Logging
import Testing

@testable import GodwitNode
@testable import GodwitSpool

/// Nodes of earlier versions have their journal in the clear, and accounts without a policy.
@Suite("Stores of earlier versions of a node")
struct JournalMigrationTests {
    /// Makes a spool as the version before the journal was sealed had it.
    private static func earlier(_ directory: String, for home: NodeHome, _ fill: (Database) throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let queue = try DatabaseQueue(path: directory + "/spool.sqlite")
        var migrator = DatabaseMigrator()
        SpoolSchema.register(in: &migrator)
        NodeSchema.register(in: &migrator, for: NodeContext(id: home.id, signingKey: home.signingKey))
        try migrator.migrate(queue, upTo: "node link measures")
        try queue.write(fill)
        try queue.close()
    }

    @Test("what the journal had is sealed under its old numbers, read as before, and nowhere in the clear")
    func journal() async throws {
        let made = try await TestNode()
        defer { made.remove() }
        let home = made.node.home
        let (alice, bob) = (try Person("alice", at: home.id), try Person("bob", at: home.id))
        let sent = (0..<3).map { _ in alice.message(to: "@" + bob.id.text) }
        let file = bob.identityFile().setting("account_type", "minimal").setting(
            "preferences",
            ["blocked_users": [.string(alice.id.text)], "privacy": ["show_online_status": false]])
        let directory = made.directory + "/earlier"
        try Self.earlier(directory, for: home) { database in
            try database.execute(
                sql: """
                    INSERT INTO node_user (user, public_key, is_local, account_type, identity_file, since)
                    VALUES (?, ?, 1, 'minimal', ?, 0)
                    """,
                arguments: [bob.id.text, Data(bob.identityKey.publicKey.bytes), Data(file.canonicalBytes())])
            for (number, object) in sent.enumerated() {
                let message = try Message(object)
                try database.execute(
                    sql: """
                        INSERT INTO node_message (arrival, hash, author, conversation, timestamp, received, body)
                        VALUES (?, ?, ?, ?, 5, 7, ?)
                        """,
                    arguments: [
                        10 * Int64(number) + 3, Data(message.hash.bytes), alice.id.text, message.conversation.text,
                        Data(message.canonicalBytes),
                    ])
            }
        }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let node = try await HomeNode(
            home: home, spoolDirectory: directory, configuration: NodeConfiguration(), time: made.time,
            logger: logger, carrier: nil)
        let page = try await node.core.read { transaction in
            try transaction.history(
                HistoryQuestion(conversation: .between(alice.id, bob.id)), for: alice.id)
        }
        #expect(page.entries.map(\.arrival) == [23, 13, 3])
        #expect(page.entries.map(\.body) == sent.reversed().map { $0.canonicalBytes() })
        #expect(page.entries.allSatisfy { $0.received.milliseconds == 7 })
        let policy = try await node.core.read { transaction in
            try transaction.row("SELECT shows_status, retention FROM node_user").map { row in
                (row["shows_status"] as Bool, row["retention"] as Int64)
            }
        }
        #expect(policy?.0 == false && policy?.1 == 7 * 86_400_000)
        #expect(try await node.core.read { try $0.blocks(bob.id, alice.id) })
        // The next number is a new one.
        try await node.core.write { try $0.journal(Message(sent[0]), [], keeping: 86_400_000) }
        #expect(try await node.core.read { try $0.row("SELECT max(arrival) AS n FROM node_message")?["n"] } == 24)
        try await node.core.spool.truncateLog()
        let clear = try #require(sent[0]["content"]?.object?["ciphertext"]?.string)
        let bytes = [UInt8](FileManager.default.contents(atPath: directory + "/spool.sqlite") ?? Data())
        #expect(bytes.count > 4096 && bytes.firstRange(of: Array(clear.utf8)) == nil)
        try await node.core.spool.close()
        try FileManager.default.removeItem(atPath: directory)
    }
}
