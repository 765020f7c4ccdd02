import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// "What bad input gets", at a person's own device.
    @Suite("Bad input")
    struct BadInputTests {
        @Test("a wrong passphrase, an altered, a cut and a foreign identity file are refused, each by name (ID rows)")
        func identity() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("alice-r", home: "alice")
            try tool.scratch.write("incorrect horse\n", to: "wrong")
            let wrong = try await tool.run("register", "--home", "alice", "--passphrase-file", "wrong", "--json")
            #expect(wrong.code == 77)
            #expect(try wrong.error()["number"]?.integer == 1000)
            let environment = ["GODWIT_PASSPHRASE": "correct horse battery staple"]
            let right = try await tool.run("register", "--home", "alice", environment: environment)
            #expect(right.code == 0, "\(right)")
            #expect(try await tool.run("register", "--home", "alice").code == 77, "no terminal to ask at")

            let file = "alice/client/identity.json"
            try tool.scratch.edit(file, "\"created\":\"20", "\"created\":\"19", as: "altered.json")
            let altered = try await tool.run("identity", "verify", "altered.json", "--json")
            #expect(altered.code == 77)
            #expect(try altered.error()["details"]?.object?["identity_signature"]?.bool == false)
            try tool.scratch.edit(file, "alice-r", "malice", as: "other.json")
            #expect(try await tool.run("identity", "verify", "other.json").code == 77)
            try tool.scratch.edit(file, "\"username\":\"alice-r\"", "\"username\":\"malice\"", as: "torn.json")
            #expect(try await tool.run("identity", "verify", "torn.json").code == 65)
            try tool.scratch.write(Array(try tool.scratch.bytes(file).dropLast(30)), to: "cut.json")
            #expect(try await tool.run("identity", "verify", "cut.json").code == 65)
            #expect(try await tool.run("identity", "verify", "nothing.json").code == 65)
            #expect(try await tool.json("identity", "verify", file)["valid"]?.bool == true)
            try await Self.badNames(tool, site)
            withExtendedLifetime(node) {}
        }

        private static func badNames(_ tool: Tool, _ site: Site) async throws {
            for name in ["Al", "al", "-alice", "alice-", "alice_r", String(repeating: "a", count: 65)] {
                let made = try await tool.run(
                    "identity", "create", "--home", "bad", "--node", site.descriptorFile, "--passphrase-file",
                    "passphrase", "--", name)
                #expect(made.code == 65, "\(name): \(made)")
            }
            let longest = String(repeating: "a", count: 64)
            #expect(
                try await tool.json(
                    "identity", "create", longest, "--home", "long", "--node", site.descriptorFile, "--passphrase-file",
                    "passphrase")["user_id"]?.string == site.id + "." + longest)
        }

        @Test("bad names of channels and users are refused before anything is queued (004 §9.1)")
        func names() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let tooLong = "#" + String(repeating: "a", count: 100)
            for name in ["general", "#", "#Bad Name", "#a//b", "#a/b/c/d/e/f", tooLong] {
                for command in [["channel", "create"], ["channel", "join"]] {
                    let outcome = try await tool.start(command + ["--home", "alice", "--json", "--", name]).ended()
                    #expect(outcome.code == 65, "\(name): \(outcome)")
                    #expect(try outcome.error()["number"]?.integer == 2000)
                }
                #expect(try await tool.run("send", "--home", "alice", name, "hi").code == 65, "\(name)")
            }
            #expect(try await tool.run("send", "--home", "alice", "#alone", "").code == 65, "an empty text")
            for (name, code) in [("@zz", 2000), ("#not-joined", 2002), ("@" + alice, 2003)] {
                let outcome = try await tool.run("send", "--home", "alice", name, "hi", "--json")
                #expect(outcome.code == 65, "\(name)")
                #expect(try outcome.error()["number"]?.integer == Int64(code), "\(name)")
            }
            let longest = "#a/b/c/d/" + String(repeating: "e", count: 91)
            try await tool.json("channel", "create", longest, "--home", "alice")
            let synced = try await tool.json("sync", "--home", "alice")
            #expect(synced["waiting"]?.integer == 0)
            let channels = try await tool.run("channel", "list", "--home", "alice", "--json").value().array ?? []
            #expect(channels.compactMap { $0.object?["channel"]?.string } == [longest])
            #expect(channels.first?.object?["state"]?.string == "member")
            withExtendedLifetime(node) {}
        }

        @Test(
            "the largest text is taken, one more byte is refused; what is not UTF-8 is refused, not repaired (MSG-17)")
        func texts() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            let alice = try await site.enrol("alice-r", home: "alice")
            // 65,536 bytes of compact content: a tag, a length of three bytes, and the text.
            let largest = [UInt8](repeating: UInt8(ascii: "x"), count: 65_532)
            let refused = try await tool.run(
                "send", "--home", "alice", "@" + bob, "-", "--json", input: largest + [UInt8(ascii: "y")])
            #expect(refused.code == 65)
            #expect(try refused.error()["number"]?.integer == 2001)
            #expect(try refused.error()["details"]?.object?["actual_size"]?.integer == 65_537)
            let broken = try await tool.run(
                "send", "--home", "alice", "@" + bob, "-", "--json", input: [0x61, 0xFF, 0x62])
            #expect(broken.code == 65)
            #expect(try broken.error()["number"]?.integer == 2000)
            #expect(try await tool.run("send", "--home", "alice", "@" + bob, "-", input: largest).code == 0)
            let nul = "with NUL \u{0} and line\nends\r\n and cafe\u{301}"
            #expect(try await tool.run("send", "--home", "alice", "@" + bob, "-", input: Array(nul.utf8)).code == 0)
            #expect(try await tool.json("sync", "--home", "alice")["waiting"]?.integer == 0)
            try await tool.json("sync", "--home", "bob")
            let read = try await tool.read("bob")
            #expect(read.map { Array(($0["text"]?.string ?? "").utf8) } == [largest, Array(nul.utf8)])
            #expect(read.allSatisfy { $0["author"]?.string == alice })
            withExtendedLifetime(node) {}
        }

        @Test("a message to nobody is refused at the next sync, which says so")
        func nobody() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("alice-r", home: "alice")
            let sent = try await tool.json("send", "--home", "alice", "@\(site.id).nobody-there", "hello?")
            #expect(sent["state"]?.string == "waiting_keys")
            let synced = try await tool.json("sync", "--home", "alice")
            let refused = (synced["refused"]?.array ?? []).compactMap(\.object)
            #expect(refused.map { $0["code"]?.string } == ["USER_NOT_FOUND"], "\(synced.canonicalText)")
            #expect(refused.first?["row"] == sent["row"])
            #expect(try await tool.json("sync", "--home", "alice")["refused"] == [], "told once")
            withExtendedLifetime(node) {}
        }

        @Test("with the node away a sync ends with 69 and the message stays; it goes when the node is back")
        func nodeAway() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let bob = try await site.enrol("bob-s", home: "bob")
            _ = try await site.enrol("alice-r", home: "alice")
            node.kill(SIGKILL)
            _ = try await node.ended()
            let sent = try await tool.json("send", "--home", "alice", "@" + bob, "kept")
            #expect(sent["state"]?.string == "waiting_keys")
            for home in ["alice", "bob"] {
                let away = try await tool.run("sync", "--home", home, "--json")
                #expect(away.code == 69)
                #expect(try away.error()["number"]?.integer == 3000)
                #expect(try away.error()["hint"]?.string?.isEmpty == false)
            }
            let again = try await site.start()
            #expect(try await tool.json("sync", "--home", "alice")["waiting"]?.integer == 0)
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == ["kept"])
            withExtendedLifetime(again) {}
        }

        @Test("a node that shows another key than the pinned one gets nothing, and the command says so")
        func wrongPin() async throws {
            let tool = try Tool()
            let (own, other) = (try await Site(tool, "own"), try await Site(tool, "other"))
            let node = try await other.start()
            try tool.scratch.write("correct horse battery staple\n", to: "passphrase")
            try await tool.json(
                "identity", "create", "alice-r", "--home", "alice", "--node", own.descriptorFile, "--endpoint",
                "https://127.0.0.1:\(other.port)", "--passphrase-file", "passphrase")
            for line in [["register", "--passphrase-file", "passphrase"], ["sync"]] {
                let outcome = try await tool.start(line + ["--home", "alice", "--json"]).ended()
                #expect(outcome.code == 77, "\(line): \(outcome)")
                #expect(try outcome.error()["number"]?.integer == 1000)
            }
            #expect(try await tool.json("node", "status", "--home", other.home)["users"]?.integer == 0)
            withExtendedLifetime(node) {}
        }
    }
}
