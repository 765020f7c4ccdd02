import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Devices are told what a link carries when that changes, and authors that a text of theirs waits (G-72).
@Suite("What devices are told of links")
struct LinkNoticeTests {
    private static func notices(_ client: TestClient) -> [LinkNotice] {
        client.outbox.objects("link_status").compactMap { object in
            guard case .linkStatus(let notice)? = try? ProtocolObject(object) else { return nil }
            return notice
        }
    }

    private static func tell(_ node: TestNode, of other: TestNode, _ tier: Tier) async throws {
        let id = other.id
        try await node.node.core.write { transaction in
            try transaction.tell(try transaction.untold(of: id, tier), of: id, tier)
        }
    }

    @Test("each device is told a tier once, and anew when it changes; Tier 4 at first is no news")
    func told() async throws {
        try await FederationTests.nodes { one, other, alice, _ in
            try await Self.tell(one, of: other, .high)
            try await Self.tell(one, of: other, .ultraLow)
            try await Self.tell(one, of: other, .ultraLow)
            try await eventually("the first word") { Self.notices(alice.client).count == 1 }
            try await Self.tell(one, of: other, .medium)
            try await eventually("the second word") { Self.notices(alice.client).count == 2 }
            let notices = Self.notices(alice.client)
            #expect(notices.map(\.tier) == [1, 3] && notices.allSatisfy { $0.next == other.id && $0.from == one.id })
            #expect(notices.map(\.allowed.textMax) == [140, nil] && notices.map(\.allowed.sealedMax) == [1_024, nil])
            // Who comes later is told as well.
            let carol = try await one.enrol("carol")
            try await Self.tell(one, of: other, .medium)
            try await eventually("the word to the newcomer") { Self.notices(carol.client).count == 1 }
            #expect(Self.notices(alice.client).count == 2)
        }
    }

    @Test("a text that is held is told to its author; a device may send no such word, a node only about itself")
    func held() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            try await one.settle(with: other)
            let long = alice.person.message(to: "@" + bob.person.id.text, ciphertext: 1_025)
            _ = try await alice.client.send(long)
            let outlet = await one.node.links.outlet(for: .node(other.id)).0
            await outlet.keep(to: .of(.ultraLow))
            #expect(try await !outlet.hasWaiting(for: .node(other.id)))
            let (held, id) = (await outlet.newlyHeld(), other.id)
            #expect(held.count == 1)
            try await one.node.core.write { try $0.tellHeld(held, of: id, .of(.ultraLow)) }
            try await eventually("the word") { Self.notices(alice.client).count == 1 }
            let notice = try #require(Self.notices(alice.client).first)
            #expect(notice.held?.id.text == long["id"]?.string && notice.to == alice.person.party)
            // Said by others it is refused.
            let sources: [(Party, NodeID)] = [(alice.person.party, one.id), (.node(other.id), one.id)]
            for (source, from) in sources {
                var forged = notice
                forged.from = from
                let object = forged
                await #expect(throws: ProtocolError.self) {
                    try await one.node.core.write { try $0.dispatch(.linkStatus(object), from: source) }
                }
            }
            var genuine = notice
            genuine.from = other.id
            let object = genuine
            try await one.node.core.write { try $0.dispatch(.linkStatus(object), from: .node(id)) }
            try await eventually("what the other node says") { Self.notices(alice.client).count == 2 }
        }
    }
}
