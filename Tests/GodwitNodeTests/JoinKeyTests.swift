import Foundation
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// The epoch of a join follows from the one before, and only the joiner needs a key (D-14; docs/protocol.md §7).
@Suite("Keys of joins")
struct JoinKeyTests {
    /// A channel with a first epoch.
    /// - Returns: its name.
    private static func channel(_ node: TestNode, of owner: Asker) async throws -> [UInt8] {
        try await owner.must(owner.create("#general"))
        return try await epoch(by: owner, for: try await change(owner, version: 1))
    }

    private static func change(_ reader: Asker, version: Int64) async throws -> Membership {
        try await eventually("change \(version)") {
            reader.client.outbox.objects("membership").contains { $0["version"]?.integer == version }
        }
        let object = reader.client.outbox.objects("membership").first { $0["version"]?.integer == version }
        return try Membership(try #require(object))
    }

    @discardableResult
    private static func epoch(by sponsor: Asker, for change: Membership) async throws -> [UInt8] {
        let epoch = sponsor.person.epoch(for: change, wrapping: [])
        try await sponsor.client.command("submit", ["object": .object(epoch)])
        return try EpochStart(epoch).name
    }

    private static func key(for joiner: Asker, of change: Membership, filled: UInt8 = 7) -> JSONObject {
        EpochKey(
            keyID: Array(change.joinHash.prefix(EpochKey.idCount)), device: joiner.person.device,
            key: [UInt8](repeating: filled, count: EpochKey.keyCount), models: [1]
        ).object
    }

    @Test("epochs of joins follow from each other; after a departure, and before any has come, the secret is fresh")
    func follows() async throws {
        try await TestNode.with { node in
            let (alice, bob, carol) = (
                try await node.asker("alice"), try await node.asker("bob"), try await node.asker("carol")
            )
            let dora = try await node.asker("dora")
            try await alice.must(alice.create("#general"))
            try await bob.must(bob.join("#general"))
            let early = try await Self.change(alice, version: 2)
            #expect(early.change.predecessor == nil && early.change.isFresh)
            let first = try await Self.epoch(by: alice, for: early)
            try await carol.must(carol.join("#general"))
            let third = try await Self.change(alice, version: 3)
            #expect(third.change.predecessor == first && !third.change.isFresh && third.sponsor == alice.person.party)
            // No epoch has to come for the next one to follow.
            try await dora.must(dora.join("#general"))
            #expect(try await Self.change(alice, version: 4).change.predecessor == third.joinHash)
            try await alice.must(alice.order("remove_member", "#general", alice.about(bob)))
            let departure = try await Self.change(alice, version: 5)
            #expect(departure.change.predecessor == nil && departure.change.isFresh)
            try await bob.must(bob.join("#general"))
            let again = try await Self.change(alice, version: 6)
            #expect(again.change.predecessor == nil && again.change.isFresh)
            let fresh = try await Self.epoch(
                by: try #require([alice, carol, dora].first { $0.person.party == again.sponsor }), for: again)
            // The one of the departure comes after that of a later version: nothing follows from it.
            try await Self.epoch(by: alice, for: departure)
            try await dora.must(dora.join("#general"))
            #expect(try await Self.change(alice, version: 7).change.predecessor == fresh)
        }
    }

    @Test("a change names the phrase models that all who join with it have announced (D-9)")
    func models() async throws {
        try await TestNode.with { node in
            let alice = try await node.asker("alice")
            _ = try await Self.channel(node, of: alice)
            var joins: [PendingJoin] = []
            for (name, models) in [("bob", [1, 12]), ("carol", [1]), ("dora", [1, 12])] as [(String, [Int64])] {
                let person = try Person(name, at: node.id)
                let entry = try #require(person.deviceList()["devices"]?.array?[0].object).omitting(["signature"])
                let models = entry.setting("models", .array(models.map { .integer($0) }))
                let list = person.identityKey.signed(
                    person.deviceList().omitting(["signature"]).setting(
                        "devices", [.object(person.identityKey.signed(models, purpose: .device))]),
                    purpose: .deviceList)
                let file = try IdentityFile(person.identityFile())
                try await node.node.core.write { transaction in
                    try transaction.register(file)
                    try transaction.introduce(
                        person.id, publicKey: person.identityKey.publicKey.bytes, list: DeviceList(list))
                }
                joins.append(
                    PendingJoin(
                        joiner: Joiner(preKey: try SignedPreKey(person.signedPreKey())),
                        item: [UInt8](repeating: 1, count: 32)))
            }
            let channel = try ChannelID(name: ChannelName("#general"), node: node.id)
            for (turn, chosen) in [[joins[0]], [joins[1], joins[2]]].enumerated() {
                try await node.node.core.write { $0.joins[channel] = chosen }
                let change = try await Self.change(alice, version: Int64(turn + 2))
                #expect(change.change.models == (turn == 0 ? [1, 12] : [1]))
            }
        }
    }

    @Test("a key goes from the change's sponsor to its joiner and to nobody else; of others it is refused")
    func handedOn() async throws {
        try await TestNode.with { node in
            let (alice, bob, carol) = (
                try await node.asker("alice"), try await node.asker("bob"), try await node.asker("carol")
            )
            _ = try await Self.channel(node, of: alice)
            for someone in [bob, carol] { try await someone.must(someone.join("#general")) }
            let change = try await Self.change(alice, version: 3)
            for thief in [bob, carol] {
                let error = try await refusal {
                    try await thief.client.command("submit", ["object": .object(Self.key(for: carol, of: change))])
                }
                #expect(error.code == .insufficientPermissions)
            }
            let key = Self.key(for: carol, of: change)
            try await alice.client.command("submit", ["object": .object(key)])
            try await eventually("the key") { carol.client.outbox.objects("epoch_key") == [key] }
            // The sponsor was introduced before it.
            let types = carol.client.outbox.events("object").compactMap { $0["object"]?.object?["type"]?.string }
            #expect(types.contains("introduction"))
            #expect([alice, bob].allSatisfy { $0.client.outbox.objects("epoch_key").isEmpty })
            #expect([alice, bob, carol].allSatisfy { $0.client.outbox.objects("epoch").count <= 1 })
            // For one who has gone meanwhile it ends without a word.
            try await alice.must(alice.order("remove_member", "#general", alice.about(carol)))
            try await alice.client.command(
                "submit", ["object": .object(Self.key(for: carol, of: change, filled: 8))])
            #expect(carol.client.outbox.objects("epoch_key") == [key])
            let unknown = Self.key(for: bob, of: change).setting("key_id", "aaaaaaaaaaaaaaaa")
            let error = try await refusal { try await alice.client.command("submit", ["object": .object(unknown)]) }
            #expect(error.code == .channelNotFound)
        }
    }

    @Test(
        "between two nodes a key takes the shortest way; it never crosses a link to its own site, and waits for its change"
    )
    func across() async throws {
        try await FederationTests.nodes { one, other, alice, bob in
            try await alice.client.channel("create_channel", "#general", by: alice.person, at: one.id)
            try await eventually("the first change") { alice.client.outbox.objects("membership").count == 1 }
            let first = try Membership(alice.client.outbox.objects("membership")[0])
            try await alice.client.command("submit", ["object": .object(alice.person.epoch(for: first, wrapping: []))])
            try await bob.client.channel("join_channel", "#general", by: bob.person, at: one.id)
            try await one.settle(with: other)
            try await eventually("bob's change") { !bob.client.outbox.objects("membership").isEmpty }
            let change = try Membership(bob.client.outbox.objects("membership")[0])
            let name = try EpochStart(alice.person.epoch(for: first, wrapping: [])).name
            #expect(change.sponsor == alice.person.party && change.change.predecessor == name)
            func key(_ person: Person, _ change: Membership) -> JSONObject {
                EpochKey(
                    keyID: Array(change.joinHash.prefix(EpochKey.idCount)), device: person.device,
                    key: [UInt8](repeating: 7, count: EpochKey.keyCount)
                ).object
            }
            let down = key(bob.person, change)
            try await alice.client.command("submit", ["object": .object(down)])
            try await one.settle(with: other)
            try await eventually("bob's key") { bob.client.outbox.objects("epoch_key") == [down] }
            // The next one joins where bob is, who is the sponsor: nothing of its key is on the link.
            let (carol, c) = try await other.enrol("carol")
            try await c.channel("join_channel", "#general", by: carol, at: one.id)
            try await one.settle(with: other)
            try await eventually("carol's change") { !c.outbox.objects("membership").isEmpty }
            let second = try Membership(c.outbox.objects("membership")[0])
            #expect(second.sponsor == bob.person.party && second.change.predecessor == change.joinHash)
            let near = key(carol, second)
            try await bob.client.command("submit", ["object": .object(near)])
            try await eventually("carol's key") { c.outbox.objects("epoch_key") == [near] }
            #expect(try await other.queue(for: .node(one.id)).allSatisfy { $0["type"]?.string != "epoch_key" })
            #expect(alice.client.outbox.objects("epoch").count == 1 && c.outbox.objects("epoch").isEmpty)
            // One of a change that has not come is held, and goes when it has.
            let (dora, d) = (try await other.enrol("dora"))
            try await d.channel("join_channel", "#general", by: dora, at: one.id)
            try await one.settle(with: other)
            try await eventually("dora's change") { !d.outbox.objects("membership").isEmpty }
            let third = try Membership(d.outbox.objects("membership")[0])
            let early = key(dora, third)
            try await other.node.core.write { transaction in
                try transaction.run("UPDATE node_epoch SET name = NULL WHERE membership = ?", [third.version])
                let item = BatchItem(
                    kind: .object, body: early.canonicalBytes(), created: transaction.now, priority: .control)
                try transaction.take(item, from: bob.person.party)
            }
            #expect(try await other.count("node_held") == 1 && d.outbox.objects("epoch_key").isEmpty)
            try await other.node.core.write { transaction in
                try transaction.run(
                    "UPDATE node_epoch SET name = ? WHERE membership = ?", [Data(third.joinHash), third.version])
                transaction.arrived.append(.change(Array(third.joinHash.prefix(EpochKey.idCount))))
                try transaction.takeUpHeld()
            }
            try await eventually("dora's key") { d.outbox.objects("epoch_key") == [early] }
            #expect(try await other.count("node_held") == 0)
        }
    }
}
