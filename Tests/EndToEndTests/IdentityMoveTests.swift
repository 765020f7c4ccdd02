import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// A lost box, and a user who moves to another home node, with real processes (CLIENT-01, G-34).
    @Suite("Identities that come back and move")
    struct IdentityMoveTests {
        /// Two nodes that know each other; alice, with two boxes, and bob on the first.
        private struct Places {
            let tool: Tool
            let old: Site
            let new: Site
            let processes: [Child]
            let alice: String
            let bob: String

            init() async throws {
                tool = try Tool()
                old = try await Site(tool, "old")
                new = try await Site(tool, "new")
                processes = [try await old.start(), try await new.start()]
                try await tool.json("peer", "add", new.descriptorFile, "--home", old.home)
                try await tool.json("peer", "add", old.descriptorFile, "--home", new.home)
                alice = try await old.enrol("alice-r", home: "alice")
                bob = try await old.enrol("bob-r", home: "bob")
            }

            var moved: String { new.id + ".alice-r" }

            func settle(_ homes: String...) async throws {
                for _ in 0..<4 {
                    for home in homes { try await tool.json("sync", "--home", home) }
                }
            }

            /// Syncs these homes until something holds: what goes over a link takes its own time.
            func sync(_ homes: String..., until what: String, _ holds: () async throws -> Bool) async throws {
                for _ in 0..<200 {
                    for home in homes { try await tool.json("sync", "--home", home) }
                    if try await holds() { return }
                    try await Task.sleep(for: .milliseconds(50))
                }
                throw Place.Missing(description: "Never: \(what)")
            }

            func move(_ home: String, _ more: String...) async throws -> Outcome {
                let arguments = [
                    "identity", "move", "--home", home, "--node", new.descriptorFile, "--passphrase-file", "passphrase",
                    "--json",
                ]
                return try await tool.start(arguments + more).ended()
            }

            func add(_ home: String, _ command: [String]) async throws -> Outcome {
                try await tool.start(
                    command + [
                        "--home", home, "--node", old.descriptorFile, "--passphrase-file", "passphrase", "--json",
                    ]
                ).ended()
            }

            func texts(_ home: String) async throws -> [String] {
                try await tool.read(home).compactMap { $0["text"]?.string }
            }

            func state(_ channel: String, _ home: String) async throws -> String? {
                try await tool.run("channel", "info", channel, "--home", home, "--json").objects.first?["state"]?.string
            }
        }

        @Test("the store of a locked home stays locked under the new id, and so does that of the old one (G-11)")
        func locked() async throws {
            let places = try await Places()
            let tool = places.tool
            let passphrase = ["GODWIT_STORE_PASSPHRASE": "under the floating bridge"]
            func command(_ arguments: String...) async throws -> Outcome {
                try await tool.start(arguments + ["--json"], environment: passphrase).ended()
            }
            try await tool.json("send", "@" + places.alice, "low water at two", "--home", "bob")
            try await places.settle("bob", "alice")
            #expect(try await command("device", "lock", "--home", "alice").code == 0)
            let moved = try await command(
                "identity", "move", "--home", "alice", "--node", places.new.descriptorFile, "--passphrase-file",
                "passphrase")
            #expect(moved.code == 0, "\(moved)")
            for home in ["alice", "alice/former/" + places.alice] {
                #expect(try await command("device", "status", "--home", home).object()["locked"]?.bool == true)
                let files = try tool.scratch.files(under: home + "/client").map { Data(try tool.scratch.bytes($0)) }
                #expect(!files.contains { $0.range(of: Data("low water".utf8)) != nil })
                #expect(!files.contains { $0.range(of: Data("CREATE TABLE".utf8)) != nil })
            }
            let read = try await command("read", "--home", "alice")
            #expect(read.objects.contains { $0["text"]?.string == "low water at two" }, "\(read)")
            withExtendedLifetime(places.processes) {}
        }

        @Test("a moved user is followed; what a contact who was dark writes to the old id arrives; channels go along")
        func move() async throws {
            let places = try await Places()
            let tool = places.tool
            try await tool.json("send", "@" + places.bob, "before", "--home", "alice")
            try await tool.json("send", "@" + places.alice, "hello", "--home", "bob")
            try await tool.json("channel", "create", "#crew", "--home", "alice")
            try await places.settle("alice", "bob")
            try await tool.json("channel", "join", "#crew", "--home", "bob")
            try await places.settle("bob", "alice")
            try await tool.json("contact", "alias", "sis", "@" + places.alice, "--home", "bob")
            // Written in the dark, before bob has heard anything.
            let moved = try await places.move("alice")
            #expect(moved.code == 0, "\(moved)")
            #expect(moved.objects.first?["user_id"]?.string == places.moved)
            #expect(moved.objects.first?["told"] == true)
            #expect(moved.objects.first?["channels"]?.array == [.string("#crew:" + places.old.id)])
            #expect(
                try await tool.json("identity", "show", "--home", "alice")["identity"]?.object?["full_id"]?.string
                    == places.moved)
            try await tool.json("send", "@" + places.alice, "from the dark", "--home", "bob")

            try await places.sync("bob", "alice", until: "the text from the dark") {
                try await places.texts("alice").contains("from the dark")
            }
            try await places.sync("bob", "alice", until: "bob follows") {
                let shown = try await tool.json("contact", "show", "sis", "--home", "bob")
                return shown["user_id"]?.string == places.moved
            }
            try await tool.json("send", "@" + places.alice, "to the new id", "--home", "bob")
            try await places.sync("bob", "alice", until: "the text at the new id") {
                try await places.texts("alice").contains("to the new id")
            }
            let old = "alice/former/" + places.alice
            #expect(try await places.texts(old) == ["hello", "from the dark"])
            // The channel goes along, and belongs to the new id.
            try await places.sync("alice", "bob", until: "the old id has left the channel") {
                guard try await places.state("#crew:" + places.old.id, "alice") == "member" else { return false }
                let info = try await tool.json("channel", "info", "#crew", "--home", "bob")
                let members = info["members"]?.array?.compactMap(\.object) ?? []
                let roles = Dictionary(
                    uniqueKeysWithValues: members.map { ($0["user_id"]?.string ?? "", $0["role"]?.string ?? "") })
                return roles[places.moved] == "owner" && roles[places.alice] == nil && roles[places.bob] != nil
            }
            let again = try await places.move("alice")
            #expect(again.code == 65)
            #expect(try again.error()["hint"]?.string?.isEmpty == false)
            withExtendedLifetime(places.processes) {}
        }

        @Test("a second box follows with the same command, and both are devices of the new id")
        func boxes() async throws {
            let places = try await Places()
            let tool = places.tool
            try await tool.json("identity", "export", "alice.json", "--home", "alice")
            let added = try await places.add("alice2", ["identity", "import", "alice.json"])
            #expect(added.code == 0, "\(added)")
            try await places.settle("alice", "alice2")
            let refused = try await places.move("alice", "--username", "b")
            #expect(refused.code == 65)
            #expect(try await places.move("alice", "--username", "alice-new").code == 0)
            try await places.sync(until: "the second box has heard") {
                let notices = try await tool.json("sync", "--home", "alice2")["notices"]?.array ?? []
                return notices.contains { $0.object?["message"]?.string?.contains("alice-new") == true }
            }
            let second = try await places.move("alice2")
            #expect(second.objects.first?["user_id"]?.string == places.new.id + ".alice-new", "\(second)")
            try await places.settle("alice", "alice2")
            for home in ["alice", "alice2"] {
                #expect(try await tool.run("device", "list", "--home", home, "--json").objects.count == 2)
            }
            withExtendedLifetime(places.processes) {}
        }

        @Test("a move that was cut off changes nothing for the old id, and the same command finishes it")
        func cutOff() async throws {
            let places = try await Places()
            let tool = places.tool
            func user() async throws -> String? {
                try await tool.json("identity", "show", "--home", "alice")["identity"]?.object?["full_id"]?.string
            }
            places.processes[1].kill(SIGTERM)
            _ = try await places.processes[1].ended()
            let unreachable = try await places.move("alice")
            #expect(unreachable.code == 69)
            #expect(try await user() == places.alice)
            #expect(try await tool.json("sync", "--home", "alice")["former"]?.array == [])
            let other = try await places.move("alice", "--username", "alice-s")
            #expect(other.code == 65)
            #expect(try other.error()["hint"]?.string?.contains("moving") == true)
            let again = try await places.new.start()
            #expect(try await places.move("alice").code == 0)
            #expect(try await user() == places.moved)
            // Cut off between the two steps of the exchange: the new id is not in its place yet.
            let home = tool.scratch.path + "/alice"
            try FileManager.default.createDirectory(atPath: home + "/moving", withIntermediateDirectories: true)
            try FileManager.default.moveItem(atPath: home + "/client", toPath: home + "/moving/client")
            #expect(try await user() == places.moved)
            let former = try await tool.json("sync", "--home", "alice")["former"]?.array?.compactMap(\.object)
            #expect(former?.map { $0["user_id"]?.string } == [places.alice])
            #expect(former?.first?["error"] == nil)
            withExtendedLifetime((places.processes, again)) {}
        }

        @Test("where the old node is dead the new id tells its contacts itself")
        func deadNode() async throws {
            let places = try await Places()
            let tool = places.tool
            let carol = try await places.new.enrol("carol-r", home: "carol")
            try await tool.json("send", "@" + carol, "before", "--home", "alice")
            try await places.sync("alice", "carol", until: "the text at carol's") {
                try await places.texts("carol") == ["before"]
            }
            try await tool.json("contact", "alias", "sis", "@" + places.alice, "--home", "carol")
            places.processes[0].kill(SIGKILL)
            let moved = try await places.move("alice", "--announce")
            #expect(moved.objects.first?["told"] == false, "\(moved)")
            try await places.sync("alice", "carol", until: "carol follows") {
                let shown = try await tool.run("contact", "show", "sis", "--home", "carol", "--json")
                return shown.objects.first?["user_id"]?.string == places.moved
            }
            try await tool.json("send", "@" + places.alice, "I know", "--home", "carol")
            try await places.settle("carol", "alice")
            #expect(try await places.texts("alice").contains("I know"))
            withExtendedLifetime(places.processes) {}
        }

        @Test("an exported file and its passphrase bring an account back on a new box, channels included")
        func lostBox() async throws {
            let places = try await Places()
            let tool = places.tool
            try await tool.json("channel", "create", "#crew", "--home", "alice")
            try await places.settle("alice")
            try await tool.json("identity", "export", "alice.json", "--home", "alice")
            let lost = try await tool.json("device", "list", "--home", "alice")["device"]?.string ?? ""
            let back = try await places.add("again", ["identity", "import", "alice.json"])
            #expect(back.objects.first?["user_id"]?.string == places.alice, "\(back)")
            #expect(back.objects.first?["others"]?.array == [.string(lost)])
            try await places.settle("again")
            // The lost box was to give the new one the keys. Without it the new one makes them.
            #expect(try await places.state("#crew", "again") == "joining")
            try await tool.json(
                "device", "remove", lost, "--home", "again", "--passphrase-file", "passphrase")
            try await places.settle("again")
            #expect(try await places.state("#crew", "again") == "member")
            try await tool.json("send", "@" + places.alice, "are you there?", "--home", "bob")
            try await places.settle("bob", "again")
            #expect(try await places.texts("again") == ["are you there?"])
            let refused = try await tool.run("sync", "--home", "alice", "--json")
            #expect(refused.code == 77)
            withExtendedLifetime(places.processes) {}
        }

        @Test("a file that was altered, a wrong passphrase, another node and a full home are refused with a hint")
        func refusals() async throws {
            let places = try await Places()
            let scratch = places.tool.scratch
            try scratch.write("wrong\n", to: "other")
            try await places.tool.json("identity", "export", "alice.json", "--home", "alice")
            try scratch.edit("alice.json", "alice-r\"", "alice-s\"", as: "altered.json")
            let old = places.old.descriptorFile
            for (arguments, code) in [
                (["import", "altered.json", "--node", old, "--home", "x", "--passphrase-file", "passphrase"], 77),
                (["import", "alice.json", "--node", old, "--home", "x", "--passphrase-file", "other"], 77),
                (
                    [
                        "import", "alice.json", "--node", places.new.descriptorFile, "--home", "x", "--passphrase-file",
                        "passphrase",
                    ], 77
                ),
                (["import", "alice.json", "--node", old, "--home", "alice", "--passphrase-file", "passphrase"], 65),
                (["move", "--node", old, "--home", "alice", "--passphrase-file", "passphrase"], 65),
                (["move", "--node", places.new.descriptorFile, "--home", "alice", "--passphrase-file", "other"], 77),
            ] {
                let outcome = try await places.tool.start(["identity"] + arguments + ["--json"]).ended()
                #expect(Int(outcome.code) == code, "\(arguments): \(outcome)")
                #expect(try outcome.error()["hint"]?.string?.isEmpty == false, "\(arguments)")
            }
            // Nothing was changed by it.
            #expect(try await places.tool.json("sync", "--home", "alice")["former"]?.array == [])
            withExtendedLifetime(places.processes) {}
        }
    }
}
