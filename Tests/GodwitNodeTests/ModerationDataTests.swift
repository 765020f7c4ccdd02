import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Held messages are data of their authors (GDPR-01, G-87, G-88).
@Suite("Held messages as data of users")
struct ModerationDataTests {
    /// What an export of a user says of held messages, over all its pages.
    private static func held(_ user: Asker) async throws -> [JSONObject] {
        var (lines, cursor): ([JSONObject], Int64?) = ([], nil)
        repeat {
            let data: JSONObject = cursor.map { ["cursor": .integer($0)] } ?? [:]
            let page = try await user.client.command("export_data", data)
            lines += page["lines"]?.array?.compactMap(\.object) ?? []
            cursor = page["next_cursor"]?.integer
        } while cursor != nil
        return lines.filter { $0["kind"]?.string == "held_message" }
    }

    @Test("an export has what is held of its user, with the sealed text")
    func export() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(2)
            let held = try await Self.held(scene.target)
            #expect(held.compactMap { $0["message"]?.object } == texts)
            #expect(held.allSatisfy { $0["channel"] == "#room" && $0["received_at"] != nil })
            #expect(try await Self.held(scene.room[.owner]).isEmpty)
        }
    }

    @Test("an erased account leaves nothing of it held, nor when it was a member")
    func erasure() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(1)
            let target = scene.target
            try await target.must(target.person.command("erase_account", [:]))
            #expect(try await node.count("node_moderated") == 0)
            #expect(try await node.count("node_departure") == 0)
            try await node.pass(1)
            let text = try #require(texts[0]["content"]?.object?["ciphertext"]?.string)
            #expect(!node.stores(Array(text.utf8)))
        }
    }

    @Test("nothing is held for longer than the node or its author keeps messages; who keeps none is refused at once")
    func retention() async throws {
        let node = try await TestNode(retention: try Retention("2h"))
        defer { node.remove() }
        let scene = try await BannedScene(node)
        let text = scene.text()
        let next = scene.text()
        try await scene.ban()
        #expect(try await scene.target.send(text, over: .batch) == nil)
        try await node.pass(7_199_999)
        #expect(try await node.count("node_moderated") == 1)
        try await node.pass(1)
        #expect(try await node.count("node_moderated") == 0)
        #expect(try await scene.refusal(of: text)?.details["reason"]?.string == "expired")
        let file = scene.target.person.identityFile().setting(
            "preferences", ["privacy": ["message_retention": "none"]])
        try await scene.target.stayOnline()
        try await scene.target.client.command("update_identity", ["identity_file": .object(file)])
        #expect(try await scene.target.send(next, over: .batch) == .insufficientPermissions)
        #expect(try await scene.refusal(of: next)?.details["reason"]?.string == "not_kept")
    }
}
