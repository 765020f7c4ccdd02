import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Presence, typing and read markers (WS-06, WS-07, WS-12, SEC-10, ID-16, ID-17): who learns what, and what never waits
/// twice.
@Suite("Presence")
struct PresenceTests {
    typealias Enrolled = (person: Person, client: TestClient)

    private static func statuses(_ reader: Enrolled, of user: Enrolled) -> [String] {
        reader.client.outbox.events("user_status").filter { $0["user_id"]?.string == user.person.id.text }
            .compactMap { $0["status"]?.string }
    }

    private static func write(_ author: Enrolled, to reader: Enrolled) async throws {
        _ = try await author.client.send(author.person.message(to: "@" + reader.person.id.text))
    }

    @Test("members of a channel see each other come and go")
    func comeAndGo() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            try await bob.client.channel("join_channel", "#harbour", by: bob.person, at: node.id)
            await alice.client.session.closed()
            try await eventually("that alice has gone") { Self.statuses(bob, of: alice) == ["offline"] }
            try await (await TestClient(node)).prove(alice.person, at: node)
            try await eventually("that alice is back") { Self.statuses(bob, of: alice) == ["offline", "online"] }
        }
    }

    @Test("whoever hides the status, has blocked the other or is blocked is seen by nobody concerned")
    func hidden() async throws {
        try await TestNode.with { node in
            let hider = try await node.enrol("hider", preferences: ["privacy": ["show_online_status": false]])
            let bob = try await node.enrol("bob")
            let blocker = try await node.enrol(
                "blocker", preferences: ["blocked_users": [.string(bob.person.id.text)]])
            let plain = try await node.enrol("plain")
            for author in [hider, blocker, plain] { try await Self.write(author, to: bob) }
            try await Self.write(bob, to: blocker)
            for user in [hider, blocker, plain, bob] {
                try await user.client.command("update_status", ["status": "away"])
            }
            #expect(Self.statuses(bob, of: hider).isEmpty && Self.statuses(bob, of: blocker).isEmpty)
            #expect(Self.statuses(bob, of: plain) == ["away"])
            #expect(Self.statuses(blocker, of: bob).isEmpty)
        }
    }

    @Test(
        "get_user answers for one who has blocked the asker in the words for an unknown one, and hides the hidden status"
    )
    func profiles() async throws {
        try await TestNode.with { node in
            let bob = try await node.enrol("bob")
            let blocker = try await node.enrol(
                "blocker", preferences: ["blocked_users": [.string(bob.person.id.text)]])
            let hider = try await node.enrol("hider", preferences: ["privacy": ["show_online_status": false]])
            let stranger = try await node.enrol("stranger")
            let friend = try await node.enrol("friend")
            try await Self.write(friend, to: bob)
            try await Self.write(hider, to: bob)
            func ask(_ user: UserID) async throws -> JSONObject {
                try await bob.client.command("get_user", ["user_id": .string(user.text)])
            }
            func answer(_ name: String, _ body: () async throws -> JSONObject) async throws -> JSONObject {
                let error = try await refusal { try await body() }
                var fields = error.object(at: node.time.now())
                fields = try JSONObject.parse(
                    Array(String(decoding: fields.canonicalBytes(), as: UTF8.self).replacing(name, with: "NAME").utf8))
                return fields
            }
            let nobody = UserID(node: node.id, username: try Username("nobody"))
            let unknown = try await answer("nobody") { try await ask(nobody) }
            let blocked = try await answer("blocker") { try await ask(blocker.person.id) }
            #expect(unknown == blocked)
            // Hidden and unacquainted users look alike: offline, never seen.
            for user in [hider, stranger] {
                let seen = try await ask(user.person.id)
                #expect(seen["status"]?.string == "offline" && seen["last_seen"]?.isNull == true)
                #expect(seen["display_name"]?.string == "A person")
            }
            #expect(try await ask(friend.person.id)["status"]?.string == "online")
            await friend.client.session.closed()
            try await eventually("when the friend was here last") {
                let seen = try await ask(friend.person.id)
                return seen["status"]?.string == "offline" && seen["last_seen"]?.string != nil
            }
        }
    }

    @Test("typing reaches the others of the conversation, is never queued here, and needs membership")
    func typing() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let carol = try await node.enrol("carol")
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            try await bob.client.channel("join_channel", "#harbour", by: bob.person, at: node.id)
            try await alice.client.command("typing", ["channel": "#harbour", "typing": true])
            try await alice.client.command(
                "typing", ["channel": .string("@" + bob.person.id.text), "typing": false])
            let events = bob.client.outbox.events("typing")
            #expect(events.map { $0["channel"]?.string } == ["#harbour", "@" + alice.person.id.text])
            #expect(events.map { $0["typing"]?.bool } == [true, false])
            #expect(alice.client.outbox.events("typing").isEmpty && carol.client.outbox.events("typing").isEmpty)
            let error = try await refusal {
                try await carol.client.command("typing", ["channel": "#harbour", "typing": true])
            }
            #expect(error.code == .channelNotFound)
        }
    }

    @Test("for another node only the last status and the last word on typing wait, in the class of live links")
    func compaction() async throws {
        try await TestNode.with { node in
            try await TestNode.with { other in
                try await node.add(other, profile: "broadband")
                try await other.add(node, profile: "broadband")
                let (alice, bob) = (try await node.enrol("alice"), try await other.enrol("bob"))
                try await Self.write(alice, to: bob)
                try await node.settle(with: other)
                let address = JSONValue.string("@" + bob.person.id.text)
                for number in 0..<5 {
                    node.time.advance(milliseconds: 1_000)
                    try await alice.client.command(
                        "update_status", ["status": "away", "message": .string("\(number)")])
                    try await alice.client.command(
                        "typing", ["channel": address, "typing": .bool(number.isMultiple(of: 2))])
                }
                let waiting = try await node.queue(for: .node(other.id))
                #expect(Set(waiting.compactMap { $0["type"]?.string }) == ["presence", "typing"] && waiting.count == 2)
                #expect(waiting.first { $0["type"] == "presence" }?["message"]?.string == "4")
                let classes = try await node.node.core.spool.read { try $0.queues(for: .node(other.id)) }
                #expect(classes.keys.allSatisfy { $0 == .bulk })
                try await node.settle(with: other)
                #expect(Self.statuses(bob, of: alice) == ["away"])
                #expect(bob.client.outbox.events("typing").map { $0["typing"]?.bool } == [true])
            }
        }
    }

    @Test("presence of a user is taken from the user's home node only")
    func forged() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let bob = try await node.enrol("bob")
            try await Self.write(bob, to: alice)
            let notice = try PresenceNotice(
                userID: bob.person.id, status: .away, message: nil, lastSeen: node.time.now())
            let error = try await refusal {
                try await alice.client.command("submit", ["object": .object(notice.object)])
            }
            #expect(error.code == .insufficientPermissions)
            #expect(throws: ProtocolError.self) {
                try PresenceNotice(
                    userID: bob.person.id, status: .away, message: String(repeating: "x", count: 141),
                    lastSeen: node.time.now())
            }
        }
    }

    @Test("a read marker reaches the user's other devices, and of what waits only the newest")
    func readMarkers() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let tablet = try Person("bob", at: node.id)
            try await bob.client.command(
                "publish_keys",
                bob.person.keys().setting("device_list", .object(bob.person.deviceList(version: 2, with: [tablet]))))
            let party = Party.device(bob.person.id, tablet.device)
            for _ in 0..<3 {
                let message = alice.person.message(to: "@" + bob.person.id.text)
                _ = try await alice.client.send(message)
                try await bob.client.command(
                    "mark_read",
                    [
                        "channel": .string("@" + alice.person.id.text),
                        "upto": .string(try Message(message).hash.base64),
                    ])
                let markers = try await node.queue(for: party).filter { $0["type"]?.string == "read_marker" }
                #expect(markers.map { $0["upto"]?.string } == [try Message(message).hash.base64])
            }
            #expect(bob.client.outbox.objects("read_marker").isEmpty)
        }
    }
}
