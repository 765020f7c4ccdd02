import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// What a node does with the records of a broadcast.
@Suite("Broadcasts")
struct BroadcastIntakeTests {
    private static func sites(_ body: (TestNode, TestNode, TestNode) async throws -> Void) async throws {
        try await TestNode.with { one in
            try await TestNode.with { other in try await TestNode.with { try await body(one, other, $0) } }
        }
    }

    /// Records as an export for a peer has them.
    private static func records(_ one: TestNode, to other: TestNode) async throws -> [[UInt8]] {
        let answer = try await one.control(["request": "export", "to": .string(other.id.text)])
        return (answer.object?["records"]?.array ?? []).compactMap { $0.string.flatMap(Base64.decode) }
    }

    private static func report(_ node: TestNode) async throws -> JSONObject? {
        try await node.control(["request": "status"]).object?["broadcast"]?.object
    }

    @Test("own records are taken once however often they come, those for others passed over, altered ones refused")
    func verdicts() async throws {
        try await Self.sites { one, other, third in
            for peer in [other, third] {
                try await one.add(peer)
                try await peer.add(one)
            }
            let (alice, client) = try await one.enrol("alice")
            let (bob, inbox) = try await other.enrol("bob")
            for _ in 0..<3 { _ = try await client.send(alice.message(to: "@" + bob.id.text)) }
            let own = try await Self.records(one, to: other)
            let foreign = try await Self.records(one, to: third)
            try #require(own.count == 2 && foreign.count == 1)
            #expect(try await Self.report(other) == nil, "nobody listens yet")
            let broadcasts = other.node.broadcasts
            // The first is a loose frame, which has nothing new.
            for round in 0..<2 {
                #expect(await broadcasts.take(own[0]) == .repeated)
                #expect(await broadcasts.take(own[1]) == (round == 0 ? .taken : .repeated))
            }
            for record in foreign { #expect(await broadcasts.take(record) == .forOthers) }
            let word = try await Self.records(other, to: one)
            var answers: [BroadcastVerdict] = []
            for _ in 0..<2 { answers.append(await one.node.broadcasts.take(word[0])) }
            #expect(answers == [.taken, .repeated], "an acknowledgement that came by broadcast ends custody once")
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            try await eventually("three messages") { inbox.outbox.messages.count == 3 }
            var altered = own[1]
            altered[altered.count - 1] ^= 1
            #expect(await broadcasts.take(altered) == .refused)
            #expect(await broadcasts.take([UInt8](repeating: 0x7F, count: 100)) == .refused)
            #expect(await broadcasts.take([]) == .refused)
            var counts = BroadcastCounts()
            (counts.objects, counts.refused) = (4, 5)
            broadcasts.note(counts)
            let report = try #require(try await Self.report(other))
            #expect(report["items"] == 4 && report["records"] == 4 && report["repeated_records"] == 1)
            #expect(report["for_others"] == 1 && report["refused_records"] == 3 && report["postponed_records"] == 0)
            #expect(report["objects"] == 4 && report["refused_datagrams"] == 5)
        }
    }

    @Test("a peer that is added later is heard from then on, and a blocked one no more")
    func peers() async throws {
        try await Self.sites { one, other, _ in
            try await one.add(other)
            let record = try #require(try await Self.records(one, to: other).first)
            #expect(await other.node.broadcasts.take(record) == .forOthers)
            try await other.add(one)
            #expect(await other.node.broadcasts.take(record) == .repeated)
            try await other.add(one, trust: .blocked)
            #expect(await other.node.broadcasts.take(record) == .forOthers)
        }
    }
}
