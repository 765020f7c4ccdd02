import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Two boxes of one user with real processes (AUTH-15, D-13, G-11).
    @Suite("Several devices at the command line")
    struct DeviceCommandTests {
        private static func settle(_ tool: Tool, _ homes: [String]) async throws {
            for _ in 0..<4 {
                for home in homes { try await tool.json("sync", "--home", home) }
            }
        }

        private static func add(_ site: Site, to first: String, home: String, _ more: String...) async throws -> String
        {
            let scratch = site.tool.scratch
            try scratch.write(try scratch.bytes(first + "/client/identity.json"), to: first + ".identity.json")
            let arguments = [
                "device", "add", "--home", home, "--identity", first + ".identity.json", "--node", site.descriptorFile,
                "--passphrase-file", "passphrase",
            ]
            let added = try await site.tool.start(arguments + more + ["--json"]).ended()
            guard added.code == 0, let device = added.objects.first?["device"]?.string else {
                throw Place.Missing(description: "device add: \(added)")
            }
            return device
        }

        private static func texts(_ tool: Tool, _ home: String, _ other: String) async throws -> [String?] {
            let shown = try await tool.run("history", other, "--home", home, "--json")
            guard shown.code == 0 else { throw Place.Missing(description: "history: \(shown)") }
            return shown.objects.map { $0["text"]?.string }
        }

        @Test("a second box shows the conversations, is read and written on, and after its removal gets nothing more")
        func boxes() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("channel", "create", "#crew", "--home", "alice")
            try await tool.json("send", "@" + bob, "before", "--home", "alice")
            try await Self.settle(tool, ["alice", "bob"])

            let second = try await Self.add(site, to: "alice", home: "alice2", "--history")
            let homes = ["alice", "alice2", "bob"]
            try await Self.settle(tool, homes)
            #expect(try await Self.texts(tool, "alice2", "@" + bob) == ["before"])
            let synced = try await tool.run("history", "@" + bob, "--home", "alice2", "--json")
            #expect(synced.objects.first?["synced"]?.bool == true)
            let devices = try await tool.run("device", "list", "--home", "alice", "--json")
            let listed = devices.objects.map { $0["device"]?.string ?? "" }
            #expect(listed.count == 2 && listed.contains(second))

            try await tool.json("send", "@" + alice, "to both", "--home", "bob")
            try await tool.json("send", "@" + bob, "from the second", "--home", "alice2")
            try await tool.json("send", "#crew", "in the channel", "--home", "alice")
            try await Self.settle(tool, homes)
            for home in homes {
                let shown = try await Self.texts(tool, home, "@" + (home == "bob" ? alice : bob))
                #expect(Set(shown) == ["before", "to both", "from the second"])
            }
            #expect(try await Self.texts(tool, "alice2", "#crew") == ["in the channel"])

            let removed = try await tool.run(
                "device", "remove", second, "--home", "alice", "--passphrase-file", "passphrase", "--json")
            #expect(removed.code == 0 && removed.objects.first?["removed"]?.string == second)
            try await Self.settle(tool, ["alice", "bob"])
            try await tool.json("send", "@" + alice, "not for the lost box", "--home", "bob")
            try await tool.json("send", "#crew", "nor this", "--home", "alice")
            try await Self.settle(tool, ["alice", "bob"])
            #expect(try await Self.texts(tool, "alice", "@" + bob).last == "not for the lost box")
            let refused = try await tool.run("sync", "--home", "alice2", "--json")
            #expect(refused.code == 77)
            #expect(try await Self.texts(tool, "alice2", "@" + bob).count == 3)
            withExtendedLifetime(node) {}
        }

        @Test("what cannot be is refused with a hint: a wrong passphrase, an unknown device, this device, a full home")
        func refusals() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("alice-r", home: "alice")
            try tool.scratch.write("wrong\n", to: "other")
            let own = try await tool.json("device", "list", "--home", "alice")["device"]?.string ?? ""
            let identity = "alice/client/identity.json"
            for (arguments, code) in [
                (["device", "remove", "aaaaaaaa", "--passphrase-file", "passphrase"], 65),
                (["device", "remove", own, "--passphrase-file", "passphrase"], 77),
                (["device", "remove", own, "--passphrase-file", "other"], 77),
                (["device", "sync"], 65), (["device", "sync", "--limit", "0"], 65),
                (
                    [
                        "device", "add", "--identity", identity, "--node", site.descriptorFile, "--passphrase-file",
                        "passphrase",
                    ], 65
                ),
            ] {
                let outcome = try await tool.start(arguments + ["--home", "alice", "--json"]).ended()
                #expect(Int(outcome.code) == code, "\(arguments)")
                #expect(try outcome.error()["hint"]?.string?.isEmpty == false, "\(arguments)")
            }
            withExtendedLifetime(node) {}
        }
    }
}
