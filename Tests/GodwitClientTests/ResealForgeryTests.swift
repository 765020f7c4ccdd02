import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("What others claim to have sealed again (D-3, D-13)")
struct ResealForgeryTests {
    private struct Scene {
        var hub: Hub
        var amina: Device
        var layla: Device
        var eve: Device
        var scratches: [Scratch]
        var all: [Device] { [amina, layla, eve] }
    }

    /// Amina and Eve have each written to Layla and been answered.
    private func scene() async throws -> Scene {
        let hub = try Hub()
        let scratches = try (0..<3).map { _ in try Scratch() }
        let amina = try await hub.enrol("amina", in: scratches[0])
        let layla = try await hub.enrol("layla", in: scratches[1])
        let eve = try await hub.enrol("eve", in: scratches[2])
        let scene = Scene(hub: hub, amina: amina, layla: layla, eve: eve, scratches: scratches)
        for other in [amina, eve] {
            try await other.send(text: "zero", to: .user(layla.userID))
            try await hub.settle(scene.all)
            try await layla.send(text: "heard", to: .user(other.userID))
            try await hub.settle(scene.all)
        }
        return scene
    }

    /// What a message's hash is made of.
    private struct Place {
        var sequence: Int64
        var previous: Data?
        var bodyHash: Data
        var created: Int64

        init(_ row: Row) {
            (sequence, previous, bodyHash, created) = (row["seq"], row["prev"], row["body_hash"], row["created"])
        }
    }

    /// Eve knows all that a message's hash is made of, and sends a text of hers under it.
    private func forge(_ hash: MessageHash, in scene: Scene) async throws {
        let place = try #require(
            try await scene.amina.store.read { transaction in
                try transaction.row(
                    """
                    SELECT s.seq, s.prev, s.body_hash, o.created FROM client_sealed s
                    JOIN client_outbox o ON o.hash = s.hash WHERE s.hash = ?
                    """, [Data(hash.bytes)]
                ).map(Place.init)
            })
        let conversation = Conversation.between(scene.eve.userID, scene.layla.userID).text
        let content: JSONObject = ["text": "forged", "format": "plain", "mentions": [], "reply_to": nil]
        try await scene.eve.store.write { transaction in
            try transaction.run(
                """
                INSERT INTO client_outbox (conversation, target, content, created, state, hash)
                VALUES (?, ?, ?, ?, 'at_node', ?)
                """,
                [
                    conversation, MessageTarget.user(scene.layla.userID).description, Data(content.canonicalBytes()),
                    place.created, Data(hash.bytes),
                ])
            try transaction.run(
                "INSERT INTO client_sealed (hash, row, seq, prev, body_hash) VALUES (?, ?, ?, ?, ?)",
                [
                    Data(hash.bytes), transaction.database.lastInsertedRowID, place.sequence,
                    place.previous, place.bodyHash,
                ])
            try transaction.run(
                "INSERT INTO client_reseal (hash, user, device, number, reason, waits, asked) VALUES (?, ?, ?, 1, ?, 1, 0)",
                [
                    Data(hash.bytes), scene.layla.userID.text, scene.layla.deviceID.text,
                    MessageRequest.Reason.missing.rawValue,
                ])
        }
        try await scene.hub.settle([scene.eve, scene.layla])
    }

    @Test("fill no hole of another author: it stays a hole until that one's device has answered")
    func hole() async throws {
        let scene = try await scene()
        try await scene.layla.store.write { transaction in
            try transaction.run("DELETE FROM client_session WHERE user = ?", [scene.amina.userID.text])
        }
        try await scene.amina.send(text: "one", to: .user(scene.layla.userID))
        try await scene.hub.settle(scene.all)
        scene.hub.time.advance(ClientTransaction.wantPatience)
        try await scene.layla.prepareContact()
        let hash = try #require(try await scene.amina.outbox().last?.hash)
        try await forge(hash, in: scene)
        #expect(try await scene.layla.inbox().last?.hole?.reason == "unknown_session")
        #expect(try await scene.layla.codes() == [.misdirected])
        try await scene.hub.settle(scene.all)
        let shown = try await scene.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "zero", "one"])
        #expect(shown.last?.author == scene.amina.userID)
    }

    @Test("keep no message away whose hash they have taken: the author's own is shown in their place")
    func taken() async throws {
        let scene = try await scene()
        try await scene.amina.send(text: "one", to: .user(scene.layla.userID))
        try await scene.hub.collect(from: scene.amina)
        let items = await scene.hub.drain(scene.layla.party)
        let hash = try #require(try await scene.amina.outbox().last?.hash)
        try await forge(hash, in: scene)
        #expect(try await scene.layla.texts() == ["zero", "zero", "forged"])
        try await scene.layla.deliver(items)
        let shown = try await scene.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "zero", "one"])
        #expect(shown.last?.author == scene.amina.userID)
        #expect(shown.last?.conversation == .between(scene.amina.userID, scene.layla.userID))
    }

    @Test("keep no message away that cannot be opened either: its place becomes a hole of its author, who fills it")
    func takenAndUnreadable() async throws {
        let scene = try await scene()
        try await scene.layla.store.write { transaction in
            try transaction.run("DELETE FROM client_session WHERE user = ?", [scene.amina.userID.text])
        }
        try await scene.amina.send(text: "one", to: .user(scene.layla.userID))
        try await scene.hub.collect(from: scene.amina)
        let items = await scene.hub.drain(scene.layla.party)
        try await forge(try #require(try await scene.amina.outbox().last?.hash), in: scene)
        #expect(try await scene.layla.texts() == ["zero", "zero", "forged"])
        try await scene.layla.deliver(items)
        try await scene.layla.prepareContact()
        scene.hub.time.advance(ClientTransaction.wantPatience)
        try await scene.layla.prepareContact()
        try await scene.hub.settle(scene.all)
        let shown = try await scene.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "zero", "one"])
        #expect(shown.last?.author == scene.amina.userID)
    }
}
