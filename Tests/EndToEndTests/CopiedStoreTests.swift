import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Somebody copies a device's card, with real processes (D-6, D-8).
    @Suite("A copy of a device")
    struct CopiedStoreTests {
        @Test("whoever owns a device learns that a copy of it was in use, with what to do, and still loses no message")
        func copy() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("send", "@" + bob, "before", "--home", "alice")
            for home in ["alice", "bob", "alice", "bob"] { try await tool.json("sync", "--home", home) }

            let path = tool.scratch.path
            try FileManager.default.copyItem(atPath: path + "/alice", toPath: path + "/thief")
            try await tool.json("send", "@" + bob, "from the copy", "--home", "thief")
            try await tool.json("sync", "--home", "thief")
            try await tool.json("send", "@" + bob, "from alice", "--home", "alice")
            var notices: [JSONObject] = []
            for _ in 0..<3 {
                let synced = try await tool.run("sync", "--home", "alice", "--json")
                notices += synced.objects.flatMap { ($0["notices"]?.array ?? []).compactMap(\.object) }
            }
            #expect(notices.map { $0["code"]?.string } == ["copied"])

            let warned = try await tool.run("warnings", "--code", "copied", "--home", "alice", "--json")
            #expect(warned.code == 0 && warned.objects == notices)
            #expect(notices.first?["times"]?.integer == 1)
            #expect(notices.first?["hint"]?.string?.contains("godwit device remove") == true)
            let text = try await tool.run("warnings", "--home", "alice")
            #expect(text.code == 0 && text.out.contains("  copied  "))
            for home in ["thief", "bob"] {
                let none = try await tool.run("warnings", "--code", "copied", "--home", home)
                #expect(none.code == 0 && none.out == "There are none.\n")
            }
            // Both have used one key, so what comes second is asked for.
            for home in ["bob", "alice", "bob"] { try await tool.json("sync", "--home", home) }
            let shown = try await tool.run("history", "@" + alice, "--home", "bob", "--json")
            #expect(Set(shown.objects.map { $0["text"]?.string }) == ["before", "from the copy", "from alice"])
            withExtendedLifetime(node) {}
        }

        @Test("commands that a copy has overtaken go again where that can be, and else their user hears of them")
        func commands() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-c", home: "alice")
            func sync(_ home: String) async throws {
                for _ in 0..<4 { try await tool.json("sync", "--home", home) }
            }
            func topic() async throws -> String? {
                try await tool.json("channel", "info", "#common", "--home", "alice")["topic"]?.string
            }
            try await tool.json("channel", "create", "#common", "--home", "alice")
            try await sync("alice")
            let path = tool.scratch.path
            try FileManager.default.copyItem(atPath: path + "/alice", toPath: path + "/thief")
            for name in ["#one", "#two", "#three"] {
                try await tool.json("channel", "create", name, "--home", "thief")
            }
            try await sync("thief")

            try await tool.json("channel", "create", "#mine", "--home", "alice")
            try await tool.json("channel", "topic", "#common", "Tides", "--home", "alice")
            try await sync("alice")
            let refused = try await tool.run("warnings", "--code", "refused", "--home", "alice", "--json").objects
            #expect(refused.count == 1)
            #expect(refused.first?["hint"]?.string?.contains("Do again what you asked for") == true)
            let mine = try await tool.json("channel", "info", "#mine", "--home", "alice")
            #expect(mine["state"]?.string == "member")
            #expect(try await topic() != "Tides")
            // What comes after it is numbered on from there.
            try await tool.json("channel", "topic", "#common", "Tides", "--home", "alice")
            try await sync("alice")
            #expect(try await topic() == "Tides")
            let again = try await tool.run("warnings", "--code", "refused", "--home", "alice", "--json").objects
            #expect(again == refused)
            withExtendedLifetime((alice, node)) {}
        }

        @Test("a kind of warning that is none is refused, with those there are")
        func unknownKind() async throws {
            let tool = try Tool()
            let refused = try await tool.run("warnings", "--code", "nothing", "--home", "nowhere")
            #expect(refused.code == 64 && refused.complaint.contains("key_changed, "))
        }
    }
}
