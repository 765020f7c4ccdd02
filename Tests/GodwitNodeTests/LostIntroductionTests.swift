import GodwitProtocol
import Testing

@testable import GodwitNode

/// Devices that are dark for longer than items live.
@Suite("Introductions and refusals that expired")
struct LostIntroductionTests {
    private static let day: Int64 = 86_400_000

    @Test("an introduction that expired in a queue is given again, for what waits there and for what comes later")
    func again() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            await bob.client.session.closed()
            func write() async throws {
                #expect(try await alice.send(alice.person.message(to: "@" + bob.person.id.text), over: .batch) == nil)
            }
            func waiting() async throws -> [String] {
                try await node.queue(for: bob.person.party).compactMap { $0["type"]?.string }.sorted()
            }
            try await write()
            #expect(try await waiting() == ["introduction", "text"])
            try await node.pass(20 * Self.day)
            try await write()
            #expect(try await waiting() == ["introduction", "text", "text"])
            try await node.pass(11 * Self.day)
            #expect(
                try await waiting() == ["heads", "introduction", "text"], "of the first message nothing else is left")
            try await node.pass(31 * Self.day)
            #expect(try await waiting() == ["heads", "introduction"], "what is told is of somebody known")
            try await write()
            #expect(try await waiting() == ["heads", "introduction", "text"])
        }
    }

    @Test(
        "a device that was dark for months learns of its user's other devices all the same, by the newest list (G-11)")
    func ownDevices() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            await alice.client.session.closed()
            func lists() async throws -> [Int64?] {
                try await node.queue(for: alice.person.party).filter { $0["type"]?.string == "introduction" }
                    .map { $0["device_list"]?.object?["version"]?.integer }
            }
            let second = try await SeveralDevicesTests.add(1, to: alice, on: node)[0]
            #expect(try await lists() == [2])
            for _ in 0..<3 {
                try await node.pass(31 * Self.day)
                #expect(try await lists() == [2])
            }
            // Of two that wait the newer one is enough.
            let third = try Person("alice", at: node.id)
            let list = alice.person.deviceList(version: 3, with: [second.person, third])
            let client = await TestClient(node)
            try await client.login(
                TestClient.proof(
                    third, try await client.challenge(for: third.id), node: node.id, key: alice.person.identityKey))
            try await client.command("publish_keys", third.keys().setting("device_list", .object(list)))
            for _ in 0..<2 {
                try await node.pass(31 * Self.day)
                #expect(try await lists() == [3])
            }
        }
    }

    @Test("that a message has expired is kept for an author who is dark for as long (D-12)")
    func refusal() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            for asker in [alice, bob] { await asker.client.session.closed() }
            let message = alice.person.message(to: "@" + bob.person.id.text)
            #expect(try await alice.send(message, over: .batch) == nil)
            let hash = try Message(message).hash.base64
            for _ in 0..<3 {
                try await node.pass(31 * Self.day)
                let waiting = try await node.queue(for: alice.person.party)
                #expect(waiting.filter { $0["type"]?.string == "refusal" }.map { $0["item"]?.string } == [hash])
            }
        }
    }
}
