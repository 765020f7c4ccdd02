import GRDB
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Limits of joins, and what many of them at once cost (docs/protocol.md §7, §11).
@Suite("Joins")
struct JoinTests {
    /// Members of another site, put into `#general` past all checks.
    static func fill(_ node: TestNode, _ count: Int) async throws {
        try await node.node.core.write { transaction in
            for number in 0..<count {
                try transaction.run(
                    """
                    INSERT INTO node_member (channel, user, device, joined)
                    SELECT channel, ?, 'abcdefgh', 1 FROM node_channel WHERE name = '#general'
                    """, ["elsewher.member\(number)"])
            }
        }
    }

    static func general(_ node: TestNode) throws -> ChannelID {
        ChannelID(name: try ChannelName("#general"), node: node.id)
    }

    @Test("a channel takes 2,048 devices; the next join gets 1002 with a hint, and members may still ask again")
    func edge() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            try await client.channel("create_channel", "#general", by: alice, at: node.id)
            try await Self.fill(node, 2_046)
            let (bob, b) = try await node.enrol("bob")
            try await b.channel("join_channel", "#general", by: bob, at: node.id)
            try await eventually("the whole list") {
                b.outbox.objects("members").last?["members"]?.array?.count == 2_048
            }
            let (carol, c) = try await node.enrol("carol")
            let error = try await refusal { try await c.channel("join_channel", "#general", by: carol, at: node.id) }
            #expect(error.code == .insufficientPermissions && error.hint != nil)
            #expect(error.details["limit"]?.string == "channel_members" && error.details["value"]?.integer == 2_048)
            #expect(try await node.count("node_member") == 2_048)
            try await b.channel("join_channel", "#general", by: bob, at: node.id)
            try await eventually("the repeated join") { b.outbox.objects("membership").count == 2 }
        }
    }

    @Test(
        "a join that was under way while its device was taken out does not bring it in again; a later one does (D-14)")
    func overtaken() async throws {
        for way in Way.allCases {
            try await TestNode.with { node in
                let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
                func join(knowing version: Int64?) -> JSONObject {
                    var data: JSONObject = ["pre_key": .object(bob.person.signedPreKey())]
                    if let version { data["version"] = .integer(version) }
                    return bob.order("join_channel", "#general", data)
                }
                func isIn() async throws -> Bool { try await node.count("node_member") == 2 }
                try await alice.must(alice.create("#general"))
                #expect(try await bob.ask(join(knowing: 0), over: way) == nil)
                #expect(try await isIn())
                try await alice.must(alice.order("remove_member", "#general", alice.about(bob)))
                for version in [0, 2] as [Int64] {
                    #expect(try await bob.ask(join(knowing: version), over: way) == .insufficientPermissions)
                    #expect(try await !isIn())
                }
                #expect(try await bob.ask(join(knowing: 3), over: way) == nil)
                #expect(try await isIn())
                // One that names no version comes from an earlier program, and is taken at its word.
                try await alice.must(alice.order("remove_member", "#general", alice.about(bob)))
                #expect(try await bob.ask(join(knowing: nil), over: way) == nil)
                #expect(try await isIn())
            }
        }
    }

    @Test("a refused join says by which change its device went, over another node as well")
    func departedAt() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            let removal = alice.person.command(
                "remove_member",
                [
                    "channel": "#general", "channel_node": .string(one.id.text),
                    "user_id": .string(bob.person.id.text),
                ])
            try await alice.client.command("remove_member", ["command": .object(removal)])
            let join = bob.person.command(
                "join_channel",
                [
                    "channel": "#general", "channel_node": .string(one.id.text), "version": 2,
                    "pre_key": .object(bob.person.signedPreKey()),
                ])
            try await bob.client.command("join_channel", ["command": .object(join)])
            try await one.settle(with: other)
            try await eventually("the refusal") { !bob.client.outbox.objects("refusal").isEmpty }
            guard case .refusal(let refusal) = try ProtocolObject(#require(bob.client.outbox.objects("refusal").last))
            else { throw NeverHappened(what: "a refusal") }
            #expect(refusal.item == SHA256Digest.of(join.canonicalBytes()))
            #expect(refusal.error.code == .insufficientPermissions && refusal.error.hint != nil)
            #expect(refusal.error.details["departed"] == 3)
            #expect(refusal.error.details["channel"] == "#general")
            #expect(refusal.error.details["channel_node"]?.string == one.id.text)
        }
    }

    @Test("joins of one frame of which one has room: that one enters, the other is refused, the frame goes through")
    func edgeInFrame() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
            try await Self.fill(one, 2_046)
            let (carol, c) = try await other.enrol("carol")
            try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
            try await c.channel("join_channel", "#general", by: carol, at: one.id)
            let message = bob.person.message(to: "@" + alice.person.id.text)
            _ = try await bob.client.send(message)
            try await one.settle(with: other)
            try await eventually("the refusal") { !c.outbox.objects("refusal").isEmpty }
            #expect(ProtocolError(object: c.outbox.objects("refusal")[0])?.code == .insufficientPermissions)
            try await eventually("the membership") { !bob.client.outbox.objects("membership").isEmpty }
            try await eventually("the message") { alice.client.outbox.has([message]) }
            #expect(try await one.count("node_member") == 2_048)
        }
    }

    private static func join(_ person: Person, pad: Int) throws -> PendingJoin {
        let key = person.deviceKey.signed(
            person.signedPreKey().setting("pad", .string(String(repeating: "x", count: pad))), purpose: .preKey)
        return PendingJoin(joiner: Joiner(preKey: try SignedPreKey(key)), item: [UInt8](repeating: 1, count: 32))
    }

    @Test("joins that do not fit one change become several, and one that fits none keeps out no other")
    func tooLarge() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            try await client.channel("create_channel", "#general", by: alice, at: node.id)
            try await eventually("the membership") { client.outbox.objects("membership").count == 1 }
            let first = try Membership(client.outbox.objects("membership")[0])
            try await client.command("submit", ["object": .object(alice.epoch(for: first, wrapping: []))])
            let away = try NodeID("elsewher")
            var joins: [PendingJoin] = []
            for number in 0..<150 {
                joins.append(try Self.join(try Person("member\(number)", at: away), pad: number == 70 ? 140_000 : 700))
            }
            let channel = try Self.general(node)
            let all = joins
            let refused = try await node.node.core.write { transaction in
                transaction.joins[channel] = all
                return try transaction.finish().map { ($0.author, $0.error.code) }
            }
            #expect(refused.map(\.0) == [.device(all[70].joiner.userID, all[70].joiner.device)])
            #expect(refused.map(\.1) == [.messageTooLarge])
            #expect(try await node.count("node_member") == 150)
            let sizes = try await node.queue(for: alice.party).map { $0.canonicalBytes().count }
            #expect(sizes.allSatisfy { $0 <= 130_048 })
            try await eventually("all joiners at alice's") {
                let changes = client.outbox.objects("membership").compactMap { try? Membership($0) }
                return changes.reduce(0) { $0 + $1.joined.count } == 150
            }
        }
    }

    /// A user with one listed device, without a socket.
    private static func settle(_ name: String, on node: TestNode) async throws -> Person {
        let person = try Person(name, at: node.id)
        let file = try IdentityFile(person.identityFile())
        let list = try DeviceList(person.deviceList())
        try await node.node.core.write { transaction in
            try transaction.register(file)
            try transaction.introduce(person.id, publicKey: person.identityKey.publicKey.bytes, list: list)
        }
        return person
    }

    @Test("N joiners of one frame cause at most 4 N + 4 objects, not N times N", arguments: [16, 48])
    func objects(_ count: Int) async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            try await client.channel("create_channel", "#general", by: alice, at: node.id)
            try await eventually("the membership") { client.outbox.objects("membership").count == 1 }
            var joins: [PendingJoin] = []
            for number in 0..<count {
                joins.append(try Self.join(try await Self.settle("member\(number)", on: node), pad: 1))
            }
            let before = try await node.count("spool_item")
            let (all, channel) = (joins, try Self.general(node))
            try await node.node.core.write { $0.joins[channel] = all }
            let made = try await node.count("spool_item") - before
            // Each joiner: list, membership, the sponsor's introduction, and its own to the sponsor; the sponsor: one change.
            #expect(made == 4 * count + 1)
        }
    }

    @Test("eight joiners at once are told one by one to clients that only show channels, nine as a number (WS-08)")
    func updates() async throws {
        for count in [8, 9] {
            try await TestNode.with { node in
                let (alice, client) = try await node.enrol("alice")
                try await client.channel("create_channel", "#general", by: alice, at: node.id)
                try await eventually("the membership") { client.outbox.objects("membership").count == 1 }
                let away = try NodeID("elsewher")
                let joins = try (0..<count).map { try Self.join(try Person("member\($0)", at: away), pad: 1) }
                let channel = try Self.general(node)
                try await node.node.core.write { $0.joins[channel] = joins }
                try await eventually("the change") { client.outbox.objects("membership").count == 2 }
                // The status comes after all that the change caused.
                try await client.command("update_status", ["status": "online"])
                let updates = client.outbox.events("channel_update").dropFirst().compactMap { $0["details"]?.object }
                #expect(updates.count == (count == 8 ? 8 : 1))
                #expect(updates.allSatisfy { $0["version"]?.integer == 2 })
                if count == 9 { #expect(updates.first?["count"]?.integer == 9) }
            }
        }
    }
}
