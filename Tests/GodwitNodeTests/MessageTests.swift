import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// send_message on one node: the checks of 004 §6.4 (MSG-14 to MSG-18), delivery and acknowledgement (WS-04, WS-05).
@Suite("Messages")
struct MessageTests {
    typealias Enrolled = (person: Person, client: TestClient)

    /// A node with alice and bob.
    private static func pair(_ body: (TestNode, Enrolled, Enrolled) async throws -> Void) async throws {
        try await TestNode.with { node in
            try await body(node, try await node.enrol("alice"), try await node.enrol("bob"))
        }
    }

    @Test("a direct message is acknowledged, journalled and pushed to the reader with its arrival (CH-09, WS-05)")
    func direct() async throws {
        try await Self.pair { node, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text)
            let ack = try await alice.client.send(message)
            #expect(ack["message_id"] == message["id"] && ack["timestamp"] == message["timestamp"])
            #expect(ack["repeated"]?.bool == false)
            try await eventually("the message") { !bob.client.outbox.messages.isEmpty }
            let event = try #require(bob.client.outbox.events("message").first)
            #expect(event["message"]?.object == message)
            #expect(event["channel"]?.string == "@" + bob.person.id.text)
            #expect(event["arrival"]?.integer ?? 0 > 0)
            #expect(try await node.count("node_message") == 1)
            // The author is introduced before the message.
            #expect(bob.client.outbox.objects("introduction").first?["user_id"]?.string == alice.person.id.text)
            let names = bob.client.outbox.frames.compactMap { $0["event"]?.string }.filter { $0 != "ack" }
            #expect(names == ["object", "message"])
        }
    }

    @Test("a message sent twice is acknowledged as repeated and delivered once, also after the five minutes")
    func repeated() async throws {
        try await Self.pair { node, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text)
            #expect(try await alice.client.send(message)["repeated"]?.bool == false)
            #expect(try await alice.client.send(message)["repeated"]?.bool == true)
            node.time.advance(milliseconds: 3_600_000)
            #expect(try await alice.client.send(message)["repeated"]?.bool == true)
            try await eventually("the message") { !bob.client.outbox.messages.isEmpty }
            #expect(try await node.count("node_message") == 1)
            #expect(try await node.queue(for: bob.person.party).filter { $0["content"] != nil }.count == 1)
        }
    }

    @Test("a live message may be five minutes off either way, not a millisecond more (MSG-15)", arguments: [-1, 1])
    func clock(_ sign: Int64) async throws {
        try await Self.pair { node, alice, bob in
            let now = node.time.now()
            let address = "@" + bob.person.id.text
            _ = try await alice.client.send(
                alice.person.message(to: address, time: now.adding(milliseconds: sign * 300_000)))
            let late = alice.person.message(to: address, time: now.adding(milliseconds: sign * 300_001))
            let error = try await refusal { try await alice.client.send(late) }
            #expect(error.code == .invalidMessageFormat && error.details["member"]?.string == "timestamp")
            #expect(error.details["server_time"]?.string == now.description)
            #expect(try await node.count("node_message") == 1)
            // What was refused is not remembered as known: with a right clock the same message goes.
            guard sign > 0 else { return }
            node.time.advance(milliseconds: 1)
            let again = try await alice.client.send(late)
            #expect(again["repeated"]?.bool == false)
        }
    }

    @Test("65,535 bytes are the last that are accepted; 65,536 get 2001 with both sizes (MSG-17, ERR-03)")
    func size() async throws {
        try await Self.pair { node, alice, bob in
            let address = "@" + bob.person.id.text
            let large = alice.person.message(ofSize: 65_536, to: address)
            #expect(large.canonicalBytes().count == 65_536)
            let error = try await refusal { try await alice.client.send(large) }
            #expect(error.code == .messageTooLarge)
            #expect(error.details["max_size"]?.integer == 65_536 && error.details["actual_size"]?.integer == 65_536)
            let writer = try Person("writer", at: node.id)
            let client = await TestClient(node)
            try await client.register(writer, at: node)
            try await client.command("publish_keys", writer.keys())
            let last = writer.message(ofSize: 65_535, to: address)
            _ = try await client.send(last)
            try await eventually("the large message") { bob.client.outbox.messages.contains(last) }
        }
    }

    /// Entries for devices of a user, each nearly as large as one may be.
    static func largeWraps(_ count: Int, for user: UserID) throws -> [BodyWrap] {
        try (0..<count).map { _ in
            BodyWrap(
                user: user, device: try DeviceID(Base32.encode(SystemRandom().bytes(5))), session: "abcdefghijklmnop",
                header: SystemRandom().bytes(1_800), nonce: SystemRandom().bytes(12),
                wrapped: SystemRandom().bytes(48))
        }
    }

    @Test("a message that fits no frame is refused with 2001 instead of stopping the link behind it")
    func recipients() async throws {
        // To a device goes its own entry only; to another node those of all its users.
        try await FederationTests.nodes { node, _, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text, ciphertext: 44_000)
                .setting("recipients", BodyWrap.list(try Self.largeWraps(12, for: bob.person.id)))
            let error = try await refusal { try await alice.client.send(message) }
            #expect(error.code == .messageTooLarge)
            #expect(try await node.count("node_message") == 0)
        }
    }

    @Test("a bad signature, an altered member and a changed id are refused and nothing is written (MSG-14, MSG-16)")
    func altered() async throws {
        try await Self.pair { node, alice, bob in
            let address = "@" + bob.person.id.text
            let message = alice.person.message(to: address)
            let other = alice.person.message(to: address)
            let cases: [(JSONObject, ErrorCode)] = [
                (message.setting("signature", other["signature"] ?? .null), .invalidCredentials),
                // A changed member changes the hash: the id no longer follows.
                (message.setting("metadata", ["client": "other/1"]), .invalidMessageFormat),
                (message.setting("id", other["id"] ?? .null), .invalidMessageFormat),
                (message.omitting(["encryption"]), .invalidMessageFormat),
                (message.setting("type", "song"), .invalidMessageFormat),
                (message.setting("timestamp", "2025-09-06T10:30:00Z"), .invalidMessageFormat),
                (message.setting("author", 7), .invalidMessageFormat),
            ]
            for (bad, code) in cases {
                let error = try await refusal { try await alice.client.send(bad) }
                #expect(error.code == code)
            }
            #expect(try await node.count("node_message") == 0)
            _ = try await alice.client.send(message)
        }
    }

    @Test("an altered message with an id that follows is refused for its signature (MSG-14)")
    func resealed() async throws {
        try await Self.pair { node, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text)
            let changed = message.setting("metadata", ["client": "other/1"])
            let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: changed)), after: nil)
            let error = try await refusal {
                try await alice.client.send(changed.setting("id", .string(hash.id.text)))
            }
            #expect(error.code == .invalidCredentials)
            #expect(try await node.count("node_message") == 0)
        }
    }

    @Test("nobody sends another's messages (MSG-14), and clear text is refused with a hint (WS-10, D-1)")
    func others() async throws {
        try await Self.pair { node, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text)
            let error = try await refusal { try await bob.client.send(message) }
            #expect(error.code == .insufficientPermissions)
            let clear = try await refusal {
                try await alice.client.command(
                    "send_message", ["channel": "#general", "content": ["text": "hello", "format": "plain"]])
            }
            #expect(clear.code == .invalidMessageFormat && clear.hint != nil)
            #expect(try await node.count("node_message") == 0)
        }
    }

    @Test("a device that is not listed gets 2003 and the hint to publish its keys")
    func unlisted() async throws {
        try await TestNode.with { node in
            let person = try Person("alice", at: node.id)
            let client = await TestClient(node)
            try await client.register(person, at: node)
            let error = try await refusal { try await client.send(person.message(to: "@" + person.id.text)) }
            #expect(error.code == .userNotFound && error.hint?.contains("publish_keys") == true)
        }
    }

    @Test("unknown channel 2002, not a member 1002, unknown user 2003, unknown node 3000 with a hint (ERR-05, FED-08)")
    func targets() async throws {
        try await Self.pair { node, alice, bob in
            try await bob.client.channel("create_channel", "#general", by: bob.person, at: node.id)
            let cases: [(JSONObject, ErrorCode)] = [
                (alice.person.message(to: "#nowhere", at: node.id), .channelNotFound),
                (alice.person.message(to: "#general", at: try NodeID("elsewher")), .channelNotFound),
                (alice.person.message(to: "#general", at: node.id), .insufficientPermissions),
                (alice.person.message(to: "@\(node.id.text).nobody"), .userNotFound),
                (alice.person.message(to: "@elsewher.bob"), .nodeUnreachable),
            ]
            for (message, code) in cases {
                let error = try await refusal { try await alice.client.send(message) }
                #expect(error.code == code && error.hint != nil)
            }
            #expect(try await node.count("node_message") == 0)
        }
    }

    @Test("what was pushed comes again at the next login until it is received, in order; then it never does")
    func received() async throws {
        try await Self.pair { node, alice, bob in
            var sent: [JSONObject] = []
            for _ in 0..<5 {
                sent.append(alice.person.message(to: "@" + bob.person.id.text))
                _ = try await alice.client.send(sent[sent.count - 1])
            }
            try await eventually("five messages") { bob.client.outbox.messages.count == 5 }
            #expect(bob.client.outbox.has(sent))
            let arrivals = bob.client.outbox.events("message").compactMap { $0["arrival"]?.integer }
            #expect(arrivals == arrivals.sorted() && Set(arrivals).count == 5)
            try await bob.client.received(arrivals[1])
            await bob.client.session.closed()
            let again = await TestClient(node)
            try await again.prove(bob.person, at: node)
            try await eventually("three messages") { again.outbox.messages.count == 3 }
            #expect(again.outbox.messages == Array(sent[2...]))
            try await again.received(arrivals[4])
            #expect(try await node.queue(for: bob.person.party).isEmpty)
            await again.session.closed()
            let last = await TestClient(node)
            try await last.prove(bob.person, at: node)
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            try await eventually("the new message") { !last.outbox.messages.isEmpty }
            #expect(last.outbox.messages.count == 1)
        }
    }

    @Test("at most 128 items are under way; the others follow when received (docs/protocol.md §9.4)")
    func window() async throws {
        try await Self.pair { node, alice, bob in
            await bob.client.session.closed()
            for _ in 0..<200 { _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text)) }
            let client = await TestClient(node)
            try await client.prove(bob.person, at: node)
            func pushed() -> [Int64] {
                client.outbox.frames.compactMap { $0["data"]?.object?["arrival"]?.integer }
            }
            try await eventually("a full window") { pushed().count >= 128 }
            #expect(pushed().count == 128)
            try await client.received(pushed()[9])
            try await eventually("ten more") { pushed().count >= 138 }
            #expect(pushed().count == 138)
            try await client.received(pushed()[137])
            try await eventually("all") { pushed().count == 201 }
            #expect(pushed() == pushed().sorted() && Set(pushed()).count == 201)
            #expect(client.outbox.messages.count == 200)
        }
    }

    @Test("a message that expires undelivered is reported to its author (D-12)")
    func expiry() async throws {
        try await Self.pair { node, alice, bob in
            await bob.client.session.closed()
            let message = alice.person.message(to: "@" + bob.person.id.text, changing: ["lifetime": 60_000])
            _ = try await alice.client.send(message)
            try await node.node.expire(elapsed: 59_999)
            #expect(alice.client.outbox.objects("refusal").isEmpty)
            try await node.node.expire(elapsed: 1)
            try await eventually("the report") { !alice.client.outbox.objects("refusal").isEmpty }
            let report = try #require(alice.client.outbox.objects("refusal").first)
            let hash = try Message(message).hash
            #expect(report["item"]?.string == hash.base64)
            #expect(report["to"]?.string == alice.person.party.text)
            #expect(ProtocolError(object: report)?.code == .nodeUnreachable)
            #expect(try await node.queue(for: bob.person.party).allSatisfy { $0["content"] == nil })
        }
    }

    @Test("more items than one call of the spool gives back all expire at once")
    func manyExpire() async throws {
        try await Self.pair { node, alice, bob in
            await bob.client.session.closed()
            await alice.client.session.closed()
            let party = bob.person.party
            let now = node.time.now()
            try await node.node.core.spool.write { transaction in
                for number in 0..<1_030 {
                    let body = Array("{\"n\":\(number)}".utf8)
                    _ = try transaction.enqueue(
                        NewItem(
                            id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: party,
                            priority: .bulk, created: now, lifetime: 1000))
                }
            }
            try await node.node.expire(elapsed: 1000)
            #expect(try await node.queue(for: party).isEmpty)
        }
    }
}
