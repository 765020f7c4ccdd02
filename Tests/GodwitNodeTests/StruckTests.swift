import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// The list that strikes a device overtakes what the device had sent, which its home node has accepted
/// (docs/protocol.md §6.2).
@Suite("Devices that were struck")
struct StruckTests {
    private static let day: Int64 = 86_400_000

    /// alice with a second device at one node, bob at another.
    private struct Scene {
        let one: TestNode
        let other: TestNode
        let alice: FederationTests.Enrolled
        let phone: FederationTests.Enrolled
        let bob: FederationTests.Enrolled

        static func with(_ body: (Scene) async throws -> Void) async throws {
            try await FederationTests.nodes { one, other, alice, bob in
                let phone = try await SeveralDevicesTests.add(1, to: alice, on: one)[0]
                try await body(Scene(one: one, other: other, alice: alice, phone: phone, bob: bob))
            }
        }

        func text() -> JSONObject { phone.person.message(to: "@" + bob.person.id.text) }

        /// alice takes the phone off the list.
        func strike(naming: Bool = true) async throws {
            let list = alice.person.deviceList(version: 3, revoked: naming ? [phone.person] : [])
            try await alice.client.command("publish_keys", alice.person.keys().setting("device_list", .object(list)))
        }

        /// The other node is given something of the phone.
        func give(_ kind: BatchItem.Kind, _ object: JSONObject, from source: NodeID) async throws {
            let item = BatchItem(
                kind: kind, body: object.canonicalBytes(), created: TestTime.start, priority: .directText)
            try await other.node.core.write { try $0.take(item, from: .node(source)) }
        }

        func readers(of message: JSONObject) async throws -> Int {
            let hash = try Message(message).hash
            return try await other.queue(for: bob.person.party).count { (try? Message($0).hash) == hash }
        }
    }

    @Test(
        "what a device's node had taken reaches its reader, although the list without the device is there first",
        arguments: [true, false])
    func overtaken(isNamed: Bool) async throws {
        try await Scene.with { scene in
            let text = scene.text()
            _ = try await scene.phone.client.send(text)
            try await scene.strike(naming: isNamed)
            // A list that names the device says all that the one before it did.
            let waiting = try await scene.one.queue(for: .node(scene.other.id))
            let versions = waiting.map { $0["device_list"]?.object?["version"]?.integer }
            #expect(versions == (isNamed ? [nil, 3] : [2, nil, 3]) || versions == (isNamed ? [3, nil] : []))
            try await scene.one.settle(with: scene.other)
            try await eventually("the message") { scene.bob.client.outbox.has([text]) }
            let lists = scene.bob.client.outbox.objects("introduction")
            #expect(lists.compactMap { $0["device_list"]?.object?["revoked"]?.array?.count } == (isNamed ? [1] : []))
            #expect(try await scene.other.count("node_held") == 0)
        }
    }

    @Test("what a struck device has signed is taken from where it was judged before, and from nobody else")
    func elsewhere() async throws {
        try await Scene.with { scene in
            _ = try await scene.phone.client.send(scene.text())
            try await scene.strike()
            try await scene.one.settle(with: scene.other)
            let (stolen, late) = (scene.text(), scene.text())
            try await scene.give(.message, stolen, from: NodeID("elsewher"))
            #expect(try await scene.readers(of: stolen) == 0)
            #expect(try await scene.other.count("node_held") == 1)
            try await scene.give(.message, late, from: scene.one.id)
            #expect(try await scene.readers(of: late) == 1)
            #expect(try await scene.other.count("node_held") == 1)
        }
    }

    @Test("its keys are kept for 37 days of uptime, and a later list that still names it begins nothing anew")
    func kept() async throws {
        try await Scene.with { scene in
            _ = try await scene.phone.client.send(scene.text())
            try await scene.strike()
            try await scene.one.settle(with: scene.other)
            try await scene.other.pass(37 * Self.day - 1)
            let intime = scene.text()
            try await scene.give(.message, intime, from: scene.one.id)
            #expect(try await scene.readers(of: intime) == 1)
            try await scene.other.pass(1)
            #expect(try await scene.other.count("node_struck") == 0)
            let list = scene.alice.person.deviceList(version: 4, revoked: [scene.phone.person])
            let introduction = Introduction(
                userID: scene.alice.person.id, publicKey: scene.alice.person.identityKey.publicKey.bytes,
                deviceList: try DeviceList(list))
            try await scene.give(.object, introduction.object, from: scene.one.id)
            let late = scene.text()
            try await scene.give(.message, late, from: scene.one.id)
            #expect(try await scene.readers(of: late) == 0)
            #expect(try await scene.other.count("node_held") == 1)
            #expect(try await scene.other.count("node_struck") == 0)
        }
    }

    @Test("what it had taken back is taken back, and what its own node gets of it is not")
    func takenBack() async throws {
        try await Scene.with { scene in
            let text = scene.text()
            _ = try await scene.phone.client.send(text)
            try await scene.one.settle(with: scene.other)
            try await scene.strike()
            try await scene.one.settle(with: scene.other)
            let deletion = try scene.phone.person.deletion([text])
            try await scene.give(.object, deletion, from: NodeID("elsewher"))
            #expect(try await scene.other.queue(for: scene.bob.person.party).allSatisfy { $0["type"] != "deletion" })
            try await scene.give(.object, deletion, from: scene.one.id)
            try await eventually("the deletion") { !scene.bob.client.outbox.objects("deletion").isEmpty }
            let late = scene.text()
            let item = BatchItem(
                kind: .message, body: late.canonicalBytes(), created: TestTime.start, priority: .directText)
            try await scene.one.node.core.write { try $0.take(item, from: .node(scene.other.id)) }
            #expect(try await scene.one.queue(for: .node(scene.other.id)).isEmpty)
        }
    }

    // MARK: Channels of another node

    /// A channel of alice's node; bob's phone writes in it, and bob's node has not passed that on yet.
    private struct ChannelScene {
        let hub: TestNode
        let site: TestNode
        let alice: Asker
        let bob: Asker
        let phone: Asker
        let texts: [JSONObject]

        static func with(_ body: (ChannelScene) async throws -> Void) async throws {
            try await FederationTests.nodes { hub, site, a, b in
                let (alice, bob) = (Asker(a, at: hub), Asker(b, at: site))
                let phone = Asker(try await SeveralDevicesTests.add(1, to: b, on: site)[0], at: site)
                try await alice.must(alice.create("#general"))
                for someone in [bob, phone] {
                    try await someone.must(someone.join("#general", at: hub.id))
                    try await hub.settle(with: site)
                }
                let changes = try alice.client.outbox.objects("membership").map { try Membership($0) }
                let change = try #require(changes.last { $0.sponsor != nil })
                let sponsor = try #require([alice, bob, phone].first { $0.person.party == change.sponsor })
                let epoch = sponsor.person.epoch(for: change, wrapping: [])
                try await sponsor.client.command("submit", ["object": .object(epoch)])
                try await hub.settle(with: site)
                let name = JSONValue.string(Base64.encode(try EpochStart(epoch).name))
                var texts: [JSONObject] = []
                for _ in 0..<2 {
                    let text = phone.person.message(to: "#general", at: hub.id, changing: ["epoch": name])
                    _ = try await phone.client.send(text)
                    texts.append(text)
                }
                try await phone.must(phone.person.deletion([texts[1]]))
                try await body(
                    ChannelScene(hub: hub, site: site, alice: alice, bob: bob, phone: phone, texts: texts))
            }
        }

        func strike() async throws {
            let list = bob.person.deviceList(version: 3, revoked: [phone.person])
            try await bob.client.command("publish_keys", bob.person.keys().setting("device_list", .object(list)))
        }
    }

    @Test("a channel's node takes what a member's device wrote before it was struck, and what it took back (D-14)")
    func channel() async throws {
        try await ChannelScene.with { scene in
            try await scene.strike()
            try await scene.hub.settle(with: scene.site)
            let left = scene.alice.client.outbox.objects("membership").last?["left"]?.array
            #expect(left == [.string(scene.phone.person.party.text)])
            try await eventually("the message") { scene.alice.client.outbox.has([scene.texts[0]]) }
            try await eventually("the deletion") { !scene.alice.client.outbox.objects("deletion").isEmpty }
            #expect(scene.phone.client.outbox.closed == 4401)
        }
    }

    @Test("who was taken out of a channel first brings nothing into it by striking a device")
    func removed() async throws {
        try await ChannelScene.with { scene in
            try await scene.alice.must(
                scene.alice.order("remove_member", "#general", scene.alice.about(scene.bob)))
            try await scene.strike()
            try await scene.hub.settle(with: scene.site)
            #expect(scene.alice.client.outbox.messages.isEmpty)
            #expect(scene.alice.client.outbox.objects("deletion").isEmpty)
        }
    }
}
