import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// The stream of a socket over drops (G-40): nothing is lost and nothing comes twice.
@Suite("Resumption")
struct StreamTests {
    @Test(
        "under seeded drops a client that says what it has gets every message once, in order",
        arguments: [1, 2, 3, 4] as [UInt64])
    func drops(_ seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            var client = bob.client
            var (sent, seen): ([String], [String]) = ([], [])
            var upTo: Int64 = 0
            /// What has come over the present socket, and no more.
            func look() {
                for event in client.outbox.events("message") {
                    guard let arrival = event["arrival"]?.integer, arrival > upTo else { continue }
                    seen.append(event["message"]?.object?["id"]?.string ?? "")
                    upTo = arrival
                }
            }
            for _ in 0..<60 {
                let message = alice.person.message(to: "@" + bob.person.id.text)
                _ = try await alice.client.send(message)
                sent.append(message["id"]?.string ?? "")
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    // The link is cut with whatever was on it.
                    look()
                    await client.session.closed()
                    client = await TestClient(node)
                    let challenge = try await client.challenge(for: bob.person.id)
                    try await client.login(
                        TestClient.proof(bob.person, challenge, node: node.id).setting(
                            "received_upto", .integer(upTo)))
                    // A new socket begins behind what the client has.
                    #expect(client.outbox.events("message").allSatisfy { $0["arrival"]?.integer ?? 0 > upTo })
                case 1:
                    look()
                    if upTo > 0 { try await client.received(upTo) }
                default: break
                }
            }
            try await eventually("the last message") {
                look()
                return seen.count >= sent.count
            }
            #expect(seen == sent, "seed \(seed)")
            try await client.received(upTo)
            #expect(try await node.queue(for: bob.person.party).filter { $0["content"] != nil }.isEmpty)
        }
    }

    @Test("what did not fit into a full outbox comes when there is room again, without a new signal")
    func fullOutbox() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            try await eventually("the pump's first look") { bob.client.outbox.frames.count >= 2 }
            bob.client.outbox.limit = bob.client.outbox.frames.count + 3
            let messages = (0..<10).map { _ in alice.person.message(to: "@" + bob.person.id.text) }
            for message in messages { _ = try await alice.client.send(message) }
            try await eventually("a full outbox") { bob.client.outbox.isFull }
            #expect(bob.client.outbox.messages.count < 10)
            bob.client.outbox.limit = .max
            await bob.client.session.drained()
            try await eventually("the rest") { bob.client.outbox.messages.count == 10 }
            #expect(bob.client.outbox.has(messages))
        }
    }
}
