import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Messages that are taken back (MSG-20, GDPR-01, G-87): who may, what goes, and what comes too late.
@Suite("Deletion")
struct DeletionTests {
    typealias Enrolled = (person: Person, client: TestClient)

    private static func delete(_ messages: [JSONObject], by who: Enrolled) async throws {
        try await who.client.command(
            "delete_messages", ["deletion": .object(try who.person.deletion(messages))])
    }

    private static func holes(_ node: TestNode) async throws -> Int {
        try await node.count("node_message WHERE hole = 'deleted'")
    }

    @Test("what still waits for the reader leaves the queue, and the reader gets the deletion instead")
    func waiting() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            await bob.client.session.closed()
            let message = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(message)
            #expect(try await node.queue(for: bob.person.party).contains(message))
            try await Self.delete([message], by: alice)
            let queue = try await node.queue(for: bob.person.party)
            #expect(!queue.contains(message))
            #expect(queue.last?["type"]?.string == "deletion")
            #expect(try await Self.holes(node) == 1)
            // Told twice, done once.
            try await Self.delete([message], by: alice)
            #expect(try await node.queue(for: bob.person.party).count == queue.count)
        }
    }

    @Test("a message on its way over a socket keeps its number, and the deletion comes under the next")
    func onTheSocket() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let message = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(message)
            try await eventually("the message") { bob.client.outbox.messages.contains(message) }
            try await Self.delete([message], by: alice)
            try await eventually("the deletion") { !bob.client.outbox.objects("deletion").isEmpty }
            let arrival = bob.client.outbox.events("message").last?["arrival"]?.integer ?? 0
            try await bob.client.received(arrival)
            #expect(try await node.queue(for: bob.person.party).map { $0["type"]?.string } == ["deletion"])
        }
    }

    @Test("another's direct message, another conversation and an altered deletion are refused and change nothing")
    func notAllowed() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let carol = try await node.enrol("carol")
            let message = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(message)
            // Bob's own signature under a deletion of what alice has written to him.
            let parsed = try Message(message)
            let foreign = bob.person.deviceKey.signed(
                Deletion.unsigned(
                    [parsed.hash], in: .direct(DirectAddress(alice.person.id)), channelNode: nil, user: bob.person.id,
                    device: bob.person.device, at: TestTime.start), purpose: .deletion)
            let elsewhere = alice.person.deviceKey.signed(
                Deletion.unsigned(
                    [parsed.hash], in: .direct(DirectAddress(carol.person.id)), channelNode: nil,
                    user: alice.person.id, device: alice.person.device, at: TestTime.start), purpose: .deletion)
            let altered = try alice.person.deletion([message]).setting(
                "at", .string(node.time.now().adding(milliseconds: 1).description))
            for (client, object, code) in [
                (bob.client, foreign, ErrorCode.insufficientPermissions),
                (alice.client, elsewhere, .insufficientPermissions), (alice.client, altered, .invalidCredentials),
                (bob.client, try alice.person.deletion([message]), .insufficientPermissions),
            ] {
                let error = try await refusal {
                    try await client.command("delete_messages", ["deletion": .object(object)])
                }
                #expect(error.code == code)
            }
            #expect(try await Self.holes(node) == 0)
        }
    }

    @Test("in a channel a member deletes own messages, a moderator all, by the matrix of roles (CH-10)")
    func roles() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            try await bob.client.channel("join_channel", "#harbour", by: bob.person, at: node.id)
            let ofAlice = alice.person.message(to: "#harbour", at: node.id)
            let ofBob = (0..<2).map { _ in bob.person.message(to: "#harbour", at: node.id) }
            _ = try await alice.client.send(ofAlice)
            for message in ofBob { _ = try await bob.client.send(message) }
            let error = try await refusal { try await Self.delete([ofBob[0], ofAlice], by: bob) }
            #expect(error.code == .insufficientPermissions)
            #expect(try await Self.holes(node) == 0, "all or nothing")
            try await Self.delete([ofBob[0]], by: bob)
            #expect(try await Self.holes(node) == 1)
            // The owner may delete what others wrote.
            try await Self.delete([ofBob[1]], by: alice)
            #expect(try await Self.holes(node) == 2)
            try await eventually("the moderator's deletion") { bob.client.outbox.objects("deletion").count == 1 }
        }
    }

    @Test("a deletion that comes before its message keeps the message out, for whoever may delete it")
    func early() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let message = alice.person.message(to: "@" + bob.person.id.text)
            try await Self.delete([message], by: alice)
            _ = try await alice.client.send(message)
            #expect(try await Self.holes(node) == 1)
            #expect(try await !node.queue(for: bob.person.party).contains(message))
            #expect(try await node.count("node_taken_back") == 0)
            // Somebody who names another's hash first keeps nothing out.
            let next = alice.person.message(to: "@" + bob.person.id.text)
            let forged = bob.person.deviceKey.signed(
                Deletion.unsigned(
                    [try Message(next).hash], in: .direct(DirectAddress(alice.person.id)), channelNode: nil,
                    user: bob.person.id, device: bob.person.device, at: TestTime.start), purpose: .deletion)
            try await bob.client.command("delete_messages", ["deletion": .object(forged)])
            _ = try await alice.client.send(next)
            try await eventually("the message") { bob.client.outbox.messages.contains(next) }
            // Nor does that keep the author from taking it back before it comes.
            let third = alice.person.message(to: "@" + bob.person.id.text)
            let squatting = bob.person.deviceKey.signed(
                Deletion.unsigned(
                    [try Message(third).hash], in: .direct(DirectAddress(alice.person.id)), channelNode: nil,
                    user: bob.person.id, device: bob.person.device, at: TestTime.start), purpose: .deletion)
            try await bob.client.command("delete_messages", ["deletion": .object(squatting)])
            try await Self.delete([third], by: alice)
            _ = try await alice.client.send(third)
            #expect(try await Self.holes(node) == 2)
        }
    }

    @Test("over a link the deletion takes the place of what waits, and the other node loses what it has")
    func federation() async throws {
        try await TestNode.with { node in
            try await TestNode.with { other in
                try await node.add(other)
                try await other.add(node)
                let (alice, bob) = (try await node.enrol("alice"), try await other.enrol("bob"))
                let sent = (0..<2).map { _ in alice.person.message(to: "@" + bob.person.id.text) }
                _ = try await alice.client.send(sent[0])
                try await node.settle(with: other)
                #expect(try await other.count("node_message WHERE hole IS NULL") == 1)
                _ = try await alice.client.send(sent[1])
                try await Self.delete(sent, by: alice)
                let waiting = try await node.queue(for: .node(other.id))
                #expect(waiting.map { $0["type"]?.string } == ["deletion"])
                try await node.settle(with: other)
                #expect(try await Self.holes(other) == 1)
                #expect(try await other.count("node_taken_back") == 1)
                try await eventually("the deletion") { !bob.client.outbox.objects("deletion").isEmpty }
            }
        }
    }

    @Test("the same deletion in other words goes no further, and none reaches who has blocked the deleter (§9.7)")
    func repeated() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let message = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(message)
            await bob.client.session.closed()
            for second in 0..<20 {
                let hash = try Message(message).hash
                let object = alice.person.deviceKey.signed(
                    Deletion.unsigned(
                        [hash], in: .direct(DirectAddress(bob.person.id)), channelNode: nil, user: alice.person.id,
                        device: alice.person.device, at: TestTime.start.adding(milliseconds: Int64(second) * 1_000)),
                    purpose: .deletion)
                try await alice.client.command("delete_messages", ["deletion": .object(object)])
            }
            #expect(try await node.queue(for: bob.person.party).count { $0["type"]?.string == "deletion" } == 1)
            let (reader, author) = (bob.person.id.text, alice.person.id.text)
            try await node.node.core.write {
                try $0.run("INSERT INTO node_block (user, blocked) VALUES (?, ?)", [reader, author])
            }
            let blocked = alice.person.message(to: "@" + bob.person.id.text)
            _ = try await alice.client.send(blocked)
            try await alice.client.command(
                "delete_messages", ["deletion": .object(try alice.person.deletion([blocked]))])
            #expect(try await node.queue(for: bob.person.party).count { $0["type"]?.string == "deletion" } == 1)
        }
    }

    @Test("1,024 messages may be taken back before they come; of one more the oldest is forgotten")
    func limit() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            func deletion(_ first: Int, _ count: Int) -> JSONObject {
                let hashes = (first..<first + count).compactMap {
                    MessageHash(SHA256Digest.of(Array(String($0).utf8)))
                }
                return alice.person.deviceKey.signed(
                    Deletion.unsigned(
                        hashes, in: .direct(DirectAddress(bob.person.id)), channelNode: nil, user: alice.person.id,
                        device: alice.person.device, at: TestTime.start), purpose: .deletion)
            }
            for start in stride(from: 0, to: 1024, by: 64) {
                try await alice.client.command("submit", ["object": .object(deletion(start, 64))])
            }
            #expect(try await node.count("node_taken_back") == 1024)
            try await alice.client.command("submit", ["object": .object(deletion(5_000, 1))])
            #expect(try await node.count("node_taken_back") == 1024)
            let newest = Data(SHA256Digest.of(Array("5000".utf8)))
            #expect(
                try await node.node.core.read {
                    try $0.row("SELECT 1 FROM node_taken_back WHERE hash = ?", [newest]) != nil
                })
        }
    }
}
