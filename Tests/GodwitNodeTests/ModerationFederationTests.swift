import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Held messages of users of other nodes, and moderators at home elsewhere (G-53, D-14, D-18).
@Suite("Held messages between nodes")
struct ModerationFederationTests {
    /// `#general` at `hub`, by alice; bob, who will be banned, at home at `his`; carol, a moderator, and dora at `third`.
    /// All of them were members when the epoch began.
    private struct Scene {
        let hub: TestNode
        let his: TestNode
        let third: TestNode
        let alice: Asker
        let bob: Asker
        let carol: Asker
        let dora: Asker
        var epoch: JSONValue = .null

        func settle() async throws {
            for _ in 0..<2 {
                try await his.settle(with: hub)
                try await third.settle(with: hub)
            }
        }

        func text() -> JSONObject {
            bob.person.message(to: "#general", at: hub.id, changing: ["epoch": epoch])
        }
    }

    private static func with(_ body: (Scene) async throws -> Void) async throws {
        let (hub, his, third) = (
            try await TestNode(name: "hub"), try await TestNode(name: "his"), try await TestNode(name: "third")
        )
        defer { for node in [hub, his, third] { node.remove() } }
        for node in [his, third] {
            try await hub.add(node)
            try await node.add(hub)
        }
        var scene = Scene(
            hub: hub, his: his, third: third, alice: try await hub.asker("alice"), bob: try await his.asker("bob"),
            carol: try await third.asker("carol"), dora: try await third.asker("dora"))
        try await scene.alice.must(scene.alice.create("#general"))
        for someone in [scene.carol, scene.dora, scene.bob] {
            try await someone.must(someone.join("#general", at: hub.id))
            try await scene.settle()
        }
        try await scene.alice.must(
            scene.alice.order("set_role", "#general", scene.alice.about(scene.carol, ["role": "moderator"])))
        scene.epoch = try await BannedScene.startEpoch(
            among: [scene.alice, scene.bob, scene.carol, scene.dora], seenBy: scene.alice)
        try await scene.settle()
        try await body(scene)
    }

    @Test("a text on its way at the ban of its author is held by the channel's node, and forgotten by the author's")
    func onItsWay() async throws {
        try await Self.with { scene in
            let text = scene.text()
            _ = try await scene.bob.client.send(text)
            try await scene.alice.must(scene.alice.order("ban_user", "#general", scene.alice.about(scene.bob)))
            try await scene.settle()
            #expect(try await scene.hub.count("node_moderated") == 1)
            #expect(try await scene.his.queue(for: .node(scene.hub.id)).isEmpty)
            #expect(scene.bob.client.outbox.objects("refusal").isEmpty)
            #expect(scene.alice.client.outbox.messages.isEmpty && scene.dora.client.outbox.messages.isEmpty)
            try await scene.alice.must(
                scene.alice.order(
                    "discard_held", "#general", ["items": BannedScene.items([try Message(text).hash])]))
            try await scene.settle()
            try await eventually("the refusal") { !scene.bob.client.outbox.objects("refusal").isEmpty }
            let refusal = try #require(scene.bob.client.outbox.objects("refusal").last)
            #expect(refusal["item"]?.string == (try Message(text)).hash.base64)
            #expect(ProtocolError(object: refusal)?.code == .insufficientPermissions)
        }
    }

    @Test("a moderator at home elsewhere is told, asks what waits and lets it through to the members of then, once")
    func elsewhere() async throws {
        try await Self.with { scene in
            let texts = [scene.text(), scene.text()]
            for text in texts { _ = try await scene.bob.client.send(text) }
            try await scene.alice.must(scene.alice.order("ban_user", "#general", scene.alice.about(scene.bob)))
            try await scene.settle()
            try await eventually("the word") { scene.carol.client.outbox.objects("held_messages").count == 1 }
            #expect(scene.dora.client.outbox.objects("held_messages").isEmpty)
            // Somebody who comes now could not read it.
            let erna = try await scene.third.asker("erna")
            try await erna.must(erna.join("#general", at: scene.hub.id))
            try await scene.settle()
            let refused = try await refusal {
                try await scene.carol.client.command(
                    "list_held", ["channel": "#general", "channel_node": .string(scene.hub.id.text)])
            }
            #expect(refused.code == .nodeUnreachable)
            for way in [Way.batch, .socket] {
                let before = scene.carol.client.outbox.objects("held_messages").count
                let question = scene.carol.order("list_held", "#general", ["limit": 1], at: scene.hub.id)
                switch way {
                case .batch: #expect(try await scene.carol.ask(question, over: .batch) == nil)
                default: try await scene.carol.client.command("submit", ["object": .object(question)])
                }
                try await scene.settle()
                try await eventually("the list") {
                    scene.carol.client.outbox.objects("held_messages").count > before
                }
                let list = try HeldMessagesReader.read(scene.carol.client.outbox.objects("held_messages").last)
                let first = try Message(texts[0]).hash
                #expect(list.waiting == 2 && list.entries.map(\.hash) == [first])
                #expect(list.next != nil && list.channel.node == scene.hub.id)
            }
            let release = scene.carol.order(
                "release_held", "#general", ["items": BannedScene.items(try texts.map { try Message($0).hash })],
                at: scene.hub.id)
            #expect(try await scene.carol.ask(release, over: .batch) == nil)
            try await scene.settle()
            for reader in [scene.alice, scene.carol, scene.dora] {
                try await eventually("the texts") { reader.client.outbox.messages.count == 2 }
                let ids = reader.client.outbox.messages.compactMap { $0["id"] }
                #expect(ids == texts.compactMap { $0["id"] })
            }
            #expect(erna.client.outbox.messages.isEmpty)
            for node in [scene.hub, scene.third] {
                #expect(try await node.count("node_message") == 2)
                for table in ["node_held", "node_gap"] { #expect(try await node.count(table) == 0) }
            }
        }
    }

    @Test("a text that the channel's node took in time is not lost where the word of the ban overtakes it")
    func overtaken() async throws {
        try await Self.with { scene in
            _ = try await scene.bob.client.send(scene.text())
            try await scene.his.settle(with: scene.hub)
            #expect(try await scene.hub.count("node_message") == 1)
            try await scene.alice.must(scene.alice.order("ban_user", "#general", scene.alice.about(scene.bob)))
            // The change goes in class 0, ahead of the text.
            try await scene.settle()
            try await eventually("the text") { scene.dora.client.outbox.messages.count == 1 }
            #expect(try await scene.third.count("node_held") == 0)
        }
    }

    @Test("what is held of a user of another node ends when that account is erased there")
    func erased() async throws {
        try await Self.with { scene in
            _ = try await scene.bob.client.send(scene.text())
            try await scene.alice.must(scene.alice.order("ban_user", "#general", scene.alice.about(scene.bob)))
            try await scene.settle()
            #expect(try await scene.hub.count("node_moderated") == 1)
            let erasure = scene.his.node.core.context.signingKey.signed(
                Erasure.unsigned(scene.bob.person.id, at: TestTime.start), purpose: .erasure)
            let object = try ProtocolObject(erasure)
            try await scene.hub.node.core.write { try $0.dispatch(object, from: .node(scene.his.id)) }
            #expect(try await scene.hub.count("node_moderated") == 0)
        }
    }

    @Test("only a channel's node lists what it holds")
    func hostile() async throws {
        try await Self.with { scene in
            let forged = HeldMessages(
                to: scene.carol.person.party, channel: try JoinTests.general(scene.hub), at: TestTime.start, waiting: 1)
            let object = try ProtocolObject(forged.object)
            for source in [Party.node(scene.his.id), scene.dora.person.party] {
                let error = try await refusal {
                    try await scene.third.node.core.write { try $0.dispatch(object, from: source) }
                }
                #expect(error.code == .insufficientPermissions)
            }
        }
    }
}

private enum HeldMessagesReader {
    static func read(_ object: JSONObject?) throws -> HeldMessages {
        guard case .heldMessages(let held) = try ProtocolObject(object ?? [:]) else {
            throw NeverHappened(what: "a list of held messages")
        }
        return held
    }
}
