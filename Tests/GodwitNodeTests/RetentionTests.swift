import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What is not kept any more is gone: from the journal, from the files, and with its key (SEC-11, G-88).
@Suite("Retention")
struct RetentionTests {
    private static let day: Int64 = 86_400_000

    private static func sealed(_ node: TestNode) async throws -> (body: [UInt8], key: [UInt8]) {
        try await node.node.core.read { transaction in
            let row = try transaction.row(
                "SELECT m.body, p.key FROM node_message m JOIN node_period p ON p.period = m.period")
            return ([UInt8](row?["body"] as Data? ?? Data()), [UInt8](row?["key"] as Data? ?? Data()))
        }
    }

    @Test("bodies and the key of an ended period are nowhere in the files; the hole stays, by uptime alone")
    func erasure() async throws {
        let node = try await TestNode(retention: try Retention("90d"))
        defer { node.remove() }
        let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
        let message = alice.person.message(to: "@" + bob.person.id.text)
        _ = try await alice.client.send(message)
        let (body, key) = try await Self.sealed(node)
        #expect(body.count > 100 && key.count == 60)
        #expect(node.stores(body) && node.stores(key))
        // The clock on the wall says nothing.
        node.time.advance(milliseconds: 400 * Self.day)
        try await node.node.expire(elapsed: 88 * Self.day)
        #expect(try await node.count("node_message WHERE body IS NOT NULL") == 1)
        try await node.node.expire(elapsed: 2 * Self.day)
        #expect(try await node.count("node_message WHERE hole = 'expired'") == 1)
        #expect(try await node.count("node_period") == 0)
        #expect(!node.stores(body) && !node.stores(key))
    }

    @Test("a deleted body is nowhere in the files either")
    func deleted() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let message = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(message)
            let clear = try #require(message["content"]?.object?["ciphertext"]?.string)
            let body = try await Self.sealed(node).body
            #expect(node.stores(Array(clear.utf8)), "it waits for bob")
            try await alice.client.command(
                "delete_messages", ["deletion": .object(try alice.person.deletion([message]))])
            try await node.node.expire(elapsed: 1)
            #expect(!node.stores(body) && !node.stores(Array(clear.utf8)))
        }
    }

    @Test("the least of what the node, the author and the reader say counts; a temporary account keeps nothing")
    func least() async throws {
        let node = try await TestNode(retention: try Retention("30d"))
        defer { node.remove() }
        let plain = try await node.enrol("plain")
        let short = try await node.enrol("short", preferences: ["privacy": ["message_retention": "10d"]])
        let minimal = try await node.enrol("minimal", type: "minimal")
        let guest = try await node.enrol("guest", type: "temporary")
        let pairs = [
            (plain, short), (short, plain), (minimal, plain), (plain, minimal), (plain, guest), (guest, plain),
        ]
        for (author, reader) in pairs {
            _ = try await author.client.send(author.person.message(to: "@" + reader.person.id.text))
        }
        let other = try await node.enrol("other")
        _ = try await plain.client.send(plain.person.message(to: "@" + other.person.id.text))
        #expect(try await node.count("node_message WHERE hole = 'not_kept'") == 2)
        for (days, left) in [(6, 5), (7, 3), (9, 3), (10, 1), (29, 1), (30, 0)] as [(Int64, Int)] {
            let passed = try await node.node.core.read { try $0.spool.uptime() }
            try await node.node.expire(elapsed: days * Self.day - passed)
            #expect(try await node.count("node_message WHERE body IS NOT NULL") == left, "day \(days)")
        }
    }

    @Test("a node that is told to keep less than before lets go of what it has")
    func lowered() async throws {
        let node = try await TestNode(retention: try Retention("90d"))
        defer { node.remove() }
        let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
        _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
        try await node.node.expire(elapsed: 5 * Self.day)
        for (days, left) in [("6d", 1), ("5d", 0)] as [(String, Int)] {
            var context = node.node.core.context
            context.retention = try Retention(days)
            let lower = context
            try await node.node.core.spool.write { transaction in
                _ = try NodeTransaction(transaction, context: lower, now: TestTime.start).forgetJournal()
            }
            #expect(try await node.count("node_message WHERE body IS NOT NULL") == left)
        }
    }

    @Test("periods never end later than their retention and at most a 64th of it, or a day, earlier")
    func periods() throws {
        for hours in [1, 5, 24, 24 * 7, 24 * 90, 24 * 3_650] as [Int64] {
            let keeps = hours * 3_600_000
            for uptime in [0, 1, 59_999, 60_000, 86_399_999, 123_456_789] as [Int64] {
                let period = try JournalPeriod.make(keeping: keeps, at: uptime)
                let kept = period.ends - uptime
                #expect(kept <= keeps && kept > keeps - max(60_000, min(keeps / 64, Self.day)))
            }
        }
    }

    @Test("retentions are read as written, and nothing else is (ID-16)")
    func texts() throws {
        for (text, days) in [("90d", 90), ("1d", 1), ("3650d", 3_650), ("48h", 2)] as [(String, Int64)] {
            #expect(try Retention(text).milliseconds == days * Self.day)
        }
        #expect(try Retention("none") == .none && Retention("36h").description == "36h")
        for bad in ["", "d", "0d", "3651d", "-1d", "90", "90D", "1.5d", "forever", "99999999999d"] {
            #expect(throws: ProtocolError.self) { try Retention(bad) }
        }
    }
}
