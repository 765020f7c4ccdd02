import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// A device asks its home node how far its messages have come beyond it (G-118, D-12).
@Suite("Questions for custody")
struct CustodyTests {
    typealias Enrolled = FederationTests.Enrolled

    private static func ask(_ node: TestNode, _ client: Enrolled, about messages: [JSONObject]) async throws {
        let question = CustodyQuestion(
            from: client.person.party, items: try messages.map { try Message($0).hash.bytes }, at: node.time.now())
        try await node.node.core.write { try $0.dispatch(.custodyQuestion(question), from: question.from) }
    }

    private static func reports(_ client: Enrolled) -> [CustodyReport] {
        client.client.outbox.objects("custody").compactMap { object in
            guard case .custody(let report)? = try? ProtocolObject(object) else { return nil }
            return report
        }
    }

    @Test("what the next node has is forwarded, the rest waits; nothing is said of another's, and nothing unasked")
    func states() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let (first, second) = (
                alice.person.message(to: "@" + bob.person.id.text), alice.person.message(to: "@" + bob.person.id.text)
            )
            _ = try await alice.client.send(first)
            try await one.settle(with: other)
            _ = try await alice.client.send(second)
            #expect(Self.reports(alice).isEmpty)
            try await Self.ask(one, alice, about: [first, second])
            try await eventually("the report") { Self.reports(alice).count == 1 }
            let report = try #require(Self.reports(alice).first)
            let hashes = try [first, second].map { try Array(Message($0).hash.bytes.prefix(10)) }
            #expect(report.to == alice.person.party && report.at == one.time.now())
            #expect(report.copies.map(\.item) == hashes && report.copies.allSatisfy { $0.next == other.id })
            #expect(report.copies.map(\.state) == [.forwarded, .waiting])
            // Somebody else at the same node asks in vain.
            let carol = try await one.enrol("carol")
            try await Self.ask(one, carol, about: [first, second])
            try await eventually("the answer to carol") { Self.reports(carol).count == 1 }
            #expect(Self.reports(carol).first?.copies.isEmpty == true)
        }
    }

    @Test("when it goes is what the node reckons: not before the link's window opens")
    func window() async throws {
        var profile = Profile.preset(.satellite)
        profile.name = "night"
        // The test's clock begins on a Saturday, 2025-09-06 at 10:30 UTC.
        profile.contactPlan = ContactPlan(windows: [ContactPlan.Window(from: 22 * 60, to: 23 * 60)])
        let other = try await TestNode(name: "other")
        let one = try await TestNode(
            name: "one", profiles: ["night": profile], carrier: { _, _ in InProcess(service: other.node.exchange) })
        try await one.add(other, calls: true, profile: "night")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        let (alice, bob) = (try await one.enrol("alice"), try await other.enrol("bob"))
        let message = alice.person.message(to: "@" + bob.person.id.text)
        _ = try await alice.client.send(message)
        let opens = try #require(profile.contactPlan.opens(after: one.time.now()))
        // The link is up a moment after the node.
        try await eventually("a time") {
            try await Self.ask(one, alice, about: [message])
            try await Task.sleep(for: .milliseconds(50))
            return Self.reports(alice).last?.copies.first?.goes != nil
        }
        let goes = try #require(Self.reports(alice).last?.copies.first?.goes)
        #expect(goes > opens && goes < opens.adding(milliseconds: 60_000), "a few hundred bytes at 9,600 bit/s")
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("a node asks nothing, a device not in another's name, and a report comes from the home node only")
    func refused() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            let at = one.time.now()
            let own = CustodyQuestion(from: alice.person.party, items: [[UInt8](repeating: 1, count: 10)], at: at)
            let foreign = CustodyQuestion(from: bob.person.party, items: own.items, at: at)
            let node = other.id
            let wrong: [(ProtocolObject, Party)] = [
                (.custodyQuestion(own), .node(node)), (.custodyQuestion(foreign), alice.person.party),
                (.custodyQuestion(foreign), bob.person.party),
                (.custody(CustodyReport(to: alice.person.party, at: at, copies: [])), .node(node)),
            ]
            for (object, source) in wrong {
                let refusal = await #expect(throws: ProtocolError.self) {
                    try await one.node.core.write { try $0.dispatch(object, from: source) }
                }
                #expect(refusal?.code == .insufficientPermissions)
            }
            #expect(Self.reports(alice).isEmpty)
        }
    }
}
