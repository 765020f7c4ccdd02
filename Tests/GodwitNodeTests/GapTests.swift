import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// A site that has missed a change of a channel asks the channel's node for it (docs/protocol.md §7).
@Suite("Missed changes")
struct GapTests {
    typealias Enrolled = FederationTests.Enrolled

    /// alice's channel on `one` with bob of `other`; carol's join, version 3, never reached `other`.
    private static func missed(
        _ body: (TestNode, TestNode, Enrolled, Enrolled, Enrolled) async throws -> Void
    ) async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let carol = try await one.enrol("carol")
            try await carol.client.channel("join_channel", "#general", by: carol.person, at: one.id)
            try await one.lose(for: .node(other.id))
            try await body(one, other, alice, bob, carol)
        }
    }

    private static func versions(_ someone: Enrolled) -> [Int64] {
        someone.client.outbox.objects("membership").compactMap { $0["version"]?.integer }
    }

    private static func questions(_ node: TestNode, to other: TestNode) async throws -> [JSONObject] {
        try await node.queue(for: .node(other.id)).filter { $0["members"]?.array?.isEmpty ?? false }
    }

    @Test("a later change shows that one was missed: both arrive, in order")
    func laterChange() async throws {
        try await Self.missed { one, other, _, bob, _ in
            let dora = try await one.enrol("dora")
            try await dora.client.channel("join_channel", "#general", by: dora.person, at: one.id)
            try await one.settle(with: other)
            try await eventually("three changes") { Self.versions(bob) == [2, 3, 4] }
            #expect(try await other.count("node_gap") == 0)
            #expect(try await other.count("node_held") == 0)
            #expect(try await other.count("node_member") == 4)
        }
    }

    @Test("an epoch of a membership that was missed is held, and goes to the members behind it")
    func epoch() async throws {
        try await Self.missed { one, other, alice, bob, carol in
            try await eventually("alice's change") { Self.versions(alice).last == 3 }
            let membership = try Membership(try #require(alice.client.outbox.objects("membership").last))
            let epoch = alice.person.epoch(for: membership, wrapping: [carol.person])
            try await alice.client.command("submit", ["object": .object(epoch)])
            try await one.settle(with: other)
            try await eventually("the change and its epoch") {
                Self.versions(bob) == [2, 3] && bob.client.outbox.objects("epoch").count == 1
            }
            #expect(alice.client.outbox.objects("refusal").isEmpty)
            let types = bob.client.outbox.events("object").compactMap { $0["object"]?.object?["type"]?.string }
            #expect(types.suffix(2) == ["membership", "epoch"])
        }
    }

    @Test("a message by a member whose join was missed is held, not refused")
    func message() async throws {
        try await Self.missed { one, other, _, bob, carol in
            let message = carol.person.message(to: "#general", at: one.id)
            _ = try await carol.client.send(message)
            try await one.settle(with: other)
            try await eventually("the message") { bob.client.outbox.has([message]) }
            #expect(Self.versions(bob) == [2, 3])
            #expect(carol.client.outbox.objects("refusal").isEmpty)
        }
    }

    @Test("a message that its author's going has overtaken is passed on: the channel's node has judged it (D-18)")
    func overtaken() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let carol = try await one.enrol("carol")
            try await carol.client.channel("join_channel", "#general", by: carol.person, at: one.id)
            let first = carol.person.message(to: "#general", at: one.id)
            _ = try await carol.client.send(first)
            try await one.settle(with: other)
            try await eventually("her first message") { bob.client.outbox.has([first]) }
            let message = carol.person.message(to: "#general", at: one.id)
            try await carol.client.channel("leave_channel", "#general", by: carol.person, at: one.id)
            try await one.settle(with: other)
            try await eventually("her going") { Self.versions(bob).last == 4 }
            // The channel's node had taken it before, and it comes by a slower way.
            let (body, source) = (message.canonicalBytes(), Party.node(one.id))
            let targets = try await other.node.core.write { transaction in
                let item = BatchItem(kind: .message, body: body, created: transaction.now, priority: .channelText)
                try transaction.attempt(item, from: source)
                return try transaction.spool.custody(of: ItemID(try Message(parsing: body).hash.bytes)).map(
                    \.destination)
            }
            #expect(targets == [bob.person.party])
            #expect(try await other.count("node_held") == 0)
            #expect(try await other.count("node_gap") == 0)
        }
    }

    @Test("what the channel's node does not keep any more comes as the member list and the last change")
    func list() async throws {
        try await Self.missed { one, other, _, bob, _ in
            let dora = try await one.enrol("dora")
            try await dora.client.channel("join_channel", "#general", by: dora.person, at: one.id)
            try await one.node.core.write { try $0.run("DELETE FROM node_order WHERE version = 3") }
            try await one.settle(with: other)
            try await eventually("the last change") { Self.versions(bob) == [2, 4] }
            let list = try #require(bob.client.outbox.objects("members").last)
            #expect(list["version"]?.integer == 4 && list["members"]?.array?.count == 4)
            #expect(try await other.count("node_gap") == 0)
            #expect(try await other.count("node_held") == 0)
        }
    }

    @Test("a channel of which nothing is known is learned when the channel's node sends something of it")
    func unknownChannel() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
            try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
            try await other.contact(one)
            // All that told of the join is lost on the way.
            try await other.node.core.write { transaction in
                for table in ["node_epoch", "node_member", "node_channel"] {
                    try transaction.run("DELETE FROM \(table)")
                }
            }
            try await one.lose(for: .node(other.id))
            let message = alice.person.message(to: "#general", at: one.id)
            _ = try await alice.client.send(message)
            try await one.settle(with: other)
            try await eventually("the message") { bob.client.outbox.has([message]) }
            #expect(try await other.count("node_member") == 2)
        }
    }

    @Test("a question without an answer is asked again after two minutes, then ever more rarely, 24 times in all")
    func retry() async throws {
        try await Self.missed { one, other, _, _, carol in
            _ = try await carol.client.send(carol.person.message(to: "#general", at: one.id))
            let key = other.node.core
            let records = try await one.control(["request": "export", "to": .string(other.id.text)]).object
            _ = try await other.control(["request": "import", "records": records?["records"] ?? .null])
            #expect(try await Self.questions(other, to: one).count == 1)
            // While it waits it is not asked again.
            try await other.node.expire(elapsed: 600_000)
            #expect(try await Self.questions(other, to: one).count == 1)
            try await other.lose(for: .node(one.id))
            try await other.node.expire(elapsed: 0)
            #expect(try await Self.questions(other, to: one).count == 1)
            try await other.lose(for: .node(one.id))
            try await other.node.expire(elapsed: 239_999)
            #expect(try await Self.questions(other, to: one).isEmpty)
            try await other.node.expire(elapsed: 1)
            var asked = 3
            for _ in 0..<40 {
                try await other.lose(for: .node(one.id))
                try await other.node.expire(elapsed: 3_600_000)
                asked += try await Self.questions(other, to: one).count
            }
            #expect(asked == 24)
            #expect(try await key.read { try $0.rows("SELECT 1 FROM node_gap").isEmpty })
        }
    }

    @Test("a site without a member learns nothing by asking, and a member's site only what it lacks")
    func strangers() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
            func ask(_ version: Int64) async throws -> [String] {
                let question = MemberList(channel: try JoinTests.general(one), version: version, devices: [])
                _ = try await other.node.core.write { try $0.enqueueAnew(question.object, to: .node(one.id)) }
                try await other.contact(one)
                let frames = try await one.node.core.spool.read { try $0.unacknowledged(to: .node(other.id)).count }
                try await other.contact(one)
                return frames == 0 ? [] : ["an answer"]
            }
            #expect(try await ask(1).isEmpty)
            try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
            try await one.settle(with: other)
            #expect(try await ask(3).isEmpty)
            #expect(try await !ask(2).isEmpty)
        }
    }
}
