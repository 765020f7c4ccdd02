import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Several devices of one user (D-13, AUTH-15, G-11, G-117): who gets what.
@Suite("Several devices of one user")
struct SeveralDevicesTests {
    typealias Enrolled = (person: Person, client: TestClient)

    /// Further devices of a user: listed together, each with a socket and published keys.
    static func add(
        _ count: Int, to first: Enrolled, on node: TestNode, version: Int64 = 2
    ) async throws -> [Enrolled] {
        var people: [Person] = []
        for _ in 0..<count { people.append(try Person(first.person.id.username.text, at: node.id)) }
        let list = first.person.deviceList(version: version, with: people)
        var added: [Enrolled] = []
        for person in people {
            let client = await TestClient(node)
            try await client.login(
                TestClient.proof(
                    person, try await client.challenge(for: person.id), node: node.id, key: first.person.identityKey))
            try await client.command("publish_keys", person.keys().setting("device_list", .object(list)))
            added.append((person, client))
        }
        return added
    }

    static func wrap(for person: Person) -> BodyWrap {
        BodyWrap(
            user: person.id, device: person.device, session: "abcdefghijklmnop",
            header: [UInt8](repeating: 1, count: 37), nonce: [UInt8](repeating: 2, count: 12),
            wrapped: SystemRandom().bytes(48))
    }

    static func message(_ author: Person, to reader: UserID, for readers: [Person], type: String = "text") -> JSONObject
    {
        author.message(to: "@" + reader.text, changing: ["type": .string(type)])
            .setting("recipients", BodyWrap.list(readers.map(wrap)))
    }

    private static func wraps(_ client: TestClient) throws -> [[BodyWrap]] {
        try client.outbox.messages.map { try Message($0).wraps }
    }

    @Test(
        "each device of the reader and each other one of the author gets the message with its own key and no other (D-13)"
    )
    func stripped() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let bob = try await node.enrol("bob")
            let alices = try await Self.add(1, to: alice, on: node)
            let bobs = try await Self.add(2, to: bob, on: node)
            // The last of bob's devices came after the message was sealed.
            let readers = [bob.person, bobs[0].person, alices[0].person]
            let message = Self.message(alice.person, to: bob.person.id, for: readers)
            _ = try await alice.client.send(message)
            let whole = try Message(message)
            for (client, own) in [(bob.client, 0), (bobs[0].client, 1), (alices[0].client, 2)] {
                try await eventually("the message") { client.outbox.messages.count == 1 }
                #expect(try Self.wraps(client) == [[whole.wraps[own]]])
                #expect(client.outbox.messages[0].omitting(["recipients"]) == message.omitting(["recipients"]))
            }
            try await eventually("the message") { bobs[1].client.outbox.messages.count == 1 }
            #expect(bobs[1].client.outbox.messages[0]["recipients"] == nil)
            #expect(alice.client.outbox.messages.isEmpty)
        }
    }

    @Test("to the reader's node go the entries for its users only, and on from there to each device its own (D-13)")
    func federated() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let alices = try await Self.add(1, to: alice, on: one)
            let bobs = try await Self.add(1, to: bob, on: other)
            let message = Self.message(
                alice.person, to: bob.person.id, for: [alices[0].person, bob.person, bobs[0].person])
            _ = try await alice.client.send(message)
            let whole = try Message(message)
            let waiting = try await one.queue(for: .node(other.id)).filter { $0["content"] != nil }
            #expect(try waiting.map { try Message($0).wraps } == [Array(whole.wraps[1...])])
            try await one.settle(with: other)
            for (client, own) in [(alices[0].client, 0), (bob.client, 1), (bobs[0].client, 2)] {
                try await eventually("the message") { client.outbox.messages.count == 1 }
                #expect(try Self.wraps(client) == [[whole.wraps[own]]])
            }
        }
    }

    @Test("what a device says to another one of its user goes to that one only")
    func amongOwn() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let alices = try await Self.add(2, to: alice, on: node)
            let message = Self.message(alice.person, to: alice.person.id, for: [alices[0].person], type: "system")
            _ = try await alice.client.send(message)
            try await eventually("the message") { alices[0].client.outbox.messages.count == 1 }
            let after = alice.person.message(to: "@" + alice.person.id.text)
            _ = try await alice.client.send(after)
            #expect(try await node.queue(for: alices[1].person.party).allSatisfy { $0["content"] == nil })
            #expect(try await node.queue(for: alices[0].person.party).count { $0["content"] != nil } == 1)
        }
    }

    @Test("messages among a user's devices that come from another node are refused")
    func amongOthers() async throws {
        try await FederationTests.nodes { one, other, alice, _ in
            let message = try Message(
                Self.message(alice.person, to: alice.person.id, for: [alice.person], type: "system"))
            _ = try await alice.client.send(alice.person.message(to: "@" + other.id.text + ".bob"))
            try await one.settle(with: other)
            let error = try await refusal {
                try await other.node.core.write {
                    try $0.accept(message, from: .node(one.id), arrival: .spooled(age: 0))
                }
            }
            #expect(error.code == .insufficientPermissions)
        }
    }

    @Test("history shows a device its own key, and a session without a device none")
    func history() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let bob = try await node.enrol("bob")
            let bobs = try await Self.add(1, to: bob, on: node)
            let message = Self.message(alice.person, to: bob.person.id, for: [bob.person, bobs[0].person])
            _ = try await alice.client.send(message)
            let whole = try Message(message)
            func shown(_ client: TestClient, to other: UserID) async throws -> [BodyWrap] {
                let page = try await client.command("history", ["channel": .string("@" + other.text)])
                let entry = try #require(page["messages"]?.array?.first?.object?["message"]?.object)
                return try Message(entry).wraps
            }
            #expect(try await shown(bob.client, to: alice.person.id) == [whole.wraps[0]])
            #expect(try await shown(bobs[0].client, to: alice.person.id) == [whole.wraps[1]])
            #expect(try await shown(alice.client, to: bob.person.id) == [])
        }
    }

    @Test("a new device list goes to the user's devices and to whoever was given the one before (G-11)")
    func spread() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let carol = try await one.enrol("carol")
            // Both have heard of alice; dave has not.
            let dave = try await one.enrol("dave")
            for reader in [bob.person, carol.person] {
                _ = try await alice.client.send(alice.person.message(to: "@" + reader.id.text))
            }
            try await one.settle(with: other)
            func versions(_ client: TestClient) -> [Int64?] {
                client.outbox.objects("introduction").filter { $0["user_id"]?.string == alice.person.id.text }
                    .map { $0["device_list"]?.object?["version"]?.integer }
            }
            _ = try await Self.add(1, to: alice, on: one)
            try await one.settle(with: other)
            try await eventually("the lists") {
                [bob.client, carol.client].allSatisfy { versions($0) == [1, 2] } && versions(alice.client) == [2]
            }
            let alone = alice.person.keys().setting("device_list", .object(alice.person.deviceList(version: 3)))
            try await alice.client.command("publish_keys", alone)
            try await one.settle(with: other)
            try await eventually("the lists without the second device") {
                [bob.client, carol.client].allSatisfy { versions($0) == [1, 2, 3] }
            }
            // Who has brought it knows it.
            #expect(versions(alice.client) == [2] && versions(dave.client) == [])
        }
    }

    @Test(
        "of two lists of one version the second is refused with the version that is there, and its successor is taken")
    func conflict() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            _ = try await Self.add(1, to: alice, on: node)
            let late = try Person("alice", at: node.id)
            let client = await TestClient(node)
            try await client.login(
                TestClient.proof(
                    late, try await client.challenge(for: late.id), node: node.id, key: alice.person.identityKey))
            let list = alice.person.deviceList(version: 2, with: [late])
            let error = try await refusal {
                try await client.command("publish_keys", late.keys().setting("device_list", .object(list)))
            }
            #expect(error.code == .invalidMessageFormat)
            #expect(error.details == ["member": "version", "version": 2])
            let known = try await client.command("list_devices", [:])
            #expect(known["device_list"]?.object?["version"]?.integer == 2)
            let next = alice.person.deviceList(version: 3, with: [late])
            try await client.command("publish_keys", late.keys().setting("device_list", .object(next)))
        }
    }

    @Test("a new device hears of its user's channels, and all hear of one that another device enters")
    func channels() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let bobs = try await Self.add(1, to: bob, on: other)
            let alices = try await Self.add(1, to: alice, on: one)
            for device in [bobs[0], alices[0]] {
                try await eventually("the invitation") { !device.client.outbox.objects("invitation").isEmpty }
                let told = device.client.outbox.objects("invitation")[0]
                #expect(told["channel"]?.string == "#general" && told["channel_node"]?.string == one.id.text)
                #expect(told["inviter"]?.string == device.person.id.text)
            }
            try await alice.client.channel("create_channel", "#later", by: alice.person, at: one.id)
            try await bob.client.channel("join_channel", "#later", by: bob.person, at: one.id)
            try await one.settle(with: other)
            for device in [bobs[0], alices[0]] {
                try await eventually("the invitation") {
                    device.client.outbox.objects("invitation").map { $0["channel"]?.string } == ["#general", "#later"]
                }
            }
            #expect(bob.client.outbox.objects("invitation").isEmpty)
        }
    }

    @Test("what one device has read and taken back reaches the user's others (MSG-20)")
    func markers() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let bob = try await node.enrol("bob")
            let alices = try await Self.add(1, to: alice, on: node)
            let message = Self.message(alice.person, to: bob.person.id, for: [bob.person, alices[0].person])
            _ = try await alice.client.send(message)
            // The author's other device takes it back: it is the author who does.
            let deletion = try alices[0].person.deletion([message])
            try await alices[0].client.command("delete_messages", ["deletion": .object(deletion)])
            for device in [alice, bob] {
                try await eventually("the deletion") { device.client.outbox.objects("deletion").count == 1 }
            }
            let answer = Self.message(bob.person, to: alice.person.id, for: [alice.person, alices[0].person])
            _ = try await bob.client.send(answer)
            try await eventually("the answer on both") { alices[0].client.outbox.messages.count == 2 }
            let hash = try Message(answer).hash.base64
            try await alice.client.command(
                "mark_read", ["channel": .string("@" + bob.person.id.text), "upto": .string(hash)])
            try await eventually("the marker") { alices[0].client.outbox.objects("read_marker").count == 1 }
        }
    }
}
