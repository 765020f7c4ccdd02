import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Every command's manners: help, JSON, exit codes of docs/man/godwit.1.
    @Suite("Commands")
    struct CommandTests {
        /// A command as the program describes itself to scripts that complete it.
        private struct Command {
            var path: [String]
            var options: Set<String> = []
            var lacksHelp: [String] = []
            var isGroup: Bool
        }

        /// All that the program offers; what it starts for itself has no abstract.
        private static func commands(_ tool: Tool) async throws -> [Command] {
            func walk(_ described: JSONObject, _ path: [String]) -> [Command] {
                let inner = (described["subcommands"]?.array ?? []).compactMap(\.object)
                    .filter { $0["commandName"]?.string != "help" && $0["abstract"] != nil }
                var command = Command(path: path, isGroup: !inner.isEmpty)
                for argument in (described["arguments"]?.array ?? []).compactMap(\.object) {
                    let names = (argument["names"]?.array ?? []).compactMap { $0.object?["name"]?.string }
                    command.options.formUnion(names)
                    guard argument["shouldDisplay"]?.bool != false, argument["abstract"]?.string?.isEmpty != false
                    else { continue }
                    command.lacksHelp.append(names.first ?? argument["valueName"]?.string ?? "?")
                }
                return [command] + inner.flatMap { walk($0, path + [$0["commandName"]?.string ?? ""]) }
            }
            let dump = try await tool.run("--experimental-dump-help")
            return walk(try JSONObject.parse(Array(dump.out.utf8))["command"]?.object ?? [:], [])
        }

        @Test(
            "every command has help on standard output, for all that it takes, an option --json, and its place in the manual"
        )
        func help() async throws {
            let tool = try Tool()
            let commands = try await Self.commands(tool)
            #expect(commands.count > 30, "\(commands.map(\.path))")
            let page = try String(contentsOfFile: Place.root + "/docs/man/godwit.1", encoding: .utf8)
            let entries = page.split(separator: "\n").filter { $0.hasPrefix(".B") }.map { $0.filter { $0 != "\"" } }
            for command in commands {
                let name = (["godwit"] + command.path).joined(separator: " ")
                let outcome = try await tool.start(command.path + ["--help"]).ended()
                #expect(outcome.code == 0 && outcome.complaint.isEmpty, "\(name)")
                #expect(outcome.out.contains("USAGE: " + name), "\(name)")
                #expect(command.lacksHelp.isEmpty, "\(name)")
                guard !command.isGroup else { continue }
                #expect(command.options.contains("json"), "\(name)")
                #expect(entries.contains { $0.replacing("\\-", with: "-").contains(" " + name) }, "\(name)")
            }
        }

        @Test("a wrong command line ends with 64; with --json its complaint is an error object too")
        func usage() async throws {
            let tool = try Tool()
            for line in [["frobnicate"], ["send"], ["read", "--limit", "many"], ["node", "run", "--nonsense"]] {
                let plain = try await tool.start(line).ended()
                #expect(plain.code == 64 && plain.out.isEmpty && plain.complaint.hasPrefix("Error: "), "\(line)")
                let json = try await tool.start(line + ["--json"]).ended()
                #expect(json.code == 64 && json.out.isEmpty, "\(line)")
                #expect(try json.error()["number"]?.integer == 2000, "\(line)")
            }
        }

        @Test("what could not be written out is not marked as read: 74, and it is still unread")
        func fullOutput() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            _ = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("sync", "--home", "bob")
            try await tool.json("send", "--home", "alice", "@" + bob, "the boat is here", "--sync")
            for _ in 0..<3 {
                try await tool.json("sync", "--home", "alice")
                try await tool.json("sync", "--home", "bob")
            }
            let line = "exec \"$0\" read --home bob > /dev/full"
            let full = try await Child("/bin/sh", ["-c", line, try Place.godwit()], in: tool.scratch.path).ended()
            #expect(full.code == 74 && !full.complaint.isEmpty, "\(full)")
            for count in [1, 0] {
                let shown = try await tool.run("read", "--home", "bob", "--unread", "--json")
                #expect(shown.code == 0 && shown.objects.count == count, "\(shown)")
            }
            #expect(try await tool.read("bob").map { $0["text"]?.string } == ["the boat is here"])
            withExtendedLifetime(node) {}
        }

        @Test("every command that fails for lack of a home says so in one error object and leaves nothing behind")
        func noHome() async throws {
            let tool = try Tool()
            let lines: [[String]] = [
                ["node", "run"], ["node", "status"], ["node", "descriptor"], ["peer", "list"], ["identity", "show"],
                ["identity", "verify"], ["register"], ["channel", "create", "#x"], ["channel", "join", "#x"],
                ["channel", "list"], ["channel", "kick", "#x", "a7f3k9m2.bob"], ["channel", "info", "#x"],
                ["channel", "log"], ["send", "#x", "hi"], ["read"], ["sync"], ["spool", "list"], ["spool", "verify"],
                ["link", "status"], ["link", "history"], ["link", "probe", "a7f3k9m2"],
                ["spool", "show", "msg_aaaaaaaaaaaaaaaa"],
            ]
            for line in lines {
                let outcome = try await tool.start(line + ["--home", "nowhere", "--json"]).ended()
                #expect([1, 65, 69].contains(outcome.code) && outcome.out.isEmpty, "\(line): \(outcome)")
                #expect(try outcome.error()["hint"]?.string?.isEmpty == false, "\(line): \(outcome)")
                #expect(throws: (any Error).self, "\(line)") { try tool.scratch.files(under: "nowhere") }
            }
        }

        @Test("what is asked of a node gets JSON with exit code 0, whether the node runs or not")
        func nodeJSON() async throws {
            let site = try await Site(Tool(), "node")
            for isRunning in [false, true] {
                let node = isRunning ? try await site.start() : nil
                for line in [
                    ["node", "status"], ["node", "descriptor"], ["peer", "list"], ["spool", "list"],
                    ["spool", "verify"], ["link", "status"], ["link", "history"],
                ] {
                    let outcome = try await site.tool.start(line + ["--home", site.home, "--json"]).ended()
                    #expect(outcome.code == 0 && outcome.complaint.isEmpty, "\(line): \(outcome)")
                    _ = try outcome.value()
                    let plain = try await site.tool.start(line + ["--home", site.home]).ended()
                    #expect(plain.code == 0 && plain.complaint.isEmpty, "\(line): \(plain)")
                }
                withExtendedLifetime(node) {}
            }
            #expect(try await site.tool.run("node", "init", "--home", site.home).code == 65, "there is one already")
            let shown = try await site.tool.run("spool", "show", "msg_aaaaaaaaaaaaaaaa", "--home", site.home, "--json")
            #expect(shown.code == 65)
            #expect(try shown.error()["number"]?.integer == 2000)
        }
    }
}
