import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Two nodes and what crosses between them (FED-05, FED-08, D-8, D-11, D-18).
@Suite("Two nodes")
struct FederationTests {
    typealias Enrolled = (person: Person, client: TestClient)

    /// Two nodes that know each other; alice on the first, bob on the second.
    static func nodes(
        _ body: (TestNode, TestNode, Enrolled, Enrolled) async throws -> Void
    ) async throws {
        try await TestNode.with { one in
            try await TestNode.with { other in
                try await one.add(other, calls: true)
                try await other.add(one)
                try await body(one, other, try await one.enrol("alice"), try await other.enrol("bob"))
            }
        }
    }

    /// alice's channel with both in it.
    static func channel(_ one: TestNode, _ other: TestNode, _ alice: Enrolled, _ bob: Enrolled) async throws {
        try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
        try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
        try await one.settle(with: other)
        try await eventually("the membership at bob's") { !bob.client.outbox.objects("membership").isEmpty }
        try await eventually("the membership at alice's") { alice.client.outbox.objects("membership").count == 2 }
    }

    @Test("a direct message reaches its reader on the other node, its author introduced first (FED-08, CH-09)")
    func direct() async throws {
        try await Self.nodes { one, other, alice, bob in
            var sent: [JSONObject] = []
            for _ in 0..<20 {
                sent.append(alice.person.message(to: "@" + bob.person.id.text))
                _ = try await alice.client.send(sent[sent.count - 1])
            }
            try await one.contact(other)
            try await eventually("the messages") { bob.client.outbox.messages.count == 20 }
            #expect(bob.client.outbox.has(sent))
            let first = bob.client.outbox.events("object").first?["object"]?.object
            #expect(first?["type"]?.string == "introduction")
            #expect(first?["user_id"]?.string == alice.person.id.text)
            try await one.settle(with: other)
            #expect(bob.client.outbox.messages.count == 20)
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            #expect(try await other.count("node_message") == 20)
            // Counted as their author made them, though only the last one has kept its signature.
            let status = try await other.control(["request": "status"]).object
            #expect(status?["arrived_bytes"]?.integer == sent.reduce(0) { $0 + Int64($1.canonicalBytes().count) })
            #expect(bob.client.outbox.messages.count { $0["signature"]?.string != nil } == 1)
        }
    }

    @Test("a channel over two nodes: join, membership, epoch with the joiner's wraps, messages both ways (D-18)")
    func channelAcross() async throws {
        try await Self.nodes { one, other, alice, bob in
            try await Self.channel(one, other, alice, bob)
            let atBob = try Membership(bob.client.outbox.objects("membership")[0])
            #expect(atBob.object == alice.client.outbox.objects("membership")[1])
            #expect(atBob.sponsor == alice.person.party && atBob.version == 2)
            let list = try #require(bob.client.outbox.objects("members").last)
            let parties = [alice.person.party.text, bob.person.party.text].sorted().map { JSONValue.string($0) }
            #expect(list["members"]?.array == parties)
            #expect(SHA256Digest.of(JSONValue.array(parties).canonicalBytes()) == atBob.deviceSet)

            let third = try Person("carol", at: one.id)
            let epoch = alice.person.epoch(for: atBob, wrapping: [bob.person, third])
            try await alice.client.command("submit", ["object": .object(epoch)])
            try await one.settle(with: other)
            try await eventually("the epoch at bob's") { !bob.client.outbox.objects("epoch").isEmpty }
            let wraps = bob.client.outbox.objects("epoch")[0]["wraps"]?.object?["for"]?.array ?? []
            #expect(wraps.compactMap { $0.object?["device"]?.string } == [bob.person.device.text])

            let down = alice.person.message(to: "#general", at: one.id)
            let up = bob.person.message(to: "#general", at: one.id)
            _ = try await alice.client.send(down)
            _ = try await bob.client.send(up)
            try await one.settle(with: other)
            try await eventually("both messages") {
                bob.client.outbox.has([down]) && alice.client.outbox.has([up])
            }
        }
    }

    @Test("wraps for devices of another site do not leave the channel's node")
    func wrapsBySite() async throws {
        try await Self.nodes { one, other, alice, bob in
            try await Self.channel(one, other, alice, bob)
            let (carol, c) = try await one.enrol("carol")
            try await c.channel("join_channel", "#general", by: carol, at: one.id)
            try await eventually("the third membership") { alice.client.outbox.objects("membership").count == 3 }
            let membership = try Membership(alice.client.outbox.objects("membership")[2])
            let epoch = alice.person.epoch(for: membership, wrapping: [carol])
            try await alice.client.command("submit", ["object": .object(epoch)])
            let onWire = try await one.queue(for: .node(other.id)).first { $0["type"]?.string == "epoch" }
            #expect(onWire != nil && onWire?["wraps"]?.isNull == true)
            try await eventually("carol's wrap") { !c.outbox.objects("epoch").isEmpty }
            #expect(c.outbox.objects("epoch")[0]["wraps"]?.object?["for"]?.array?.count == 1)
        }
    }

    @Test("the sponsor of a joiner is somebody at the joiner's site where there is one")
    func nearSponsor() async throws {
        try await Self.nodes { one, other, alice, bob in
            try await Self.channel(one, other, alice, bob)
            let (carol, c) = try await other.enrol("carol")
            try await c.channel("join_channel", "#general", by: carol, at: one.id)
            try await one.settle(with: other)
            try await eventually("carol's membership") { !c.outbox.objects("membership").isEmpty }
            let membership = try Membership(c.outbox.objects("membership")[0])
            #expect(membership.sponsor == bob.person.party)
            // bob's epoch goes up to the channel's node and comes back from there to both sites.
            let epoch = bob.person.epoch(for: membership, wrapping: [carol])
            try await bob.client.command("submit", ["object": .object(epoch)])
            #expect(c.outbox.objects("epoch").isEmpty)
            try await one.settle(with: other)
            try await eventually("the epoch everywhere") {
                !c.outbox.objects("epoch").isEmpty && !alice.client.outbox.objects("epoch").isEmpty
            }
            #expect(alice.client.outbox.objects("epoch")[0]["wraps"]?.isNull == true)
        }
    }

    @Test("a lookup across nodes is answered each time it is asked, also with the same words (FED-05)")
    func lookups() async throws {
        try await Self.nodes { one, other, alice, bob in
            let later = try Person("carol", at: other.id)
            let ask: JSONObject = ["user_id": .string(later.id.text)]
            try await alice.client.command("lookup_user", ask)
            try await one.settle(with: other)
            try await eventually("no such user") { alice.client.outbox.objects("user_lookup_result").count == 1 }
            #expect(alice.client.outbox.objects("user_lookup_result")[0]["found"]?.bool == false)
            let client = await TestClient(other)
            try await client.register(later, at: other)
            try await client.command("publish_keys", later.keys())
            for asked in 2...3 {
                try await alice.client.command("lookup_user", ask)
                try await one.settle(with: other)
                try await eventually("an answer") { alice.client.outbox.objects("user_lookup_result").count == asked }
                let answer = alice.client.outbox.objects("user_lookup_result")[asked - 1]
                #expect(answer["found"]?.bool == true)
                let bundle = answer["bundles"]?.array?.first?.object
                #expect(bundle?["one_time_pre_key"]?.object?["id"]?.integer == Int64(asked - 1))
                #expect(answer["device_list"]?.object == later.deviceList())
            }
        }
    }

    @Test("what the other node refuses comes back to the author as a refusal; what is good in the frame is kept")
    func refusals() async throws {
        try await Self.nodes { one, other, alice, bob in
            let good = alice.person.message(to: "@" + bob.person.id.text)
            let lost = alice.person.message(to: "@\(other.id.text).nobody")
            let strange = alice.person.message(to: "#secret", at: other.id)
            let last = alice.person.message(to: "@" + bob.person.id.text)
            for message in [good, lost, last] { _ = try await alice.client.send(message) }
            // A channel that is unknown here is refused at once; the other node refuses what is put past this one.
            #expect(try await refusal { try await alice.client.send(strange) }.code == .channelNotFound)
            try await one.put(strange, for: other)
            let report = try await one.contact(other)
            #expect(report.sentFrames == 1)
            try await one.settle(with: other)
            try await eventually("two refusals") { alice.client.outbox.objects("refusal").count == 2 }
            let codes = Dictionary(
                uniqueKeysWithValues: alice.client.outbox.objects("refusal").map {
                    ($0["item"]?.string ?? "", ProtocolError(object: $0)?.code)
                })
            let (lostHash, strangeHash) = (try Message(lost).hash, try Message(strange).hash)
            #expect(codes == [lostHash.base64: .userNotFound, strangeHash.base64: .channelNotFound])
            try await eventually("the good ones") { bob.client.outbox.has([good, last]) }
        }
    }

    @Test("a message by somebody unknown is held, and delivered when the introduction comes")
    func held() async throws {
        try await Self.nodes { one, other, alice, bob in
            let first = alice.person.message(to: "@" + bob.person.id.text)
            let second = alice.person.message(to: "@" + bob.person.id.text)
            try await one.put(first, for: other)
            try await one.put(second, for: other)
            try await one.contact(other)
            #expect(try await other.count("node_held") == 2)
            #expect(bob.client.outbox.messages.isEmpty)
            try await one.put(Self.introduction(alice.person), for: other, kind: .object)
            try await one.contact(other)
            try await eventually("both, in order") { bob.client.outbox.has([first, second]) }
            #expect(try await other.count("node_held") == 0)
        }
    }

    @Test("what is held is also released by the answer to a lookup")
    func heldUntilLookup() async throws {
        try await Self.nodes { one, other, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text)
            try await one.put(message, for: other)
            try await one.contact(other)
            #expect(try await other.count("node_held") == 1)
            try await bob.client.command("lookup_user", ["user_id": .string(alice.person.id.text)])
            try await one.settle(with: other)
            try await eventually("the message") { bob.client.outbox.has([message]) }
            #expect(try await other.count("node_held") == 0)
        }
    }

    static func introduction(_ person: Person, key: SigningKey? = nil) -> JSONObject {
        [
            "type": "introduction", "user_id": .string(person.id.text),
            "public_key": .string((key ?? person.identityKey).publicKey.text),
            "device_list": .object(person.deviceList()),
        ]
    }

    @Test("a node cannot introduce another key for a known user, nor anybody as a user of this node")
    func pinning() async throws {
        try await Self.nodes { one, other, alice, bob in
            try await one.put(Self.introduction(alice.person), for: other, kind: .object)
            try await one.contact(other)
            let twin = try Person("alice", at: one.id)
            let local = try Person("ghost", at: other.id)
            try await one.put(Self.introduction(twin), for: other, kind: .object)
            try await one.put(Self.introduction(local), for: other, kind: .object)
            try await one.contact(other)
            let known = try await other.node.core.read { try $0.user(alice.person.id) }
            #expect(known?.publicKey == alice.person.identityKey.publicKey.bytes)
            #expect(try await other.node.core.read { try $0.user(local.id) == nil })
            #expect(try await other.node.core.read { try $0.devices(of: alice.person.id) } == [alice.person.device])
        }
    }

    @Test("a peer cannot answer lookups for users of a third node")
    func forgedAnswer() async throws {
        try await Self.nodes { one, other, alice, bob in
            let victim = try Person("victim", at: try NodeID("thirdone"))
            try await one.put(
                [
                    "type": "user_lookup_result", "user_id": .string(victim.id.text),
                    "requester": .string(bob.person.party.text), "as_of": .string(one.time.now().description),
                    "found": true, "public_key": .string(victim.identityKey.publicKey.text),
                    "device_list": .object(victim.deviceList()), "signed_pre_key": .object(victim.signedPreKey()),
                    "one_time_pre_key": nil,
                ], for: other, kind: .object)
            try await one.contact(other)
            #expect(try await other.node.core.read { try $0.user(victim.id) == nil })
            #expect(bob.client.outbox.objects("user_lookup_result").isEmpty)
        }
    }

    @Test("a node whose spool is full keeps nothing of a frame; it stays with its sender and goes later (3003)")
    func full() async throws {
        try await Self.nodes { one, _, alice, _ in
            // A disk that is full until somebody makes room.
            let disk = Disk()
            let other = try await TestNode(name: "small", spool: SpoolConfiguration(disk: { _ in disk.usage }))
            try await one.add(other)
            try await other.add(one)
            let bob = try await other.enrol("bob")
            var sent: [JSONObject] = []
            for _ in 0..<12 {
                sent.append(alice.person.message(to: "@" + bob.person.id.text))
                _ = try await alice.client.send(sent[sent.count - 1])
            }
            disk.isFull = true
            let error = try await refusal { try await one.contact(other) }
            #expect(error.code == .bandwidthExceeded && error.hint != nil)
            #expect(try await other.count("node_message") == 0)
            #expect(try await one.queue(for: .node(other.id)).count == 13)
            let local = try await refusal {
                try await bob.client.send(bob.person.message(to: "@" + alice.person.id.text))
            }
            #expect(local.code == .bandwidthExceeded)
            disk.isFull = false
            try await one.settle(with: other)
            try await eventually("all messages") { bob.client.outbox.has(sent) }
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            other.remove()
        }
    }
}

/// A disk whose fill a test sets.
private final class Disk: Sendable {
    private let full = Mutex(false)
    var isFull: Bool {
        get { full.withLock { $0 } }
        set { full.withLock { $0 = newValue } }
    }
    var usage: DiskUsage { DiskUsage(total: ByteCount(1 << 30), available: ByteCount(isFull ? 0 : 1 << 29)) }
}

extension TestNode {
    /// Puts something into the queue for a peer past all checks of this node.
    func put(
        _ object: JSONObject, for other: TestNode, kind: ItemKind = .message,
        lifetime: Int64 = Message.defaultLifetime, created: Timestamp? = nil
    ) async throws {
        let body = object.canonicalBytes()
        let now = created ?? time.now()
        let destination = Party.node(other.id)
        try await node.core.write { transaction in
            try transaction.enqueue(
                NewItem(
                    id: ItemID(SHA256Digest.of(body)), kind: kind, body: body, destination: destination,
                    priority: kind == .message ? .directText : .control, created: now, lifetime: lifetime))
        }
    }

    /// Takes everything out of a queue, as if it had expired or been refused.
    func lose(for party: Party) async throws {
        try await node.core.spool.write { transaction in
            try transaction.release(try transaction.items(for: party, limit: 10_000).map(\.row))
        }
    }
}
