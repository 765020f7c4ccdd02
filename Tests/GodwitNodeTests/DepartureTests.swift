import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// What follows when somebody leaves: a fresh epoch by a sponsor who gets the keys for it (D-14), and what other nodes and
/// devices are told (D-18).
@Suite("Departures")
struct DepartureTests {
    private static func last(_ asker: Asker, _ type: String) -> JSONObject? { asker.client.outbox.objects(type).last }

    private static func keys(_ object: JSONObject?) throws -> MemberKeys {
        guard case .memberKeys(let keys) = try ProtocolObject(object ?? [:]) else { throw NeverHappened(what: "keys") }
        return keys
    }

    private static func change(_ asker: Asker, version: Int64) async throws -> Membership {
        try await eventually("change \(version)") {
            asker.client.outbox.objects("membership").contains { $0["version"]?.integer == version }
        }
        let object = asker.client.outbox.objects("membership").first { $0["version"]?.integer == version }
        return try Membership(try #require(object))
    }

    /// Four users in `#general`, in the order of their coming: versions 1 to 4.
    private static func channel(_ node: TestNode) async throws -> [Asker] {
        var people: [Asker] = []
        for name in ["alice", "bob", "carol", "dora"] {
            let someone = try await node.asker(name)
            try await someone.must(people.isEmpty ? someone.create("#general") : someone.join("#general"))
            people.append(someone)
        }
        return people
    }

    @Test("a removal names its actor as sponsor of a fresh epoch, who gets the keys of those before it, once")
    func sponsor() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(node)
            let (alice, bob) = (people[0], people[1])
            try await alice.must(alice.order("set_role", "#general", alice.about(bob, ["role": "moderator"])))
            try await bob.must(bob.order("remove_member", "#general", bob.about(people[3])))
            let change = try await Self.change(bob, version: 6)
            #expect(change.left == [people[3].person.party] && change.change.isFresh && change.joined.isEmpty)
            #expect(change.sponsor == bob.person.party)
            let rest = people.prefix(3).map(\.person.party.text).sorted()
            #expect(change.deviceSet == SHA256Digest.of(JSONValue.array(rest.map { .string($0) }).canonicalBytes()))
            // bob has seen carol come in; alice was there before it, and so was the key that it brought itself.
            let objects = bob.client.outbox.events("object").compactMap { $0["object"]?.object }
            let keys = try Self.keys(objects.first { $0["type"]?.string == "member_keys" })
            #expect(keys.version == 6 && keys.to == bob.person.party && keys.without.isEmpty)
            #expect(keys.keys.map(\.preKey.object) == [alice.person.signedPreKey()])
            let order = objects.compactMap { $0["type"]?.string }
            let first = try #require(order.lastIndex(of: "member_keys"))
            #expect(first < order.count - 1 && order.last == "membership")
            #expect(alice.client.outbox.objects("member_keys").isEmpty)
            try await bob.must(bob.order("remove_member", "#general", bob.about(people[2])))
            _ = try await Self.change(bob, version: 7)
            #expect(bob.client.outbox.objects("member_keys").count == 1)
        }
    }

    @Test("keys of 256 members go in one object, of 257 in two")
    func keyObjects() async throws {
        for count in [256, 257] {
            try await TestNode.with { node in
                let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
                let carol = try await node.asker("carol")
                try await alice.must(alice.create("#general"))
                // alice is one of them; each brings a key as long as one can be signed in some 120 bytes.
                try await node.node.core.write { transaction in
                    for number in 1..<count {
                        let other = try Person("member\(number)", at: NodeID("elsewher"))
                        try transaction.run(
                            """
                            INSERT INTO node_member (channel, user, device, joined, pre_key)
                            SELECT channel, ?, ?, 1, ? FROM node_channel
                            """,
                            [other.id.text, other.device.text, Data(other.signedPreKey().canonicalBytes())])
                    }
                }
                for someone in [bob, carol] { try await someone.must(someone.join("#general")) }
                try await alice.must(alice.order("set_role", "#general", alice.about(bob, ["role": "moderator"])))
                try await bob.must(bob.order("remove_member", "#general", bob.about(carol)))
                let bytes = try await node.queue(for: bob.person.party)
                let objects = try bytes.filter { $0["type"]?.string == "member_keys" }.map(Self.keys)
                #expect(objects.reduce(0) { $0 + $1.keys.count } == count && objects.allSatisfy { $0.version == 5 })
                #expect(objects.allSatisfy { $0.object.canonicalBytes().count <= 64_000 })
                #expect(Set(objects.flatMap { $0.keys.map(\.party) }).count == count)
            }
        }
    }

    @Test("parts of an epoch go to whom they have wraps for, the last to everybody, once")
    func parts() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(node)
            let alice = people[0]
            let change = try await Self.change(alice, version: 4)
            let whole = try EpochStart(alice.person.epoch(for: change, wrapping: people.dropFirst().map(\.person)))
            func part(_ wraps: [EpochStart.Wrap], more: Bool) -> JSONObject {
                whole.object.setting(
                    "wraps", EpochStart.distribution(ephemeral: whole.ephemeral, wraps: wraps, more: more))
            }
            let parts = [part([whole.wraps[0]], more: true), part(Array(whole.wraps.dropFirst()), more: false)]
            for object in parts + parts { try await alice.client.command("submit", ["object": .object(object)]) }
            for (index, someone) in people.enumerated() {
                let epochs = try await node.queue(for: someone.person.party).filter { $0["type"]?.string == "epoch" }
                let devices = try epochs.map { try EpochStart($0).wraps.map(\.device.text) }
                let own = [someone.person.device.text]
                #expect(devices == (index == 0 ? [[]] : index == 1 ? [own, []] : [own]), "\(index)")
            }
        }
    }

    @Test("a sponsor that stays silent is followed by others in turn, ever later, until the epoch comes")
    func restart() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(node)
            let (alice, bob) = (people[0], people[1])
            try await alice.must(alice.order("remove_member", "#general", alice.about(people[3])))
            _ = try await Self.change(bob, version: 5)
            try await node.pass(599_999)
            #expect(bob.client.outbox.objects("membership").last?["version"]?.integer == 5)
            try await node.pass(1)
            let second = try await Self.change(bob, version: 6)
            #expect(second.sponsor == bob.person.party && second.change.isFresh && second.left.isEmpty)
            try await node.pass(1_199_999)
            try await node.pass(1)
            let third = try await Self.change(bob, version: 7)
            #expect(third.sponsor == people[2].person.party)
            // Whoever joins now needs a fresh secret too.
            let eve = try await node.asker("eve")
            try await eve.must(eve.join("#general"))
            let fourth = try await Self.change(bob, version: 8)
            #expect(fourth.change.isFresh && fourth.joined.count == 1)
            let epoch = bob.person.epoch(for: second, wrapping: [alice.person])
            try await bob.client.command("submit", ["object": .object(epoch)])
            let before = try await node.channelState()
            try await node.pass(86_400_000)
            #expect(try await node.channelState() == before)
            try await bob.stayOnline()
            let frank = try await node.asker("frank")
            try await frank.must(frank.join("#general"))
            let fifth = try await Self.change(bob, version: 9)
            #expect(!fifth.change.isFresh)
        }
    }

    @Test("a device that leaves its user's list leaves the channels of its user's node (D-14)")
    func revoked() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(node)
            let bob = people[1]
            let second = try Person("bob", at: node.id)
            let list = bob.person.deviceList(version: 2, with: [second])
            try await bob.client.command("publish_keys", bob.person.keys().setting("device_list", .object(list)))
            let phone = await TestClient(node)
            try await phone.login(
                TestClient.proof(
                    second, try await phone.challenge(for: second.id), node: node.id, key: bob.person.identityKey))
            try await phone.channel("join_channel", "#general", by: second, at: node.id)
            #expect(try await node.count("node_member") == 5)
            let alone = bob.person.keys().setting("device_list", .object(bob.person.deviceList(version: 3)))
            try await bob.client.command("publish_keys", alone)
            let change = try await Self.change(people[0], version: 6)
            #expect(change.left == [second.party] && change.change.isFresh)
            #expect(try await node.count("node_member") == 4)
            // The user has not left: the role stays.
            #expect(try await node.role(of: bob, in: "#general", seenBy: bob) == "member")
        }
    }

    // MARK: Two nodes

    private static func two(
        _ body: (TestNode, TestNode, Asker, Asker) async throws -> Void
    ) async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await FederationTests.channel(one, other, alice, bob)
            try await body(one, other, Asker(alice, at: one), Asker(bob, at: other))
        }
    }

    @Test("a member elsewhere who is removed is told over its node, which keeps nothing more of the channel")
    func remoteRemoval() async throws {
        try await Self.two { one, other, alice, bob in
            try await alice.must(alice.order("remove_member", "#general", alice.about(bob)))
            try await one.settle(with: other)
            try await eventually("the change") { Self.last(bob, "membership")?["left"] != nil }
            #expect(try await other.count("node_channel") == 0)
            #expect(try await one.count("node_gap") == 0)
            let message = alice.person.message(to: "#general", at: one.id)
            _ = try await alice.client.send(message)
            try await one.settle(with: other)
            #expect(try await one.queue(for: .node(other.id)).isEmpty)
            #expect(bob.client.outbox.messages.isEmpty)
            // A text that was written before the word came is refused to its author when it arrives (G-53).
            #expect(
                try await refusal { _ = try await bob.client.send(bob.person.message(to: "#general", at: one.id)) }.code
                    == .channelNotFound)
        }
    }

    @Test("a text in an unknown epoch, on its way at the ban of its author, is refused by the channel's node (G-53)")
    func late() async throws {
        try await Self.two { one, other, alice, bob in
            let message = bob.person.message(to: "#general", at: one.id)
            _ = try await bob.client.send(message)
            try await alice.must(alice.order("ban_user", "#general", alice.about(bob)))
            try await one.settle(with: other)
            try await eventually("the refusal") { !bob.client.outbox.objects("refusal").isEmpty }
            #expect(Self.last(bob, "refusal").flatMap { ProtocolError(object: $0) }?.code == .insufficientPermissions)
            #expect(alice.client.outbox.messages.isEmpty)
            try await eventually("the change") { Self.last(bob, "membership")?["left"] != nil }
        }
    }

    @Test("a command from elsewhere is judged by the channel's node when it arrives; roles and settings come back")
    func remoteCommands() async throws {
        try await Self.two { one, other, alice, bob in
            let carol = try await other.asker("carol")
            try await carol.must(carol.join("#general", at: one.id))
            // Nobody knows yet whether bob may: the command goes its way and comes to nothing.
            let early = bob.order("remove_member", "#general", bob.about(carol), at: one.id)
            #expect(try await bob.ask(early, over: .batch) == nil)
            try await one.settle(with: other)
            try await eventually("the refusal") { Self.last(bob, "refusal")?["item"] != nil }
            try await alice.must(alice.order("set_role", "#general", alice.about(bob, ["role": "moderator"])))
            try await alice.must(alice.order("set_channel", "#general", ["topic": "Ferry"]))
            try await one.settle(with: other)
            let info: JSONObject = ["channel": "#general", "channel_node": .string(one.id.text)]
            let seen = try await carol.client.command("channel_info", info)
            #expect(seen["topic"]?.string == "Ferry")
            let roles = seen["members"]?.array?.compactMap { $0.object?["role"]?.string }
            #expect(roles?.sorted() == ["member", "moderator", "owner"])
            // Replayed, the old command does nothing.
            #expect(try await bob.ask(early, over: .socket) == nil)
            try await one.settle(with: other)
            #expect(try await one.count("node_member") == 3)
            try await bob.must(bob.order("ban_user", "#general", bob.about(carol), at: one.id))
            try await one.settle(with: other)
            try await eventually("carol's end") { Self.last(carol, "membership")?["left"] != nil }
            // The sponsor is bob, elsewhere: the keys of those before it go there, and to nobody else.
            try await eventually("the keys") { bob.client.outbox.objects("member_keys").count == 1 }
            let keys = try Self.keys(Self.last(bob, "member_keys"))
            #expect(keys.keys.map(\.preKey.object) == [alice.person.signedPreKey()])
            #expect(alice.client.outbox.objects("member_keys").isEmpty)
            #expect(carol.client.outbox.objects("member_keys").isEmpty)
            #expect(
                try await refusal { try await bob.client.command("list_bans", info) }.code == .nodeUnreachable)
        }
    }

    @Test("a site that missed changes gets the list with roles and settings; who is gone meanwhile is told")
    func missed() async throws {
        try await Self.two { one, other, alice, bob in
            let carol = try await other.asker("carol")
            try await carol.must(carol.join("#general", at: one.id))
            try await one.settle(with: other)
            try await alice.must(alice.order("set_role", "#general", alice.about(bob, ["role": "admin"])))
            try await alice.must(alice.order("remove_member", "#general", alice.about(carol)))
            // All of it is lost on the way.
            try await one.node.core.spool.write { spool in
                try spool.release(try spool.items(for: .node(other.id), limit: 100).map(\.row))
                try spool.database.execute(sql: "DELETE FROM node_order WHERE version < 5")
            }
            try await alice.must(alice.order("set_channel", "#general", ["topic": "Ferry"]))
            try await one.settle(with: other)
            try await eventually("an empty list for carol") { Self.last(carol, "members")?["members"]?.array == [] }
            let info: JSONObject = ["channel": "#general", "channel_node": .string(one.id.text)]
            let seen = try await bob.client.command("channel_info", info)
            #expect(seen["topic"]?.string == "Ferry" && seen["role"]?.string == "admin")
            #expect(seen["members"]?.array?.count == 2)
        }
    }

    @Test("what only a channel's node may say is refused from others, and a change for other members is not applied")
    func hostile() async throws {
        try await Self.two { one, other, alice, bob in
            let keys = MemberKeys(
                channel: try JoinTests.general(one), version: 2, to: bob.person.party, keys: [])
            let invitation = Invitation(
                channel: try JoinTests.general(one), to: bob.person.id, inviter: alice.person.id, at: TestTime.start)
            for object in [keys.object, invitation.object] {
                let error = try await refusal {
                    try await bob.client.command("submit", ["object": .object(object)])
                }
                #expect(error.code == .insufficientPermissions)
            }
            let before = try await other.channelState()
            func signed(_ change: ChannelChange, by key: SigningKey, version: Int64 = 3) throws -> ProtocolObject {
                let unsigned = Membership.unsigned(
                    channel: try JoinTests.general(one), version: version, at: TestTime.start, joined: [],
                    deviceSet: MemberList(channel: try JoinTests.general(one), version: 3, devices: [bob.person.party])
                        .hash,
                    sponsor: bob.person.party, change: change)
                return try ProtocolObject(key.signed(unsigned, purpose: .order))
            }
            var change = ChannelChange()
            change.left = [alice.person.party]
            change.isFresh = true
            let forged = try signed(change, by: bob.person.deviceKey)
            await #expect(throws: ProtocolError.self) {
                try await other.node.core.write { try $0.dispatch(forged, from: .node(one.id)) }
            }
            // Signed by the node, but with a set that does not come of it: the list is asked for.
            change.left = [bob.person.party]
            let wrong = try signed(change, by: one.node.core.context.signingKey)
            await #expect(throws: MembershipUnknown.self) {
                try await other.node.core.write { try $0.dispatch(wrong, from: .node(one.id)) }
            }
            #expect(try await other.channelState() == before)
            // The first change again, long after.
            let old = try ProtocolObject(try #require(bob.client.outbox.objects("membership").first))
            try await other.node.core.write { try $0.dispatch(old, from: .node(one.id)) }
            #expect(try await other.channelState() == before)
        }
    }
}
