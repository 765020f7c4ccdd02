import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Questions in frames are limited as those over sockets are, and none is lost for it (G-59, ERR-01).
@Suite("Questions in frames")
struct TurnTests {
    private static func limits(claims: Double, neighbour: Double = 600) -> ProtectionLimits {
        var limits = ProtectionLimits()
        limits.claims = RateLimit(burst: claims, perSecond: 0.1)
        limits.neighbourClaims = RateLimit(burst: neighbour, perSecond: 0.1)
        return limits
    }

    private static func lookup(_ user: UserID, by asker: Asker, _ number: Int64) -> JSONObject {
        UserLookup(
            userID: user, requestingNode: asker.person.id.node, requester: asker.person.party,
            at: TestTime.start.adding(milliseconds: number)
        ).object
    }

    private static func answers(_ asker: Asker) async throws -> Int {
        try await asker.node.queue(for: asker.person.party).count { $0["type"]?.string == "user_lookup_result" }
    }

    private static func waiting(_ node: TestNode) async throws -> Int {
        try await node.count("node_held WHERE waits_for LIKE 'claims/%'")
    }

    @Test("sockets and frames share a user's lookups; the first beyond them waits, and is answered in its turn")
    func shared() async throws {
        try await TestNode.with(limits: Self.limits(claims: 3)) { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            try await alice.client.command("lookup_user", ["user_id": .string(bob.person.id.text)])
            for number in 0..<4 {
                #expect(try await alice.ask(Self.lookup(bob.person.id, by: alice, Int64(number)), over: .batch) == nil)
                #expect(try await Self.answers(alice) == min(3, number + 2))
                #expect(try await Self.waiting(node) == max(0, number - 1))
            }
            let error = try await refusal {
                try await alice.client.command("lookup_user", ["user_id": .string(bob.person.id.text)])
            }
            #expect(error.code == .rateLimited)
            try await node.pass(9_999)
            #expect(try await Self.waiting(node) == 2)
            try await node.pass(1)
            #expect(try await Self.waiting(node) == 1)
            #expect(try await Self.answers(alice) == 4)
            // Another's are not touched by it.
            #expect(try await bob.ask(Self.lookup(alice.person.id, by: bob, 0), over: .batch) == nil)
            #expect(try await Self.answers(bob) == 1)
            try await node.pass(10_000)
            #expect(try await Self.waiting(node) == 0)
            #expect(try await Self.answers(alice) == 5)
        }
    }

    @Test("256 of a device wait; the next is refused with 3002, with its limit and when to ask again")
    func full() async throws {
        try await TestNode.with(limits: Self.limits(claims: 1)) { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            let lookups = (0..<258).map { Self.lookup(bob.person.id, by: alice, Int64($0)) }
            let core = node.node.core
            try await core.write { transaction in
                transaction.gate = core.gate
                for lookup in lookups {
                    let item = BatchItem(
                        kind: .object, body: lookup.canonicalBytes(), created: TestTime.start, priority: .control)
                    try transaction.take(item, from: alice.person.party)
                }
            }
            #expect(try await Self.waiting(node) == Int(NodeTransaction.waitingTurnsMax))
            let refusals = try await node.queue(for: alice.person.party).filter { $0["type"]?.string == "refusal" }
            #expect(
                refusals.map { $0["item"]?.string } == [Base64.encode(SHA256Digest.of(lookups[257].canonicalBytes()))])
            let error = try #require(refusals.first.flatMap { ProtocolError(object: $0) })
            #expect(error.code == .rateLimited && error.details["limit"]?.string == "claims")
            #expect(error.details["retry_after"]?.integer == 10)
        }
    }

    /// Two nodes with three users at the first, who look up bob at the other, which has these limits.
    private static func across(
        _ limits: ProtectionLimits, _ body: (TestNode, TestNode, [Asker], UserID) async throws -> Void
    ) async throws {
        try await TestNode.with { one in
            try await TestNode.with(limits: limits) { other in
                try await one.add(other, calls: true)
                try await other.add(one)
                let bob = try await other.asker("bob")
                var people: [Asker] = []
                for name in ["alice", "carol", "dora"] { people.append(try await one.asker(name)) }
                try await body(one, other, people, bob.person.id)
            }
        }
    }

    private static func results(_ asker: Asker) -> Int { asker.client.outbox.objects("user_lookup_result").count }

    @Test("a neighbour's users share what it may ask; who is beyond it waits there and is answered later")
    func neighbour() async throws {
        try await Self.across(Self.limits(claims: 60, neighbour: 2)) { one, other, people, bob in
            for asker in people { try await asker.client.command("lookup_user", ["user_id": .string(bob.text)]) }
            try await one.settle(with: other)
            #expect(try await Self.waiting(other) == 1)
            try await eventually("two answers") { people.map(Self.results).reduce(0, +) == 2 }
            try await other.pass(10_000)
            #expect(try await Self.waiting(other) == 0)
            try await one.settle(with: other)
            try await eventually("all answers") { people.allSatisfy { Self.results($0) == 1 } }
        }
    }

    @Test("one of a neighbour's users who asks too often holds up no other")
    func userElsewhere() async throws {
        try await Self.across(Self.limits(claims: 1)) { one, other, people, bob in
            let (alice, carol) = (people[0], people[1])
            for number in 0..<2 {
                let lookup = Self.lookup(bob, by: alice, Int64(number))
                try await alice.client.command("submit", ["object": .object(lookup)])
                try await one.settle(with: other)
            }
            try await carol.client.command("lookup_user", ["user_id": .string(bob.text)])
            try await one.settle(with: other)
            try await eventually("carol's answer") { Self.results(carol) == 1 }
            #expect(Self.results(alice) == 1)
            #expect(try await Self.waiting(other) == 1)
            // Users at home have their own.
            #expect(other.node.core.gate.turn(for: .lookup, by: bob, from: try Party("\(bob.text)/abcdefgh")) == nil)
        }
    }

    @Test("who names another in a question uses up none of their turns: a device its own, a neighbour those of its way")
    func namedByOthers() async throws {
        var limits = ProtectionLimits()
        limits.messageRequests = RateLimit(burst: 1, perSecond: 0.1)
        try await TestNode.with(limits: limits) { node in
            let (alice, bob) = (try UserID("a7f3k9m2.alice"), try UserID("a7f3k9m2.bob"))
            func isFree(_ user: UserID, from source: String) throws -> Bool {
                node.node.core.gate.turn(for: .messages, by: user, from: try Party(source)) == nil
            }
            #expect(try isFree(alice, from: "a7f3k9m2.bob/abcdefgh"))
            #expect(try isFree(alice, from: "b7f3k9m2"))
            #expect(try !isFree(bob, from: "a7f3k9m2.bob/abcdefgh"))
            #expect(try !isFree(alice, from: "b7f3k9m2"))
            #expect(try isFree(alice, from: "a7f3k9m2.alice/abcdefgh"))
            #expect(try isFree(alice, from: "c7f3k9m2"))
        }
    }

    @Test("what a neighbour passes on and finds no place is refused to the device that asked")
    func refusedElsewhere() async throws {
        try await Self.across(Self.limits(claims: 1)) { one, other, people, bob in
            let alice = people[0]
            try await other.node.core.write { transaction in
                for number in 0..<NodeTransaction.waitingTurnsMax {
                    try transaction.run(
                        """
                        INSERT INTO node_held (waits_for, source, kind, body, created, lifetime, ends)
                        VALUES (?, ?, 1, ?, 0, 1 << 40, 1 << 40)
                        """,
                        [
                            LimitedQuestion.lookup.key + Party.node(one.id).text, Party.node(one.id).text,
                            Data(Self.lookup(bob, by: alice, number + 10).canonicalBytes()),
                        ])
                }
            }
            for number in 0..<2 {
                let lookup = Self.lookup(bob, by: alice, Int64(number))
                try await alice.client.command("submit", ["object": .object(lookup)])
                try await one.settle(with: other)
            }
            try await eventually("the refusal") { alice.client.outbox.objects("refusal").count == 1 }
            let refusal = try #require(alice.client.outbox.objects("refusal").first)
            let second = Self.lookup(bob, by: alice, 1)
            #expect(refusal["item"]?.string == Base64.encode(SHA256Digest.of(second.canonicalBytes())))
            #expect(ProtocolError(object: refusal)?.code == .rateLimited)
        }
    }

    // MARK: Messages that a reader lacks

    /// bob has sent alice a message; alice's device asks for it so often, in batches.
    private static func asking(_ count: Int, _ body: (TestNode, Asker) async throws -> Void) async throws {
        var limits = ProtectionLimits()
        limits.messageRequests = RateLimit(burst: 1, perSecond: 0.1)
        try await TestNode.with(limits: limits) { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            let message = bob.person.message(to: "@" + alice.person.id.text)
            _ = try await bob.client.send(message)
            let hash = try Message(message).hash
            for number in 1...count {
                let request = alice.person.request(
                    .missing, of: bob.person, in: .between(alice.person.id, bob.person.id), [hash],
                    number: Int64(number))
                let code = try await alice.ask(request, over: .batch)
                #expect(code == (number <= NodeTransaction.waitingTurnsMax + 1 ? nil : .rateLimited))
            }
            try await body(node, alice)
        }
    }

    @Test("requests for messages have a limit of their own, wait for their turn, and are all answered")
    func messageRequests() async throws {
        try await Self.asking(3) { node, alice in
            func state() async throws -> [Int] {
                let answers = try await node.queue(for: alice.person.party).count {
                    $0["type"]?.string == "message_answer"
                }
                return [answers, try await node.count("node_held WHERE waits_for LIKE 'message_requests/%'")]
            }
            #expect(try await state() == [1, 2])
            // Lookups have theirs.
            #expect(try await alice.ask(Self.lookup(alice.person.id, by: alice, 0), over: .batch) == nil)
            #expect(try await Self.answers(alice) == 1)
            try await node.pass(9_999)
            #expect(try await state() == [1, 2])
            try await node.pass(1)
            #expect(try await state() == [2, 1])
            try await node.pass(10_000)
            #expect(try await state() == [3, 0])
        }
    }

    @Test("256 requests for messages of a device wait; the next is refused with 3002")
    func fullOfRequests() async throws {
        try await Self.asking(258) { node, _ in
            let waiting = try await node.count("node_held")
            #expect(waiting == 256)
        }
    }

    @Test("a neighbour's users share what it may ask for of messages")
    func neighbourRequests() async throws {
        var limits = ProtectionLimits()
        limits.neighbourMessageRequests = RateLimit(burst: 1, perSecond: 0.1)
        try await Self.across(limits) { one, other, people, bob in
            for asker in people.prefix(2) {
                let request = asker.person.request(
                    .missing, of: try Person("bob", at: other.id), in: .between(asker.person.id, bob),
                    [try #require(MessageHash(SHA256Digest.of([1])))])
                try await asker.client.command("submit", ["object": .object(request)])
            }
            try await one.settle(with: other)
            #expect(try await other.count("node_held WHERE waits_for LIKE 'message_requests/%'") == 1)
            try await other.pass(10_000)
            #expect(try await other.count("node_held") == 0)
            try await one.settle(with: other)
            try await eventually("both answers") {
                people.prefix(2).allSatisfy { $0.client.outbox.objects("message_answer").count == 1 }
            }
        }
    }
}
