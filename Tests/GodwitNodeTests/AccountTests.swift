import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Accounts: kinds, policy, export and erasure (ID-13 to ID-22, GDPR-01, G-36, G-87).
@Suite("Accounts")
struct AccountTests {
    typealias Enrolled = (person: Person, client: TestClient)

    private static func history(_ reader: Enrolled, _ other: Enrolled) async throws -> [JSONObject] {
        let answer = try await reader.client.command(
            "history", ["channel": .string("@" + other.person.id.text), "limit": 200])
        return (answer["messages"]?.array ?? []).compactMap(\.object)
    }

    @Test("a blocked author is answered as any other, and the reader gets nothing (ID-17)")
    func blocked() async throws {
        try await TestNode.with { node in
            let (alice, plain) = (try await node.enrol("alice"), try await node.enrol("plain"))
            let bob = try await node.enrol("bob", preferences: ["blocked_users": [.string(alice.person.id.text)]])
            let answers = try await [bob, plain].asyncMap { reader in
                try await alice.client.send(alice.person.message(to: "@" + reader.person.id.text))
            }
            #expect(Set(answers[0].keys) == Set(answers[1].keys))
            #expect(answers.allSatisfy { $0["repeated"]?.bool == false })
            #expect(try await node.queue(for: bob.person.party).filter { $0["content"] != nil }.isEmpty)
            #expect(try await Self.history(alice, bob).count == 1)
            #expect(try await Self.history(bob, alice).isEmpty)
        }
    }

    @Test("direct messages are taken of everyone, of contacts, or of nobody, as the account says (ID-16)")
    func directMessages() async throws {
        try await TestNode.with { node in
            let alice = try await node.enrol("alice")
            let closed = try await node.enrol("closed", preferences: ["privacy": ["allow_direct_messages": false]])
            let shy = try await node.enrol("shy", preferences: ["privacy": ["allow_direct_messages": "contacts"]])
            func write(to reader: Enrolled) async throws {
                _ = try await alice.client.send(alice.person.message(to: "@" + reader.person.id.text))
            }
            for reader in [closed, shy] {
                let error = try await refusal { try await write(to: reader) }
                #expect(error.code == .insufficientPermissions)
            }
            _ = try await shy.client.send(shy.person.message(to: "@" + alice.person.id.text))
            let second = try await node.enrol("second")
            try await second.client.channel("create_channel", "#harbour", by: second.person, at: node.id)
            try await shy.client.channel("join_channel", "#harbour", by: shy.person, at: node.id)
            // Written to, and met in a channel.
            _ = try await alice.client.send(alice.person.message(to: "@" + shy.person.id.text))
            _ = try await second.client.send(second.person.message(to: "@" + shy.person.id.text))
        }
    }

    @Test("a temporary account ends after its time by uptime: sessions, keys and name are gone (ID-22)")
    func temporary() async throws {
        try await TestNode.with { node in
            let guest = try await node.enrol("guest", type: "temporary")
            try await node.node.expire(elapsed: 86_399_999)
            #expect(try await node.count("node_user WHERE user = '\(guest.person.id.text)'") == 1)
            try await node.node.expire(elapsed: 1)
            #expect(try await node.count("node_user WHERE user = '\(guest.person.id.text)'") == 0)
            #expect(guest.client.outbox.closed == 4401)
            let again = try Person("guest", at: node.id)
            let error = try await refusal { try await (await TestClient(node)).register(again, at: node) }
            #expect(error.code == .insufficientPermissions, "the name stays taken")
        }
    }

    @Test("expires shortens or lengthens a temporary account within a minute and 30 days")
    func lifetimes() throws {
        let now = TestTime.start
        func lifetime(_ milliseconds: Int64?) throws -> Int64? {
            let person = try Person("guest", at: NodeID("a7f3k9m2"))
            var file = person.identityFile().setting("account_type", "temporary")
            if let milliseconds { file["expires"] = .string(now.adding(milliseconds: milliseconds).description) }
            return try AccountPolicy(IdentityFile(file)).lifetime(at: now)
        }
        #expect(try lifetime(nil) == 86_400_000)
        #expect(try lifetime(3_600_000) == 3_600_000)
        #expect(try lifetime(-5) == 60_000)
        #expect(try lifetime(90 * 86_400_000) == 30 * 86_400_000)
    }

    @Test(
        "a newer identity file takes the place of the old one; another's, another key's or a temporary account's does not"
    )
    func update() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let guest = try await node.enrol("guest", type: "temporary")
            func renamed(_ person: Person, _ name: String) -> JSONObject {
                let identity = (person.identityFile()["identity"]?.object ?? [:]).setting("display_name", .string(name))
                return person.identityFile().setting("identity", .object(identity)).setting(
                    "signature", .string(person.identityKey.sign(object: identity, purpose: .identity).text))
            }
            try await alice.client.command(
                "update_identity", ["identity_file": .object(renamed(alice.person, "Alice"))])
            let seen = try await bob.client.command("get_user", ["user_id": .string(alice.person.id.text)])
            #expect(seen["display_name"]?.string == "Alice")
            let twin = try Person("alice", at: node.id)
            for (client, file, code) in [
                (alice.client, renamed(bob.person, "Bob"), ErrorCode.insufficientPermissions),
                (alice.client, renamed(twin, "Twin"), .invalidCredentials),
                (
                    alice.client,
                    renamed(alice.person, "A").setting(
                        "signature", .string(bob.person.identityKey.sign(object: [:], purpose: .identity).text)),
                    .invalidCredentials
                ),
                (guest.client, renamed(guest.person, "Guest"), .insufficientPermissions),
            ] {
                let error = try await refusal {
                    try await client.command("update_identity", ["identity_file": .object(file)])
                }
                #expect(error.code == code)
            }
        }
    }

    @Test("the export names every message of a user once, and nothing of other people's conversations")
    func export() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            let carol = try await node.enrol("carol")
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            var own: [String] = []
            for number in 0..<450 {
                let (author, address) =
                    number.isMultiple(of: 3)
                    ? (bob, "@" + alice.person.id.text)
                    : (alice, number.isMultiple(of: 2) ? "#harbour" : "@" + bob.person.id.text)
                let message = author.person.message(to: address, at: address == "#harbour" ? node.id : nil)
                _ = try await author.client.send(message)
                own.append(message["id"]?.string ?? "")
            }
            _ = try await carol.client.send(carol.person.message(to: "@" + bob.person.id.text))
            var lines: [JSONObject] = []
            var cursor = JSONValue.null
            repeat {
                let page = try await alice.client.command("export_data", ["cursor": cursor])
                lines += (page["lines"]?.array ?? []).compactMap(\.object)
                cursor = page["next_cursor"] ?? .null
            } while !cursor.isNull
            let messages = lines.filter { $0["kind"] == "message" }.compactMap { $0["message"]?.object?["id"]?.string }
            #expect(messages == own)
            #expect(lines.first?["identity_file"]?.object?["identity"] != nil)
            let kinds = Set(lines.compactMap { $0["kind"]?.string })
            #expect(kinds.isSuperset(of: ["account", "device", "session", "channel", "contact", "message"]))
        }
    }

    @Test("after an erasure nothing of the user is in the tables or the files but holes and member lists (GDPR-01)")
    func erasure() async throws {
        try await TestNode.with { node in
            let (alice, bob) = (try await node.enrol("alice"), try await node.enrol("bob"))
            try await alice.client.channel("create_channel", "#harbour", by: alice.person, at: node.id)
            try await bob.client.channel("join_channel", "#harbour", by: bob.person, at: node.id)
            _ = try await alice.client.send(alice.person.message(to: "#harbour", at: node.id))
            _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
            _ = try await bob.client.send(bob.person.message(to: "@" + alice.person.id.text))
            let key = Array(alice.person.identityKey.publicKey.bytes)
            #expect(node.stores(key))
            let command = alice.person.command("erase_account", [:])
            try await alice.client.command("erase_account", ["command": .object(command)])
            #expect(alice.client.outbox.closed == 4401)
            try await node.node.expire(elapsed: 1)
            let user = alice.person.id.text
            for (table, column) in [
                ("node_user", "user"), ("node_device", "user"), ("node_one_time_key", "user"),
                ("node_session", "user"), ("node_contact", "user"), ("node_contact", "contact"),
                ("node_introduction", "user"), ("node_message", "author"),
            ] {
                #expect(try await node.count("\(table) WHERE \(column) = '\(user)'") == 0, "\(table)")
            }
            // The channel goes on without her: to its oldest member.
            #expect(try await node.count("node_member WHERE user = '\(user)'") == 0)
            let owners = "node_role WHERE role = 'owner' AND user = "
            #expect(try await node.count(owners + "'\(bob.person.id.text)'") == 1)
            #expect(try await node.count(owners + "'\(user)'") == 0)
            #expect(try await node.queue(for: alice.person.party).isEmpty)
            #expect(try await node.count("node_message WHERE hole = 'erased' AND author = ''") == 1)
            #expect(try await node.count("node_message WHERE author = '\(bob.person.id.text)'") == 1)
            let error = try await refusal { try await (await TestClient(node)).register(alice.person, at: node) }
            #expect(error.code == .insufficientPermissions)
        }
    }

    @Test("a peer that knew the user is told by the home node and by nobody else (G-87)")
    func peers() async throws {
        try await TestNode.with { node in
            try await TestNode.with { other in
                try await node.add(other)
                try await other.add(node)
                let (alice, bob) = (try await node.enrol("alice"), try await other.enrol("bob"))
                _ = try await alice.client.send(alice.person.message(to: "@" + bob.person.id.text))
                try await node.settle(with: other)
                #expect(try await other.count("node_message WHERE author = '\(alice.person.id.text)'") == 1)
                let forged = bob.person.deviceKey.signed(
                    Erasure.unsigned(alice.person.id, at: TestTime.start), purpose: .erasure)
                let error = try await refusal {
                    try await bob.client.command("submit", ["object": .object(forged)])
                }
                #expect(error.code == .insufficientPermissions)
                _ = try await node.control(["request": "erase_user", "user_id": .string(alice.person.id.text)])
                try await node.settle(with: other)
                #expect(try await other.count("node_message WHERE author = '\(alice.person.id.text)'") == 0)
                #expect(try await other.count("node_user WHERE user = '\(alice.person.id.text)'") == 0)
            }
        }
    }

    @Test("a web page of another origin gets no socket; one that is allowed, and what is no page, do")
    func origins() async throws {
        try await TestNode.with { node in
            for (origin, isOpen) in [(nil, true), ("https://evil.example", false)] as [(String?, Bool)] {
                let outbox = Outbox()
                _ = await node.node.open(SocketRequest(token: nil, origin: origin), outbox: outbox)
                #expect((outbox.closed == nil) == isOpen)
            }
        }
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ body: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await body(element)) }
        return values
    }
}
