import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Users who move to another home node (G-34, CLIENT-01): who is told, what is refused, and what goes on at the old one.
@Suite("Users who move")
struct UserMoveTests {
    typealias Enrolled = FederationTests.Enrolled

    static let day: Int64 = 86_400_000

    static func record(
        of person: Person, to: String = "zzzzzzzz.alice", after milliseconds: Int64 = 0, key: SigningKey? = nil,
        named: SigningKey? = nil
    ) throws -> JSONObject {
        (key ?? person.identityKey).signed(
            UserMove.unsigned(
                person.id, to: try UserID(to), publicKey: (named ?? person.identityKey).publicKey.bytes,
                at: TestTime.start.adding(milliseconds: milliseconds)), purpose: .userMoved)
    }

    private static func submit(_ record: JSONObject, _ enrolled: Enrolled) async throws {
        try await enrolled.client.command("move_user", ["record": .object(record)])
    }

    private static func told(_ client: TestClient) -> [JSONObject] { client.outbox.objects("user_moved") }

    // MARK: Who is told

    @Test("whoever was given the list gets the record at once, over the own site; who asks later gets it with the list")
    func spread() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let second = try await SeveralDevicesTests.add(1, to: alice, on: one)[0]
            let dave = try await one.enrol("dave")
            for reader in [bob, dave] {
                _ = try await alice.client.send(alice.person.message(to: "@" + reader.0.id.text))
            }
            try await one.settle(with: other)
            let record = try Self.record(of: alice.person)
            try await Self.submit(record, alice)
            try await one.settle(with: other)
            for client in [bob.client, dave.client, second.client] {
                try await eventually("the record") { Self.told(client) == [record] }
            }
            #expect(Self.told(alice.client).isEmpty)
            // After the keys, and for each asker once.
            let carol = try await other.enrol("carol")
            for _ in 0..<2 {
                try await carol.client.command("lookup_user", ["user_id": .string(alice.person.id.text)])
                try await one.settle(with: other)
            }
            try await eventually("the answers") { carol.client.outbox.objects("user_lookup_result").count == 2 }
            #expect(Self.told(carol.client) == [record])
            let types = carol.client.outbox.events("object").compactMap { $0["object"]?.object?["type"]?.string }
            #expect(types.firstIndex(of: "user_lookup_result") ?? 9 < types.firstIndex(of: "user_moved") ?? 0)
            // The same record again changes nothing.
            try await Self.submit(record, alice)
            try await one.settle(with: other)
            #expect(Self.told(bob.client).count == 1 && Self.told(dave.client).count == 1)
        }
    }

    @Test("who gets the list after the move gets the record with it: by a lookup, here and elsewhere, and by a message")
    func later() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let (dave, erin) = (try await one.enrol("dave"), try await one.enrol("erin"))
            let record = try Self.record(of: alice.person)
            try await Self.submit(record, alice)
            for client in [bob.client, dave.client] {
                try await client.command("lookup_user", ["user_id": .string(alice.person.id.text)])
            }
            _ = try await alice.client.send(alice.person.message(to: "@" + erin.person.id.text))
            try await one.settle(with: other)
            for client in [bob.client, dave.client, erin.client] {
                try await eventually("the record") { Self.told(client) == [record] }
            }
        }
    }

    @Test("a profile says that its user has moved, at home and to other sites")
    func profile() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let dave = try await one.enrol("dave")
            let record = try Self.record(of: alice.person)
            try await Self.submit(record, alice)
            let question: JSONObject = ["user_id": .string(alice.person.id.text)]
            #expect(try await dave.client.command("get_user", question)["moved"]?.object == record)
            _ = try await bob.client.command("get_user", question)
            try await one.settle(with: other)
            try await eventually("the profile") { !bob.client.outbox.events("user_profile").isEmpty }
            #expect(bob.client.outbox.events("user_profile").last?["moved"]?.object == record)
        }
    }

    @Test("on every way the record is taken and spread alike", arguments: Way.allCases)
    func ways(_ way: Way) async throws {
        try await TestNode.with { node in
            let alice = try await node.asker("alice")
            let bob = try await node.enrol("bob")
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            let record = try Self.record(of: alice.person)
            let forged = try Self.record(of: alice.person, key: bob.person.identityKey)
            #expect(try await alice.move(forged, over: way) == .invalidCredentials)
            #expect(try await alice.move(record, over: way) == nil)
            try await eventually("the record") { Self.told(bob.client) == [record] }
        }
    }

    // MARK: What is refused

    @Test("nobody but the user moves the user, and with nothing but the identity key")
    func hostile() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let dave = try await one.enrol("dave")
            let good = try Self.record(of: alice.person)
            let foreign = try Self.record(of: alice.person, key: bob.person.identityKey)
            let named = try Self.record(
                of: alice.person, key: bob.person.identityKey, named: bob.person.identityKey)
            let altered = good.setting("to", "yyyyyyyy.alice")
            let ahead = try Self.record(of: alice.person, after: NodeTransaction.moveAheadMax + 1)
            for (record, code) in [
                (foreign, ErrorCode.invalidCredentials), (named, .invalidCredentials), (altered, .invalidCredentials),
                (good.omitting(["signature"]), .invalidMessageFormat), (ahead, .invalidMessageFormat),
                (good.setting("to", .string("\(one.id.text).alice-b")), .invalidMessageFormat),
            ] {
                let error = try await refusal { try await Self.submit(record, alice) }
                #expect(error.code == code, "\(record.canonicalText)")
            }
            // Signed as it should be, and brought by somebody else.
            for way in ["move_user", "submit"] {
                let data: JSONObject = [way == "submit" ? "object" : "record": .object(good)]
                let error = try await refusal { try await dave.client.command(way, data) }
                #expect(error.code == .insufficientPermissions)
            }
            // Another site does not speak for a user of this one, nor for one of a third.
            await #expect(throws: ProtocolError.self) {
                try await one.node.core.write { try $0.dispatch(.userMoved(UserMove(good)), from: .node(other.id)) }
            }
            await #expect(throws: ProtocolError.self) {
                try await other.node.core.write {
                    try $0.dispatch(.userMoved(UserMove(good)), from: .node(try NodeID("zzzzzzzz")))
                }
            }
            for node in [one, other] { #expect(try await node.count("node_user_move") == 0) }
            // At the edge of what may be ahead.
            try await Self.submit(try Self.record(of: alice.person, after: NodeTransaction.moveAheadMax), alice)
            #expect(try await one.count("node_user_move") == 1)
        }
    }

    @Test("of two records the later holds; the earlier one, or another of the same time, does not come back")
    func order() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            let first = try Self.record(of: alice.person, after: 10)
            let second = try Self.record(of: alice.person, to: "yyyyyyyy.alice", after: 11)
            let rival = try Self.record(of: alice.person, to: "xxxxxxxx.alice", after: 11)
            for record in [first, second] {
                try await Self.submit(record, alice)
                try await one.settle(with: other)
            }
            for late in [first, rival] {
                let error = try await refusal { try await Self.submit(late, alice) }
                #expect(error.code == .invalidMessageFormat && error.details["member"] == "at")
            }
            // A site that repeats the earlier one is not followed either.
            try await other.node.core.write { try $0.dispatch(.userMoved(UserMove(first)), from: .node(one.id)) }
            try await eventually("both") { Self.told(bob.client) == [first, second] }
            let user = alice.person.id
            #expect(try await other.node.core.read { try $0.userMove(of: user)?.object } == second)
            // What waits for another site is the last word only.
            let last = [
                try Self.record(of: alice.person, after: 12), try Self.record(of: alice.person, after: 13),
            ]
            for record in last { try await Self.submit(record, alice) }
            let waiting = try await one.queue(for: .node(other.id)).filter { $0["type"]?.string == "user_moved" }
            #expect(waiting == [last[1]])
        }
    }

    // MARK: At the old node

    @Test("what is written to the old id is delivered for the set time of uptime, and then refused with the new one")
    func forwarding() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            await alice.client.session.closed()
            try await bob.stayOnline()
            #expect(try await alice.move(try Self.record(of: alice.person), over: .batch) == nil)
            func write() async throws -> ErrorCode? {
                try await bob.send(bob.person.message(to: "@" + alice.person.id.text), over: .batch)
            }
            try await node.pass(89 * Self.day)
            #expect(try await write() == nil)
            #expect(try await node.queue(for: alice.person.party).contains { $0["type"]?.string == "text" })
            try await node.pass(Self.day - 1)
            #expect(try await write() == nil)
            try await node.pass(1)
            let message = bob.person.message(to: "@" + alice.person.id.text)
            #expect(try await bob.send(message, over: .batch) == .userNotFound)
            let refusal = try await node.queue(for: bob.person.party).last { $0["type"]?.string == "refusal" }
            #expect(refusal?["error"]?.object?["details"]?.object?["moved_to"] == "zzzzzzzz.alice")
        }
    }

    @Test("the old name goes to nobody else, and an account that is erased takes its record along")
    func name() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            try await Self.submit(try Self.record(of: alice.person), alice)
            let other = try Person("alice", at: node.id)
            let error = try await refusal { try await TestClient(node).register(other, at: node) }
            #expect(error.code == .insufficientPermissions)
            let lines = try await alice.client.command("export_data", [:])["lines"]?.array ?? []
            #expect(lines.contains { $0.object?["kind"] == "moved" })
            let command = alice.person.command("erase_account", [:])
            try await alice.client.command("erase_account", ["command": .object(command)])
            #expect(try await node.count("node_user_move") == 0)
        }
    }

    @Test("a record that expired in a queue goes again, as long as it is the one that holds")
    func lost() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            await alice.client.session.closed()
            #expect(try await alice.send(alice.person.message(to: "@" + bob.person.id.text), over: .batch) == nil)
            try await eventually("the message") { bob.client.outbox.messages.count == 1 }
            try await bob.client.received(bob.client.outbox.events("message").last?["arrival"]?.integer ?? 0)
            await bob.client.session.closed()
            let record = try Self.record(of: alice.person)
            #expect(try await alice.move(record, over: .batch) == nil)
            func waiting() async throws -> [JSONObject] {
                try await node.queue(for: bob.person.party).filter { $0["type"]?.string == "user_moved" }
            }
            for _ in 0..<2 {
                try await node.pass(31 * Self.day)
                #expect(try await waiting() == [record])
            }
            // The earlier one holds no more, so it does not go again.
            let later = try Self.record(of: alice.person, to: "yyyyyyyy.alice", after: 1)
            #expect(try await alice.move(later, over: .batch) == nil)
            #expect(try await waiting() == [record, later])
            try await node.pass(31 * Self.day)
            #expect(try await waiting() == [later])
        }
    }
}

extension Asker {
    /// Gives in a record of a move. In a batch it is the object itself.
    func move(_ record: JSONObject, over way: Way) async throws -> ErrorCode? {
        try await give("move_user", ["record": .object(record)], object: record, over: way)
    }
}
