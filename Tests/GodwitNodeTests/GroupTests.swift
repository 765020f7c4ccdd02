import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Group directs (CH-10, G-49), what a channel is made with, and the directory (CH-06, CH-07).
@Suite("Group directs and the directory")
struct GroupTests {
    private static func named(_ people: [Asker]) -> JSONValue { .array(people.map { .string($0.person.id.text) }) }

    @Test("a group direct gets its name from the node, is private, and lets in those who were named")
    func group() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            let carol = try await node.asker("carol")
            let command = alice.person.command(
                "create_channel", ["pre_key": .object(alice.person.signedPreKey()), "members": Self.named([bob])])
            let answer = try await alice.client.command("create_channel", ["command": .object(command)])
            let name = try ChannelName(try #require(answer["channel"]?.string))
            #expect(name.isGroup && name.text.utf8.count == 31)
            try await eventually("the invitation") { bob.client.outbox.objects("invitation").count == 1 }
            let invitation = bob.client.outbox.objects("invitation")[0]
            #expect(invitation["inviter"]?.string == alice.person.id.text && invitation["channel"]?.string == name.text)
            #expect(try await carol.ask(carol.join(name.text), over: .socket) == .channelNotFound)
            #expect(try await bob.ask(bob.join(name.text), over: .batch) == nil)
            let opening = alice.order("set_channel", name.text, ["visibility": "public"])
            #expect(try await alice.ask(opening, over: .socket) == .invalidMessageFormat)
            // Removed, one is not invited any more.
            try await alice.must(alice.order("remove_member", name.text, alice.about(bob)))
            #expect(try await bob.ask(bob.join(name.text), over: .socket) == .channelNotFound)
        }
    }

    @Test("a client may draw the name itself; other names of that form are refused, and so are too many users")
    func names() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            let name = "#gdm-" + String(repeating: "a", count: 26)
            let data: JSONObject = ["members": Self.named([bob])]
            #expect(try await alice.ask(alice.create(name), over: .socket) == .invalidMessageFormat)
            #expect(try await alice.ask(alice.create("#gdm-short", data), over: .socket) == .invalidMessageFormat)
            let many = JSONValue.array((0..<65).map { .string("\(node.id).user-\($0)") })
            #expect(
                try await alice.ask(alice.create("#many", ["members": many]), over: .socket) == .invalidMessageFormat)
            let ghost: JSONObject = ["members": [.string("\(node.id).nobody")]]
            #expect(try await alice.ask(alice.create("#ghost", ghost), over: .batch) == .userNotFound)
            #expect(try await node.count("node_channel") == 0)
            #expect(try await alice.ask(alice.create(name, data), over: .batch) == nil)
            let info = try await alice.client.command("channel_info", ["channel": .string(name)])
            #expect(info["visibility"]?.string == "private")
        }
    }

    @Test("a channel is made with topic, description and visibility; texts have limits")
    func settings() async throws {
        try await TestNode.with { node in
            let alice = try await node.asker("alice")
            let data: JSONObject = [
                "topic": .string(String(repeating: "t", count: 256)),
                "description": .string(String(repeating: "d", count: 1_000)), "visibility": "private",
            ]
            try await alice.must(alice.create("#made", data))
            let info = try await alice.client.command("channel_info", ["channel": "#made"])
            #expect(info["topic"] == data["topic"] && info["description"] == data["description"])
            #expect(info["role"]?.string == "owner" && info["member_count"]?.integer == 1)
            for bad: JSONObject in [
                ["topic": .string(String(repeating: "t", count: 257))],
                ["description": .string(String(repeating: "d", count: 1_001))], ["visibility": "secret"],
                ["topic": "a\u{7}b"], ["topic": 5],
            ] {
                #expect(
                    try await alice.ask(alice.order("set_channel", "#made", bad), over: .socket)
                        == .invalidMessageFormat)
            }
            let version = info["version"]?.integer
            // What changes nothing is no change.
            try await alice.must(alice.order("set_channel", "#made", ["visibility": "private"]))
            #expect(try await alice.client.command("channel_info", ["channel": "#made"])["version"]?.integer == version)
            try await alice.must(alice.order("set_channel", "#made", ["topic": ""]))
            try await eventually("the event (WS-08, CH-24)") {
                alice.client.outbox.events("channel_update").last?["action"]?.string == "settings_changed"
            }
            let details = alice.client.outbox.events("channel_update").last?["details"]?.object
            #expect(details?["topic"]?.string == "" && details?["visibility"]?.string == "private")
        }
    }

    @Test("the directory shows public channels and one's own, page by page; nothing of private ones")
    func directory() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.asker("alice"), try await node.asker("bob"))
            for number in 0..<5 {
                try await alice.must(alice.create("#c\(number)", ["visibility": number == 2 ? "private" : "public"]))
            }
            func all(_ asker: Asker, by limit: Int64) async throws -> [JSONObject] {
                var found: [JSONObject] = []
                var query: JSONObject = ["limit": .integer(limit)]
                while true {
                    let page = try await asker.client.command("list_channels", query)
                    let channels = page["channels"]?.array?.compactMap(\.object) ?? []
                    #expect(channels.count <= limit)
                    found += channels
                    guard let next = page["next"] else { return found }
                    query["after"] = next
                }
            }
            for limit in [1, 2, 5, 100] as [Int64] {
                #expect(
                    try await all(alice, by: limit).compactMap { $0["id"]?.string } == [
                        "#c0", "#c1", "#c2", "#c3", "#c4",
                    ])
                #expect(try await all(bob, by: limit).compactMap { $0["id"]?.string } == ["#c0", "#c1", "#c3", "#c4"])
            }
            #expect(try await all(alice, by: 5).allSatisfy { $0["role"]?.string == "owner" })
            #expect(try await all(bob, by: 5).allSatisfy { $0["role"] == nil && $0["member_count"]?.integer == 1 })
            for limit in [0, 101] as [Int64] {
                let query: JSONObject = ["limit": .integer(limit)]
                #expect(
                    try await refusal { try await bob.client.command("list_channels", query) }.code
                        == .invalidMessageFormat)
            }
            #expect(
                try await refusal { try await bob.client.command("channel_info", ["channel": "#c2"]) }.code
                    == .channelNotFound)
        }
    }
}
