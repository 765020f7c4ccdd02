import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// A device that is dark for longer than messages live learns what it has missed (D-3, D-12).
@Suite("Heads of conversations")
struct HeadsTests {
    private static let day: Int64 = 86_400_000

    private static func notices(_ node: TestNode, _ asker: Asker) async throws -> [ConversationHeads] {
        try await node.queue(for: asker.person.party).filter { $0["type"]?.string == "heads" }.map { object in
            guard case .conversationHeads(let heads) = try ProtocolObject(object) else { throw NoHeads() }
            return heads
        }
    }

    private struct NoHeads: Error {}

    @Test("of each author and conversation a device is told the newest that expired, how many did, and since when")
    func newest() async throws {
        try await TestNode.with { node in
            let (alice, bob, carol) = (
                try await node.asker("alice"), try await node.asker("bob"), try await node.asker("carol")
            )
            await bob.client.session.closed()
            var sent: [Message] = []
            for (author, hour) in [(alice, 0), (alice, 1), (carol, 2)] {
                let message = author.person.message(
                    to: "@" + bob.person.id.text, time: TestTime.start.adding(milliseconds: Int64(hour) * 3_600_000))
                #expect(try await author.send(message, over: .batch) == nil)
                sent.append(try Message(message))
            }
            try await node.pass(29 * Self.day)
            #expect(try await Self.notices(node, bob).isEmpty)
            try await node.pass(2 * Self.day)
            let notices = try await Self.notices(node, bob).sorted { $0.author < $1.author }
            #expect(notices.map(\.author) == [alice.person.id, carol.person.id])
            #expect(notices.allSatisfy { $0.to == bob.person.party })
            #expect(notices.map { $0.name.address.text } == notices.map { "@" + $0.author.text })
            #expect(notices[0].heads.map(\.hash) == [sent[1].hash] && notices[0].heads.map(\.sequence) == [1])
            #expect(notices[0].heads.map(\.count) == [2] && notices[1].heads.map(\.count) == [1])
            #expect(notices.map(\.since) == [sent[0].timestamp, sent[2].timestamp])
            #expect(try await Self.notices(node, alice).isEmpty, "nothing of hers has expired for herself")
        }
    }

    @Test("what expires before it was told goes into one notice; a device that was told gets another one")
    func together() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            await bob.client.session.closed()
            var last: Message?
            for _ in 0..<3 {
                let message = alice.person.message(to: "@" + bob.person.id.text)
                #expect(try await alice.send(message, over: .batch) == nil)
                last = try Message(message)
                try await node.pass(31 * Self.day)
            }
            let notice = try #require(try await Self.notices(node, bob).first)
            #expect(try await Self.notices(node, bob).count == 1)
            #expect(notice.heads.map(\.count) == [3] && notice.heads.map(\.hash) == [last?.hash])
            // It is told.
            try await node.node.core.spool.write { transaction in
                try transaction.release(transaction.keys(for: bob.person.party).map(\.row))
            }
            let message = alice.person.message(to: "@" + bob.person.id.text)
            #expect(try await alice.send(message, over: .batch) == nil)
            try await node.pass(31 * Self.day)
            #expect(try await Self.notices(node, bob).map(\.heads).map { $0.map(\.count) } == [[1]])
        }
    }

    @Test("a notice outlives years, but not the device: of one that was struck nothing is left")
    func lasting() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            await bob.client.session.closed()
            #expect(try await alice.send(alice.person.message(to: "@" + bob.person.id.text), over: .batch) == nil)
            for _ in 0..<3 { try await node.pass(366 * Self.day) }
            #expect(try await Self.notices(node, bob).map(\.heads).map { $0.map(\.count) } == [[1]])
            try await node.node.core.write { try $0.revoke(bob.person.device, of: bob.person.id) }
            #expect(try await Self.notices(node, bob).isEmpty)
            #expect(try await node.count("node_latest") == 0)
        }
    }

    @Test("nobody tells a node of heads but the node itself")
    func misdirected() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            let message = try Message(alice.person.message(to: "@" + bob.person.id.text))
            let heads = ConversationHeads(
                to: bob.person.party, name: ConversationName(message.conversation, of: bob.person.id),
                author: alice.person.id,
                heads: [.init(device: message.device, sequence: 0, hash: message.hash, count: 1)],
                since: message.timestamp, at: node.time.now())
            await #expect(throws: ProtocolError.self) {
                try await node.node.core.write {
                    try $0.dispatch(.conversationHeads(heads), from: alice.person.party)
                }
            }
        }
    }
}
