import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Pages of a conversation's history (REST-05, REST-06, G-43, G-47) and what is missing in them (D-3).
@Suite("History")
struct HistoryTests {
    private static func page(
        _ client: TestClient, _ channel: String, _ data: JSONObject = [:]
    ) async throws -> (messages: [JSONObject], more: Bool, next: JSONValue) {
        let answer = try await client.command("history", data.setting("channel", .string(channel)))
        return (
            (answer["messages"]?.array ?? []).compactMap(\.object), answer["has_more"]?.bool ?? false,
            answer["next_cursor"] ?? .null
        )
    }

    private static func ids(_ messages: [JSONObject]) -> [String] {
        messages.compactMap { ($0["message_id"] ?? $0["message"]?.object?["id"])?.string }
    }

    /// What a page holds, newest first, computed from a plain list of ids in order of arrival.
    private static func model(_ all: [String], before: Int?, after: Int?, limit: Int) -> (ids: [String], more: Bool) {
        let (low, high) = (after ?? -1, before ?? all.count)
        guard low + 1 < high else { return ([], false) }
        let range = Array(all[(low + 1)..<high])
        let chosen = after != nil && before == nil ? range.prefix(limit) : range.suffix(limit)
        return (Array(chosen.reversed()), chosen.count < range.count)
    }

    @Test(
        "pages over random messages and deletions are those of a plain list, whichever way they are asked for",
        arguments: [11, 12, 13] as [UInt64])
    func paging(_ seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let carol = try await node.enrol("carol")
            var sent: [JSONObject] = []
            for _ in 0..<60 {
                let fromAlice = Bool.random(using: &random)
                let (author, reader) = fromAlice ? (alice, bob) : (bob, alice)
                let message = author.person.message(to: "@" + reader.person.id.text)
                _ = try await author.client.send(message)
                sent.append(message)
                // Other conversations take arrival numbers in between.
                if Bool.random(using: &random) {
                    _ = try await alice.client.send(alice.person.message(to: "@" + carol.person.id.text))
                }
                if Int.random(in: 0..<6, using: &random) == 0, let victim = sent.randomElement(using: &random) {
                    let owner = victim["author"]?.string == alice.person.id.text ? alice : bob
                    try await owner.client.command(
                        "delete_messages", ["deletion": .object(try owner.person.deletion([victim]))])
                }
            }
            let all = sent.compactMap { $0["id"]?.string }
            let address = "@" + bob.person.id.text
            let whole = try await Self.page(alice.client, address, ["limit": 200])
            #expect(Self.ids(whole.messages) == all.reversed())
            let arrivals = Array(whole.messages.compactMap { $0["arrival"]?.integer }.reversed())
            #expect(arrivals == arrivals.sorted() && Set(arrivals).count == all.count)
            for _ in 0..<60 {
                let before = Bool.random(using: &random) ? Int.random(in: 0..<all.count, using: &random) : nil
                let after = Bool.random(using: &random) ? Int.random(in: 0..<all.count, using: &random) : nil
                let limit = Int.random(in: 1...20, using: &random)
                var data: JSONObject = ["limit": .integer(Int64(limit))]
                if let before { data["before"] = .string(all[before]) }
                if let after { data["after"] = .integer(arrivals[after]) }
                let page = try await Self.page(bob.client, "@" + alice.person.id.text, data)
                let expected = Self.model(all, before: before, after: after, limit: limit)
                #expect(Self.ids(page.messages) == expected.ids, "seed \(seed)")
                #expect(page.more == expected.more && page.next.isNull != expected.more)
            }
        }
    }

    @Test("following next_cursor reaches every message once, to the end (REST-06)", arguments: [1, 7, 50, 200])
    func cursor(_ limit: Int64) async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            var sent: [String] = []
            for _ in 0..<57 {
                let message = alice.person.message(to: "@" + bob.person.id.text)
                _ = try await alice.client.send(message)
                sent.append(message["id"]?.string ?? "")
            }
            for (way, expected) in [("before", Array(sent.reversed())), ("after", sent)] {
                var seen: [String] = []
                var next: JSONValue = way == "before" ? .null : .integer(0)
                while true {
                    let page = try await Self.page(
                        bob.client, "@" + alice.person.id.text, ["limit": .integer(limit), way: next])
                    seen += way == "before" ? Self.ids(page.messages) : Self.ids(page.messages).reversed()
                    next = page.next
                    guard page.more else { break }
                }
                #expect(seen == expected && next.isNull)
            }
        }
    }

    @Test("50 messages come unless said otherwise, 200 at most, and never more than a socket takes")
    func limits() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let address = "@" + bob.person.id.text
            for _ in 0..<51 { _ = try await alice.client.send(alice.person.message(to: address)) }
            #expect(try await Self.page(alice.client, address).messages.count == 50)
            for bad in [0, 201] as [JSONValue] {
                let error = try await refusal { try await Self.page(alice.client, address, ["limit": bad]) }
                #expect(error.details["member"]?.string == "limit")
            }
            for _ in 0..<4 { _ = try await alice.client.send(alice.person.message(to: address, ciphertext: 40_000)) }
            let answer = try await alice.client.say([
                "command": "history", "data": ["channel": .string(address), "limit": 200], "request_id": "r",
            ])
            #expect(answer.canonicalBytes().count <= SocketLimits.messageMax)
            let page = try await Self.page(alice.client, address, ["limit": 200])
            #expect(page.more && page.messages.count == 2)
        }
    }

    @Test("a deleted message is a hole with its hashes, and the chain can still be followed over it (D-3)")
    func hole() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let address = "@" + bob.person.id.text
            let sent = (0..<3).map { _ in alice.person.message(to: address) }
            for message in sent { _ = try await alice.client.send(message) }
            try await alice.client.command(
                "delete_messages", ["deletion": .object(try alice.person.deletion([sent[1]]))])
            let page = try await Self.page(bob.client, "@" + alice.person.id.text)
            let hole = try #require(page.messages.dropFirst().first)
            let message = try Message(sent[1])
            #expect(hole["hole"]?.string == "deleted" && hole["message"] == nil)
            #expect(hole["deleted_by"]?.string == alice.person.id.text)
            let bodyHash = try #require(hole["body_hash"]?.string.flatMap(Base64.decode))
            #expect(MessageHash(linking: bodyHash, after: message.previous).base64 == hole["hash"]?.string)
            #expect(page.messages.first?["message"]?.object?["prev"] == hole["hash"])
            #expect(page.messages.allSatisfy { $0["follows_gap"] == nil })
        }
    }

    @Test("a message whose predecessor never came is marked")
    func gap() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let address = "@" + bob.person.id.text
            _ = alice.person.message(to: address)
            let second = alice.person.message(to: address)
            _ = try await alice.client.send(second)
            _ = try await alice.client.send(alice.person.message(to: address))
            let page = try await Self.page(bob.client, "@" + alice.person.id.text)
            #expect(page.messages.map { $0["follows_gap"]?.bool } == [nil, true])
        }
    }

    @Test("a member reads a channel from the join on, a stranger not at all")
    func channel() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            let early = alice.person.message(to: "#harbour", at: node.id)
            _ = try await alice.client.send(early)
            let bob = try await node.enrol("bob")
            #expect(try await refusal { try await Self.page(bob.client, "#harbour") }.code == .channelNotFound)
            #expect(try await refusal { try await Self.page(bob.client, "#nowhere") }.code == .channelNotFound)
            try await bob.client.channel("join_channel", "#harbour", by: bob.person, at: node.id)
            #expect(try await Self.page(bob.client, "#harbour").messages.isEmpty)
            let late = alice.person.message(to: "#harbour", at: node.id)
            _ = try await alice.client.send(late)
            #expect(Self.ids(try await Self.page(bob.client, "#harbour").messages) == [late["id"]?.string ?? ""])
            #expect(try await Self.page(alice.client, "#harbour").messages.count == 2)
            let error = try await refusal {
                try await Self.page(bob.client, "#harbour", ["before": "msg_abcdefghijklmnop"])
            }
            #expect(error.details["member"]?.string == "before")
        }
    }
}
