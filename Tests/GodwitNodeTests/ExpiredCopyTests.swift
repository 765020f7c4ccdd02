import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What authors hear of copies that expire (D-12): a message went no further only if nobody else gets it.
@Suite("Copies that expire")
struct ExpiredCopyTests {
    private static let month: Int64 = 30 * 86_400_000

    /// Sessions have ended after so long, so that reports wait for their author.
    private static func refusals(_ node: TestNode, _ author: Person) async throws -> [JSONObject] {
        try await node.queue(for: author.party).filter { $0["type"]?.string == "refusal" }
    }

    @Test("of a channel's message that one member's device was too long away for the author hears nothing")
    func channel() async throws {
        try await TestNode.with { node in
            let people = try await ChannelTests.channel(of: ["alice", "bob", "carol"], on: node)
            let (alice, bob) = (people[0], people[1])
            await bob.client.session.closed()
            _ = try await alice.client.send(alice.person.message(to: "#general", at: node.id))
            try await node.pass(Self.month)
            let told = try await node.queue(for: bob.person.party).compactMap { $0["type"]?.string }
            #expect(told.contains("heads"))
            #expect(try await Self.refusals(node, alice.person).isEmpty)
        }
    }

    @Test("of a reader's devices the last one counts, and of the author's own others none", arguments: [true, false])
    func severalDevices(oneHasIt: Bool) async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let mine = try await SeveralDevicesTests.add(1, to: alice, on: node)[0]
            let his = try await SeveralDevicesTests.add(1, to: bob, on: node)[0]
            for client in [mine.client, his.client, bob.client] { await client.session.closed() }
            let message = SeveralDevicesTests.message(
                alice.person, to: bob.person.id, for: [his, bob, mine].map(\.person))
            _ = try await alice.client.send(message)
            if oneHasIt {
                try await node.node.core.spool.write { transaction in
                    try transaction.release(transaction.keys(for: bob.person.party).map(\.row))
                }
            }
            try await node.pass(Self.month)
            #expect(try await Self.refusals(node, alice.person).count == (oneHasIt ? 0 : 1))
        }
    }

    @Test("a message that never reached the channel's node is reported, with that node as its destination")
    func neverAtTheChannel() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            _ = try await bob.client.send(bob.person.message(to: "#general", at: one.id))
            try await other.pass(Self.month)
            let report = try #require(try await Self.refusals(other, bob.person).first)
            let error = try #require(ProtocolError(object: report))
            #expect(error.code == .nodeUnreachable && error.hint != nil)
            #expect(error.details["destination"]?.string == Party.node(one.id).text)
        }
    }

    @Test("a member's device that is struck from its list makes no channel message fail")
    func struck() async throws {
        try await TestNode.with { node in
            let people = try await ChannelTests.channel(of: ["alice", "bob"], on: node)
            let (alice, bob) = (people[0], people[1])
            await bob.client.session.closed()
            _ = try await alice.client.send(alice.person.message(to: "#general", at: node.id))
            let (user, device) = (bob.person.id, bob.person.device)
            try await node.node.core.write { try $0.revoke(device, of: user) }
            #expect(try await node.queue(for: bob.person.party).isEmpty)
            await alice.client.session.closed()
            #expect(try await Self.refusals(node, alice.person).isEmpty)
            #expect(alice.client.outbox.objects("refusal").isEmpty)
        }
    }
}
