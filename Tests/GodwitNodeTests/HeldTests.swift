import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Items that wait for what they need: they age, and end (D-16, D-12).
@Suite("Held items")
struct HeldTests {
    @Test("a held item ages by uptime, expires with its lifetime, and its author is told")
    func expiry() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text, changing: ["lifetime": 60_000])
            try await one.put(message, for: other, lifetime: 60_000)
            try await one.contact(other)
            #expect(try await other.count("node_held") == 1)
            other.time.setWall(back: -86_400_000)
            try await other.node.expire(elapsed: 59_999)
            #expect(try await other.count("node_held") == 1)
            try await other.node.expire(elapsed: 1)
            #expect(try await other.count("node_held") == 0)
            try await one.settle(with: other)
            try await eventually("the report") { !alice.client.outbox.objects("refusal").isEmpty }
            let report = try #require(alice.client.outbox.objects("refusal").first)
            #expect(report["item"]?.string == (try Message(message)).hash.base64)
            #expect(ProtocolError(object: report)?.code == .nodeUnreachable)
        }
    }

    @Test("the time that an item was held counts towards its age when it goes on")
    func age() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await one.put(alice.person.message(to: "@" + bob.person.id.text), for: other)
            try await one.contact(other)
            try await other.node.expire(elapsed: 50_000)
            try await one.put(FederationTests.introduction(alice.person), for: other, kind: .object)
            try await one.contact(other)
            let items = try await other.node.core.spool.read { try $0.items(for: bob.person.party, limit: 10) }
            #expect(items.filter { $0.kind == .message }.map(\.age) == [50_000])
        }
    }

    @Test("a message whose lifetime ended while it was held is not delivered late")
    func tooLate() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let message = alice.person.message(to: "@" + bob.person.id.text, changing: ["lifetime": 60_000])
            // Its frame says that it lives for long; its author has signed that it does not.
            try await one.put(message, for: other, created: TestTime.start.adding(milliseconds: 1))
            try await one.contact(other)
            try await other.node.expire(elapsed: 60_000)
            #expect(try await other.count("node_held") == 1)
            try await one.put(FederationTests.introduction(alice.person), for: other, kind: .object)
            try await one.contact(other)
            #expect(try await other.count("node_message") == 0)
            #expect(try await other.count("node_held") == 0)
        }
    }

    @Test("an item that fitted its frame but fits none on the way on is refused with 2001, what follows goes through")
    func cannotLeave() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            // Over a link that takes texts of any length.
            try await one.add(other, calls: true, profile: "broadband")
            // Verbatim the zeros take no room; in columns a ciphertext is as long as it is. Verbatim goes what was not
            // made when it was written.
            let zeros: JSONValue = ["ciphertext": .string(Base64.encode([UInt8](repeating: 0, count: 44_000)))]
            let address = "@" + bob.person.id.text
            let message = alice.person.message(
                to: address, time: TestTime.start.adding(milliseconds: 1), changing: ["content": zeros]
            ).setting("recipients", BodyWrap.list(try MessageTests.largeWraps(12, for: bob.person.id)))
            let asker = Asker(alice, at: one)
            #expect(try await asker.send(message, over: .batch) == .messageTooLarge)
            let good = alice.person.message(to: address)
            #expect(try await asker.send(good, over: .batch) == nil)
            try await one.settle(with: other)
            try await eventually("the good one") { bob.client.outbox.has([good]) }
            #expect(try await one.count("node_message") == 1)
            #expect(try await other.count("node_message") == 1)
        }
    }

    @Test("a destination that takes no more refuses the item to its author; the rest of the frame is taken (3003)")
    func fullDestination() async throws {
        try await TestNode.with { one in
            var limits = SpoolConfiguration(disk: { _ in nil })
            limits.itemsMaxPerDestination = 20
            let other = try await TestNode(name: "small", spool: limits)
            try await one.add(other)
            try await other.add(one)
            let (alice, bob, carol) = (
                try await one.enrol("alice"), try await other.enrol("bob"), try await other.enrol("carol")
            )
            await bob.client.session.closed()
            for _ in 0..<25 {
                _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            }
            let last = alice.person.message(to: "@" + carol.person.id.text)
            _ = try await alice.client.send(last)
            try await one.settle(with: other)
            try await eventually("carol's message") { carol.client.outbox.has([last]) }
            // 95 % of 20 are 19 places, one of them the introduction's.
            try await eventually("refusals") { alice.client.outbox.objects("refusal").count == 7 }
            let codes = alice.client.outbox.objects("refusal").map { ProtocolError(object: $0)?.code }
            #expect(codes.allSatisfy { $0 == .bandwidthExceeded })
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            other.remove()
        }
    }
}
