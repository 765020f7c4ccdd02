import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// A second implementation, in Python, made from docs/protocol.md alone (WS, AUTH, MSG rows; D-14, D-16).
    @Suite("Foreign client")
    struct ForeignClientTests {
        @Test("it registers over pinned TLS, and its token verifies with another library")
        func login() async throws {
            let (site, node) = try await Site.started()
            let client = try await ForeignClient(site, username: "carol-f")
            let opened = try await client.ask(["op": "open", "register": true])
            #expect(opened["result"]?.string.flatMap { Timestamp(iso8601: $0) } != nil, "\(opened.canonicalText)")

            let token = try await client.call("check_token")
            let header = token["header"]?.object ?? [:]
            let claims = token["claims"]?.object ?? [:]
            #expect(header["alg"]?.string == "EdDSA")
            #expect(claims["iss"]?.string == site.id)
            #expect(claims["aud"]?.string == site.id)
            #expect(claims["sub"]?.string == site.id + ".carol-f")
            let life = (claims["exp"]?.integer ?? 0) - (claims["iat"]?.integer ?? 0)
            #expect(life > 0 && life <= 8 * 3600)

            #expect(try await client.call("publish")["one_time_pre_keys"]?.integer == 20)
            #expect(try await client.ask(["op": "replay"])["refused"]?.string == "INVALID_CREDENTIALS")
            #expect(try await client.ask(["op": "open"])["result"] != nil)
            #expect(try await client.ask(["op": "resume"])["result"] != nil)
            #expect(try await client.ask(["op": "resume", "in_frame": true])["result"] != nil)
            let forged = try await client.ask(["op": "resume", "token": "e30.e30.AAAA"])
            #expect(forged["refused"]?.string == "INVALID_CREDENTIALS")
            withExtendedLifetime(node) {}
        }

        @Test("it talks with a Swift client in a direct session, both ways, first contact by either")
        func direct() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            for text in ["Добрий день, bob 👍🏽", "second"] {
                try await carol.call("send_direct", .string(bob), .string(text))
            }
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == ["Добрий день, bob 👍🏽", "second"])

            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "The river is rising, thank you all.")
            try await tool.json("sync", "--home", "bob")
            let answer = try await carol.receive(1, seen: 0)
            #expect(answer.first?["text"]?.string == "The river is rising, thank you all.")
            #expect(answer.first?["author"]?.string == bob)
            // The session has turned: both ends go on from new ratchet keys.
            try await carol.call("send_direct", .string(bob), "third")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob").last == "third")

            // The Swift client goes first with somebody else.
            let dave = try await ForeignClient.registered(site, "dave-f")
            try await tool.json("send", "--home", "bob", "@\(site.id).dave-f", "are you there?")
            try await tool.json("send", "--home", "bob", "@\(site.id).dave-f", "hello?")
            try await tool.json("sync", "--home", "bob")
            #expect(try await dave.receive(2, seen: 0).map { $0["text"]?.string } == ["are you there?", "hello?"])
            try await dave.call("send_direct", .string(bob), "yes")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob").last == "yes")
            withExtendedLifetime(node) {}
        }

        @Test("it starts the epochs of its own channel and takes part in those of a Swift client's")
        func channels() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await carol.call("enter", "create_channel", "#field/notes", .string(site.id))
            try await carol.waitForEpoch("#field/notes", version: 1)
            try await tool.json("channel", "join", "#field/notes", "--home", "bob")
            try await tool.json("sync", "--home", "bob")
            try await carol.waitForEpoch("#field/notes", version: 2)
            try await tool.json("sync", "--home", "bob")
            for text in ["one", "two"] { try await carol.call("send_channel", "#field/notes", .string(text)) }
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == ["one", "two"])
            try await tool.json("send", "--home", "bob", "#field/notes", "three")
            try await tool.json("sync", "--home", "bob")
            #expect(try await carol.receive(1, seen: 0).first?["text"]?.string == "three")

            try await tool.json("channel", "create", "#bobs", "--home", "bob")
            try await tool.json("sync", "--home", "bob")
            try await carol.call("enter", "join_channel", "#bobs", .string(site.id))
            try await tool.json("sync", "--home", "bob")
            try await carol.waitForEpoch("#bobs", version: 2)
            try await tool.json("send", "--home", "bob", "#bobs", "welcome")
            try await tool.json("sync", "--home", "bob")
            #expect(try await carol.receive(1, seen: 1).first?["text"]?.string == "welcome")
            try await carol.call("send_channel", "#bobs", "thanks")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob").last == "thanks")
            withExtendedLifetime(node) {}
        }

        @Test("across two nodes: direct messages both ways, and a channel of the other node")
        func twoNodes() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let far = try await Site(tool, "far")
            let farNode = try await far.start()
            try await tool.json("peer", "add", far.descriptorFile, "--home", site.home)
            try await tool.json("peer", "add", site.descriptorFile, "--home", far.home)
            let bob = try await far.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await carol.call("send_direct", .string(bob), "over there?")
            try await Self.sync(tool, "bob", until: ["over there?"])
            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "right here")
            try await tool.json("sync", "--home", "bob")
            #expect(try await carol.receive(1, seen: 0).first?["text"]?.string == "right here")

            try await tool.json("channel", "create", "#far", "--home", "bob")
            try await tool.json("sync", "--home", "bob")
            try await carol.call("enter", "join_channel", "#far", .string(far.id))
            for _ in 0..<100 {
                try await tool.json("sync", "--home", "bob")
                let channels = try await tool.run("channel", "list", "--home", "bob", "--json").value().array ?? []
                if channels.first?.object?["members"]?.integer == 2 { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            try await carol.waitForEpoch("#far", version: 2)
            try await tool.json("send", "--home", "bob", "#far", "from the channel's own node")
            try await tool.json("sync", "--home", "bob")
            #expect(try await carol.receive(1, seen: 1).first?["text"]?.string == "from the channel's own node")
            try await carol.call("send_channel", "#far", "from afar")
            try await Self.sync(tool, "bob", until: ["over there?", "from afar"])
            withExtendedLifetime([node, farNode]) {}
        }

        /// Syncs until the device has just these texts, for what comes over a link comes in its own time.
        private static func sync(_ tool: Tool, _ home: String, until texts: [String]) async throws {
            for _ in 0..<200 {
                try await tool.json("sync", "--home", home)
                if try await tool.texts(home) == texts { return }
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(try await tool.texts(home) == texts)
        }

        @Test("what it has not acknowledged with received comes again at the next login, and only that")
        func redelivery() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "first")
            try await tool.json("sync", "--home", "bob")
            let first = try await carol.receive(1, seen: 0)
            try await tool.json("send", "--home", "bob", "@\(site.id).carol-f", "second")
            try await tool.json("sync", "--home", "bob")
            _ = try await carol.receive(1, seen: 1, received: false)
            let again = try await carol.call("waiting_after_login")
            let waiting = (again["messages"]?.array ?? []).compactMap(\.string)
            #expect(waiting.count == 1 && waiting.first != first.first?["id"]?.string)
            withExtendedLifetime(node) {}
        }

        @Test("altered, repeated and oversized messages are refused by name; 65,535 bytes are the last taken (MSG-17)")
        func refusals() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            let carol = try await ForeignClient.registered(site, "carol-f")
            try await carol.call("send_direct", .string(bob), "hello")
            #expect(try await carol.call("send_altered", "nothing")["repeated"]?.bool == true)
            #expect(try await carol.refusal("send_altered", "ciphertext") == "INVALID_MESSAGE_FORMAT")
            #expect(try await carol.refusal("send_altered", "signature") == "INVALID_CREDENTIALS")
            #expect(try await carol.refusal("send_altered", "missing") == "INVALID_MESSAGE_FORMAT")
            #expect(try await carol.refusal("send_altered", "author") == "INVALID_MESSAGE_FORMAT")
            #expect(try await carol.refusal("send_sized", .string(bob), 65_536) == "MESSAGE_TOO_LARGE")
            try await carol.call("send_sized", .string(bob), 65_535)
            try await carol.call("send_direct", .string(bob), "still here")
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == ["hello", "filled", "still here"])
            for (line, member) in Self.badCommands {
                let answer = try await carol.ask(["op": "raw", "text": .string(line)])["answer"]?.object
                // A login frame is answered as such, everything else by an event.
                let error = (answer?["data"]?.object ?? answer)?["error"]?.object
                #expect(error?["number"]?.integer == 2000, "\(line)")
                #expect(error?["details"]?.object?["member"]?.string == member, "\(line)")
            }
            let long = String(repeating: "x", count: 131_073)
            #expect(try await carol.ask(["op": "raw", "text": .string(long)])["close"]?.integer == 1009)
            withExtendedLifetime(node) {}
        }

        /// Commands that are none, with the member at fault.
        private static let badCommands: [(String, String?)] = [
            ("{", nil), ("[]", nil), (String(repeating: "[", count: 40), nil),
            (#"{"command":"frobnicate","data":{}}"#, "command"), (#"{"command":"send_message","data":{}}"#, "message"),
            (##"{"command":"join_channel","data":{"channel":"#Bad Name"}}"##, "command"),
            (#"{"command":"update_status","data":{"status":"asleep"}}"#, "status"),
            (#"{"command":"received","data":{"upto":-1}}"#, "upto"), (#"{"type":"auth_proof"}"#, "challenge"),
        ]
    }
}
