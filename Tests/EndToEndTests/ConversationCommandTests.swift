import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Answers, edits, reactions and deletions at the command line, and what an operator does with an account (MSG-20,
    /// GDPR-01).
    @Suite("Conversations at the command line")
    struct ConversationCommandTests {
        private static func settle(_ tool: Tool) async throws {
            for _ in 0..<3 {
                for home in ["alice", "bob"] { try await tool.json("sync", "--home", home) }
            }
        }

        private static func history(_ tool: Tool, _ home: String, _ other: String) async throws -> [JSONObject] {
            let shown = try await tool.run("history", "@" + other, "--home", home, "--json")
            guard shown.code == 0 else { throw Place.Missing(description: "history: \(shown)") }
            return shown.objects
        }

        @Test("an edit, an answer and a reaction stand where they belong, and a deletion leaves a hole on both sides")
        func conversation() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("send", "@" + bob, "the boat is hre", "--home", "alice")
            // It has no id yet, so it is changed in place by its number.
            try await tool.json("send", "@" + bob, "the boat is near", "--edit", "1", "--home", "alice")
            try await Self.settle(tool)
            let first = try #require(try await Self.history(tool, "bob", alice).first)
            #expect(first["text"]?.string == "the boat is near" && first["edited"] == nil)
            let id = try #require(first["message_id"]?.string)
            try await tool.json("send", "@" + bob, "the boat is here", "--edit", id, "--home", "alice")
            try await tool.json("send", "@" + alice, "⛵", "--react", id, "--home", "bob")
            try await tool.json("send", "@" + alice, "coming", "--reply-to", id, "--home", "bob")
            try await Self.settle(tool)
            for (home, other) in [("alice", bob), ("bob", alice)] {
                let shown = try await Self.history(tool, home, other)
                #expect(shown.map { $0["text"]?.string } == ["the boat is here", "coming"])
                #expect(shown[0]["edited"]?.bool == true && shown[1]["reply_to"]?.string == id)
                #expect(shown[0]["reactions"]?.object?["⛵"]?.array == [.string(bob)])
            }
            try await tool.json("delete", id, "--home", "alice")
            try await Self.settle(tool)
            for (home, other) in [("alice", bob), ("bob", alice)] {
                let shown = try await Self.history(tool, home, other)
                #expect(shown.map { $0["deleted_by"]?.string } == [alice, nil])
                #expect(shown.map { $0["text"]?.string } == ["", "coming"])
                let plain = try await tool.run("history", "@" + other, "--home", home)
                #expect(plain.out.contains("(deleted") && !plain.out.contains("boat"))
            }
            let foreign = try await tool.run("delete", "msg_aaaaaaaaaaaaaaaa", "--home", "bob", "--json")
            #expect(foreign.code == 65)
            let both = try await tool.run("send", "@" + bob, "x", "--edit", id, "--react", id, "--home", "alice")
            #expect(both.code == 64)
            withExtendedLifetime(node) {}
        }

        @Test("a file and a recording come as they were, and are kept where nothing is overwritten")
        func files() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            let place = FileManager.default.temporaryDirectory.path + "/godwit-files-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: place + "/in", withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: place) }
            let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
            let recording = try #require(FileManager.default.contents(atPath: root + "/Tests/Vectors/tone.opus"))
            let file = Data((0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })
            try file.write(to: URL(filePath: place + "/boat.bin"))
            try recording.write(to: URL(filePath: place + "/note.opus"))
            let sent = try await tool.run(
                "send", "@" + bob, "the boat", "--file", place + "/boat.bin", "--home", "alice", "--json")
            #expect(sent.objects.map { $0["parts"]?.integer } == [3, 3, 3])
            try await tool.json("send", "@" + bob, "--voice", place + "/note.opus", "--home", "alice")
            try await Self.settle(tool)
            let shown = try await Self.history(tool, "bob", alice)
            #expect(shown.map { $0["text"]?.string } == ["the boat", "", "", ""])
            #expect(shown[0]["file"]?.object?["size"]?.integer == 70_000)
            #expect(shown[3]["file"]?.object?["duration"]?.integer == 3)
            #expect(try await tool.run("read", "--home", "bob").out.contains("[voice, 3 s, 2,701 B]"))
            let ids = try shown.map { try #require($0["message_id"]?.string) }
            for (id, name, bytes) in [(ids[1], "boat.bin", file), (ids[3], "note.opus", recording)] {
                let saved = try await tool.json("save", id, place + "/in", "--home", "bob")
                #expect(saved["path"]?.string == place + "/in/" + name)
                #expect(FileManager.default.contents(atPath: place + "/in/" + name) == bytes)
            }
            let again = try await tool.run("save", ids[0], place + "/in", "--home", "bob")
            #expect(again.code == 65 && again.complaint.contains("--force"))
            let forced = try await tool.run("save", ids[0], place + "/in/note.opus", "--force", "--home", "bob")
            #expect(forced.code == 0 && FileManager.default.contents(atPath: place + "/in/note.opus") == file)
            #expect(try FileManager.default.contentsOfDirectory(atPath: place + "/in").count == 2, "nothing beside")
            // What somebody has laid there is neither followed nor replaced.
            try FileManager.default.createSymbolicLink(
                atPath: place + "/link", withDestinationPath: place + "/note.opus")
            #expect(try await tool.run("save", ids[0], place + "/link", "--force", "--home", "bob").code == 65)
            #expect(FileManager.default.contents(atPath: place + "/note.opus") == recording)
            #expect(try await tool.run("send", "@" + bob, "--file", place + "/none", "--home", "alice").code == 65)
            #expect(try await tool.run("send", "@" + bob, "--home", "alice").code == 65)
            withExtendedLifetime(node) {}
        }

        @Test("an operator exports an account and erases it, only after saying so")
        func account() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("send", "@" + bob, "the boat is here", "--home", "alice")
            try await Self.settle(tool)
            let exported = try await tool.run("node", "export-user", alice, "--home", site.home)
            #expect(exported.code == 0)
            #expect(exported.objects.first?["user_id"]?.string == alice)
            #expect(exported.objects.count { $0["kind"] == "message" } == 1)
            #expect(try await tool.run("node", "erase-user", alice, "--home", site.home).code == 77)
            try await tool.json("node", "erase-user", alice, "--yes", "--home", site.home)
            let gone = try await tool.run("node", "export-user", alice, "--home", site.home, "--json")
            #expect(gone.code != 0)
            #expect(try gone.error()["number"]?.integer == 2003)
            withExtendedLifetime(node) {}
        }
    }
}
