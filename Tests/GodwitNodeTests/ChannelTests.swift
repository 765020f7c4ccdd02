import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Channels on one node: membership, sponsors, epochs (CH-01, CH-06, CH-16, CH-23, D-14, D-18; docs/protocol.md §7).
@Suite("Channels")
struct ChannelTests {
    @Test("whoever creates a channel is its owner, gets list and membership, and starts its first epoch")
    func create() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            try await client.channel("create_channel", "#general", by: alice, at: node.id)
            try await eventually("the membership") { !client.outbox.objects("membership").isEmpty }
            let list = try #require(client.outbox.objects("members").first)
            #expect(list["members"]?.array == [.string(alice.party.text)])
            let membership = try Membership(try #require(client.outbox.objects("membership").first))
            #expect(membership.version == 1 && membership.sponsor == alice.party)
            // The hash as the document defines it, computed here anew.
            let set = JSONValue.array([.string(alice.party.text)]).canonicalBytes()
            #expect(membership.deviceSet == SHA256Digest.of(set))
            let key = try VerifyingKey(node.node.home.descriptor.publicKey)
            let signature = try Signature(text: membership.object["signature"]?.string ?? "")
            #expect(key.verify(object: membership.object, signature: signature, purpose: .order))
            let types = client.outbox.events("object").compactMap { $0["object"]?.object?["type"]?.string }
            #expect(types == ["members", "membership"])
        }
    }

    @Test("a channel exists once on its node, and is created on its creator's node only (CH-01 to CH-05)")
    func twice() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            try await client.channel("create_channel", "#events/2025/conference-planning", by: alice, at: node.id)
            let cases: [(String, NodeID, ErrorCode)] = [
                ("#events/2025/conference-planning", node.id, .insufficientPermissions),
                ("#general", try NodeID("elsewher"), .insufficientPermissions),
                ("#General", node.id, .invalidMessageFormat), ("general", node.id, .invalidMessageFormat),
                ("#a/b/c/d/e/f", node.id, .invalidMessageFormat),
            ]
            for (name, at, code) in cases {
                let error = try await refusal {
                    try await client.channel("create_channel", name, by: alice, at: at)
                }
                #expect(error.code == code, "\(name)")
            }
            #expect(try await node.count("node_channel") == 1)
        }
    }

    @Test("anyone may join: members get the change, the joiner the whole list first (CH-06)")
    func join() async throws {
        try await TestNode.with { node in
            let (alice, a) = try await node.enrol("alice")
            let (bob, b) = try await node.enrol("bob")
            try await a.channel("create_channel", "#general", by: alice, at: node.id)
            let unknown = try await refusal { try await b.channel("join_channel", "#other", by: bob, at: node.id) }
            #expect(unknown.code == .channelNotFound)
            try await b.channel("join_channel", "#general", by: bob, at: node.id)
            try await eventually("both memberships") {
                a.outbox.objects("membership").count == 2 && b.outbox.objects("membership").count == 1
            }
            #expect(a.outbox.objects("members").count == 1)
            let list = try #require(b.outbox.objects("members").first)
            let members = [alice.party.text, bob.party.text].sorted()
            #expect(list["version"]?.integer == 2 && list["members"]?.array == members.map { .string($0) })
            let change = try Membership(try #require(b.outbox.objects("membership").first))
            #expect(change.joined.map(\.preKey.object) == [bob.signedPreKey()])
            #expect(change.deviceSet == SHA256Digest.of(JSONValue.array(members.map { .string($0) }).canonicalBytes()))
            #expect(change.sponsor == alice.party)
            // WS-08, CH-24: for clients that only show channels.
            let update = try #require(a.outbox.events("channel_update").last)
            #expect(update["channel"]?.string == "#general" && update["action"]?.string == "member_joined")
            #expect(update["details"]?.object?["user_id"]?.string == bob.id.text)
            // Each learns the other's keys before the change that names them.
            #expect(a.outbox.objects("introduction").map { $0["user_id"]?.string } == [bob.id.text])
            #expect(b.outbox.objects("introduction").map { $0["user_id"]?.string } == [alice.id.text])
        }
    }

    @Test("a message reaches every other member, once (CH-06, CH-16)")
    func message() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(of: ["alice", "bob", "carol"], on: node)
            let message = people[1].person.message(to: "#general", at: node.id)
            _ = try await people[1].client.send(message)
            for index in [0, 2] {
                try await eventually("the message") { !people[index].client.outbox.messages.isEmpty }
                #expect(people[index].client.outbox.has([message]))
                #expect(people[index].client.outbox.events("message").first?["channel"]?.string == "#general")
            }
            #expect(people[1].client.outbox.messages.isEmpty)
        }
    }

    static func channel(
        of names: [String], on node: TestNode
    ) async throws -> [(person: Person, client: TestClient)] {
        var people: [(person: Person, client: TestClient)] = []
        for name in names {
            let new = try await node.enrol(name)
            try await new.client.channel(
                people.isEmpty ? "create_channel" : "join_channel", "#general", by: new.person, at: node.id)
            people.append(new)
        }
        for (index, someone) in people.enumerated() {
            try await eventually("all memberships") {
                someone.client.outbox.objects("membership").count == names.count - index
            }
        }
        return people
    }

    @Test("whoever asks again because no epoch came gets the next sponsor, in turn")
    func sponsors() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(of: ["alice", "bob", "carol", "dora"], on: node)
            let dora = people[3]
            for _ in 0..<4 { try await dora.client.channel("join_channel", "#general", by: dora.person, at: node.id) }
            try await eventually("five memberships") { dora.client.outbox.objects("membership").count == 5 }
            let sponsors = dora.client.outbox.objects("membership").compactMap { $0["sponsor"]?.string }
            // Longest members first: alice, bob, carol, and round again.
            let expected = [0, 1, 2, 0, 1].map { people[$0].person.party.text }
            #expect(sponsors == expected)
            let versions = dora.client.outbox.objects("membership").compactMap { $0["version"]?.integer }
            #expect(versions == [4, 5, 6, 7, 8])
            #expect(try await node.count("node_member") == 4)
        }
    }

    @Test("a joiner of the sponsor's own making: alone in the channel, one starts the epoch oneself")
    func alone() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(of: ["alice"], on: node)
            try await people[0].client.channel("join_channel", "#general", by: people[0].person, at: node.id)
            try await eventually("the second membership") { people[0].client.outbox.objects("membership").count == 2 }
            #expect(people[0].client.outbox.objects("membership")[1]["sponsor"]?.string == people[0].person.party.text)
        }
    }

    @Test("an epoch reaches each member with the wraps for that device only")
    func epoch() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(of: ["alice", "bob", "carol"], on: node)
            let membership = try Membership(people[0].client.outbox.objects("membership")[2])
            let epoch = people[0].person.epoch(for: membership, wrapping: [people[1].person, people[2].person])
            try await people[0].client.command("submit", ["object": .object(epoch)])
            for (index, someone) in people.enumerated() {
                try await eventually("the epoch") { !someone.client.outbox.objects("epoch").isEmpty }
                let got = someone.client.outbox.objects("epoch")[0]
                #expect(got.omitting(["wraps"]) == epoch.omitting(["wraps"]))
                let wraps = got["wraps"]?.object?["for"]?.array?.compactMap { $0.object?["device"]?.string } ?? []
                #expect(wraps == (index == 0 ? [] : [someone.person.device.text]))
            }
            // The same again is no second one; a different one for this membership is refused.
            try await people[0].client.command("submit", ["object": .object(epoch)])
            let rival = people[0].person.epoch(for: membership, wrapping: [people[1].person])
                .setting("commitment", .string(Base64.encode([UInt8](repeating: 1, count: 32))))
            let signed = people[0].person.deviceKey.signed(rival, purpose: .epoch)
            let error = try await refusal {
                try await people[0].client.command("submit", ["object": .object(signed)])
            }
            #expect(error.code == .insufficientPermissions)
            #expect(people.allSatisfy { $0.client.outbox.objects("epoch").count == 1 })
        }
    }

    @Test("an epoch by somebody else, for other devices, altered or for no membership is refused")
    func badEpoch() async throws {
        try await TestNode.with { node in
            let people = try await Self.channel(of: ["alice", "bob"], on: node)
            let membership = try Membership(people[0].client.outbox.objects("membership")[1])
            let (alice, bob) = (people[0], people[1])
            let good = alice.person.epoch(for: membership, wrapping: [])
            let otherSet = good.setting("device_set", .string(Base64.encode([UInt8](repeating: 1, count: 32))))
            let cases: [(JSONObject, TestClient, ErrorCode)] = [
                (bob.person.epoch(for: membership, wrapping: []), bob.client, .insufficientPermissions),
                (alice.person.deviceKey.signed(otherSet, purpose: .epoch), alice.client, .insufficientPermissions),
                (
                    good.setting("created", .string(TestTime.start.adding(milliseconds: 1).description)), alice.client,
                    .invalidCredentials
                ),
                (
                    alice.person.deviceKey.signed(good.setting("membership", 9), purpose: .epoch), alice.client,
                    .channelNotFound
                ),
            ]
            for (epoch, client, code) in cases {
                #expect(
                    try await refusal { try await client.command("submit", ["object": .object(epoch)]) }.code == code)
            }
            #expect(bob.client.outbox.objects("epoch").isEmpty)
            try await alice.client.command("submit", ["object": .object(good)])
        }
    }

    @Test(
        "a command whose counter does not grow is refused, or of another device, or with a bad signature; not a repeat")
    func counters() async throws {
        try await TestNode.with { node in
            let (alice, client) = try await node.enrol("alice")
            let (bob, other) = try await node.enrol("bob")
            func data(_ person: Person, _ name: String) -> JSONObject {
                [
                    "channel": .string(name), "channel_node": .string(node.id.text),
                    "pre_key": .object(person.signedPreKey()),
                ]
            }
            func create(_ command: JSONObject, _ client: TestClient) async throws {
                try await client.command("create_channel", ["command": .object(command)])
            }
            let first = alice.command("create_channel", data(alice, "#one"), counter: 5)
            for _ in 0..<2 { try await create(first, client) }
            for counter in [5, 4] as [Int64] {
                let late = alice.command("create_channel", data(alice, "#two"), counter: counter)
                let error = try await refusal { try await create(late, client) }
                #expect(error.code == .invalidMessageFormat && error.details == ["counter": 5])
            }
            #expect(try await node.count("node_channel") == 1)
            let own = bob.command("create_channel", data(bob, "#three"))
            #expect(try await refusal { try await create(own, client) }.code == .insufficientPermissions)
            let bad = own.setting("counter", 77)
            #expect(try await refusal { try await create(bad, other) }.code == .invalidCredentials)
            let foreign = alice.command("create_channel", data(bob, "#four"), counter: 6)
            #expect(try await refusal { try await create(foreign, client) }.code == .insufficientPermissions)
            // A refused command leaves its counter free.
            try await create(alice.command("create_channel", data(alice, "#two"), counter: 6), client)
            #expect(try await node.count("node_channel") == 2)
        }
    }
}
