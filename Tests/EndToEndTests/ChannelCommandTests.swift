import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Who is in a channel, over real nodes, links and commands (CH-06 to CH-24, D-14, D-18).
    @Suite("Members of channels")
    struct ChannelCommandTests {
        /// A name of a message as nobody holds it.
        private static let noMessage = Base64.encode([UInt8](repeating: 1, count: 32))

        /// Two nodes that know each other; alice and carol on the first, bob on the other.
        private struct Places {
            var tool: Tool
            var site: Site
            var far: Site
            var alice = "", bob = "", carol = ""
            var processes: [Child] = []

            init() async throws {
                let tool = try Tool()
                site = try await Site(tool, "site")
                far = try await Site(tool, "far")
                self.tool = tool
                processes = [try await site.start(), try await far.start()]
                try await tool.json("peer", "add", far.descriptorFile, "--home", site.home)
                try await tool.json("peer", "add", site.descriptorFile, "--home", far.home)
                alice = try await site.enrol("alice-r", home: "alice")
                carol = try await site.enrol("carol-r", home: "carol")
                bob = try await far.enrol("bob-r", home: "bob")
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

            func texts(_ home: String) async throws -> [String] {
                try await tool.read(home).compactMap { $0["text"]?.string }
            }

            func state(_ channel: String, _ home: String) async throws -> String? {
                try await tool.json("channel", "info", channel, "--home", home)["state"]?.string
            }
        }

        /// What the home node knows: who is banned, and which channels there are.
        private func lists(_ places: Places) async throws {
            let bans = try await places.tool.json(
                "channel", "bans", "#harbour", "--home", "carol", "--passphrase-file", "passphrase")
            #expect(bans["bans"]?.array?.map { $0.object?["user_id"]?.string } == [places.bob])
            #expect(bans["bans"]?.array?.first?.object?["reason"] == "noise")
            let held = try await places.tool.json(
                "channel", "held", "list", "#harbour:" + places.site.id, "--home", "carol", "--passphrase-file",
                "passphrase")
            #expect(held == ["messages": []])
            let directory = try await places.tool.json(
                "channel", "directory", "--home", "alice", "--passphrase-file", "passphrase")
            let own = directory["channels"]?.array?.compactMap(\.object).first { $0["name"] == "#harbour" }
            #expect(own?["role"] == "owner" && own?["member_count"] == 2)
        }

        @Test(
            "a private channel over two nodes: an invite made offline lets in, a removal ends reading, a ban keeps out")
        func life() async throws {
            let places = try await Places()
            let tool = places.tool
            let room = "#harbour:" + places.site.id
            func state(_ home: String) async throws -> String? { try await places.state(room, home) }
            try await tool.json("channel", "create", "#harbour", "--private", "--topic", "Tides", "--home", "alice")
            try await places.sync("alice", until: "made") { try await state("alice") == "member" }
            // Without an invite it does not exist.
            try await tool.json("channel", "join", room, "--home", "bob")
            try await places.sync("bob", until: "refused") { try await state("bob") == "refused" }
            let invite = try await tool.json(
                "channel", "invite", "#harbour", "--uses", "2", "--for", "1d", "--home", "alice")
            let link = try #require(invite["link"]?.string)
            for home in ["bob", "carol"] { try await tool.json("channel", "join", "--invite", link, "--home", home) }
            try await places.sync("alice", "bob", "carol", until: "all in") {
                let states = [try await state("bob"), try await state("carol")]
                return states == ["member", "member"]
            }
            try await tool.json("send", room, "high water at six", "--home", "alice")
            try await places.sync("alice", "bob", "carol", until: "the text at both") {
                let texts = [try await places.texts("bob"), try await places.texts("carol")]
                return texts == [["high water at six"], ["high water at six"]]
            }
            #expect(try await tool.json("channel", "info", room, "--home", "bob")["topic"]?.string == "Tides")
            // carol becomes moderator and removes bob, who is elsewhere.
            try await tool.json("channel", "role", room, places.carol, "moderator", "--home", "alice")
            try await places.sync("alice", "carol", until: "the role") {
                let info = try await tool.json("channel", "info", room, "--home", "carol")
                return info["members"]?.array?.contains { $0.object?["role"]?.string == "moderator" } ?? false
            }
            try await tool.json(
                "channel", "ban", room, places.bob, "--for", "2h", "--reason", "noise", "--home", "carol")
            try await places.sync("carol", "bob", until: "bob's end") { try await state("bob") == "left" }
            try await lists(places)
            try await tool.json("send", room, "only for two", "--home", "alice")
            try await places.sync("carol", "alice", until: "the second text") {
                try await places.texts("carol") == ["high water at six", "only for two"]
            }
            try await tool.json("sync", "--home", "bob")
            #expect(try await places.texts("bob") == ["high water at six"])
            try await tool.json("channel", "join", "--invite", link, "--home", "bob")
            try await places.sync("bob", until: "refused again") { try await state("bob") == "refused" }
            // What a role does not allow is told by the sync that brings the refusal.
            try await tool.json("channel", "topic", room, "Ebb", "--home", "carol")
            var notices: [JSONObject] = []
            try await places.sync(until: "the notice") {
                notices += try await tool.json("sync", "--home", "carol")["notices"]?.array?.compactMap(\.object) ?? []
                return !notices.isEmpty
            }
            #expect(notices.map { $0["code"]?.string } == ["refused"])
            #expect(notices.first?["subject"]?.string == "#harbour")
            let log = try await tool.run("channel", "log", room, "--home", "alice", "--json")
            let actions = log.objects.compactMap { $0["action"]?.string }
            #expect(actions.first == "created" && actions.contains("member_left") && actions.contains("role_changed"))
            withExtendedLifetime(places.processes) {}
        }

        @Test("texts from before a ban that come after it are held: one is let through and read, one refused (G-53)")
        func held() async throws {
            let places = try await Places()
            let tool = places.tool
            let room = "#harbour:" + places.site.id
            try await tool.json("channel", "create", "#harbour", "--home", "alice")
            for home in ["bob", "carol"] { try await tool.json("channel", "join", room, "--home", home) }
            try await places.sync("alice", "bob", "carol", until: "all in") {
                let states = [try await places.state(room, "bob"), try await places.state(room, "carol")]
                return states == ["member", "member"]
            }
            try await tool.json("send", room, "fog", "--home", "alice")
            try await places.sync("alice", "bob", "carol", until: "the first text") {
                let texts = [try await places.texts("bob"), try await places.texts("carol")]
                return texts == [["fog"], ["fog"]]
            }
            // carol has no link now, and does not know of the ban.
            for text in ["low water at two", "sell your boats"] {
                try await tool.json("send", room, text, "--home", "carol")
            }
            try await tool.json("channel", "ban", room, places.carol, "--home", "alice")
            try await tool.json("sync", "--home", "alice")
            try await tool.json("sync", "--home", "carol")
            let list = try await tool.json(
                "channel", "held", "list", room, "--home", "alice", "--passphrase-file", "passphrase")
            let names = list["messages"]?.array?.compactMap { $0.object?["hash"]?.string } ?? []
            try #require(names.count == 2, "\(list)")
            #expect(list["messages"]?.array?.allSatisfy { $0.object?["author"]?.string == places.carol } == true)
            try await tool.json("channel", "held", "release", room, names[0], "--home", "alice")
            try await tool.json("channel", "held", "discard", room, names[1], "--home", "alice")
            try await places.sync("alice", "bob", until: "the released text") {
                let texts = [try await places.texts("alice"), try await places.texts("bob")]
                return texts == [["low water at two"], ["fog", "low water at two"]]
            }
            func states() async throws -> [String?] {
                try await tool.run("outbox", "--home", "carol", "--json").objects.map { $0["state"]?.string }
            }
            try await places.sync("carol", until: "the refusal") { try await states().contains("refused") }
            #expect(try await states().sorted { ($0 ?? "") < ($1 ?? "") } == ["at_node", "refused"])
            let log = try await tool.run("channel", "log", room, "--home", "alice", "--json")
            #expect(log.objects.contains { $0["action"] == "messages_held" && $0["details"]?.object?["waiting"] == 1 })
            withExtendedLifetime(places.processes) {}
        }

        @Test(
            "who joins a channel that shares its history reads what was written before, also over another node; else not",
            arguments: [true, false])
        func history(isShared: Bool) async throws {
            let places = try await Places()
            let tool = places.tool
            let room = "#harbour:" + places.site.id
            try await tool.json("channel", "create", "#harbour", "--home", "alice")
            if isShared {
                try await tool.json("sync", "--home", "alice")
                try await tool.json("channel", "set", room, "--shares-history", "yes", "--home", "alice")
            }
            try await tool.json("channel", "join", room, "--home", "carol")
            try await places.sync("alice", "carol", until: "carol is in") {
                try await places.state(room, "carol") == "member"
            }
            try await tool.json("send", room, "low water at two", "--home", "alice")
            try await tool.json("send", room, "and fog", "--home", "carol")
            try await places.sync("alice", "carol", until: "both have read") {
                let counts = [try await places.texts("alice").count, try await places.texts("carol").count]
                return counts == [1, 1]
            }
            try await tool.json("channel", "join", room, "--home", "bob")
            try await places.sync("alice", "bob", until: "bob is in") {
                try await places.state(room, "bob") == "member"
            }
            // What carol writes before she knows of bob is not for him.
            try await tool.json("sync", "--home", "carol")
            for (text, home) in [("high water at eight", "alice"), ("clear sky", "carol")] {
                try await tool.json("send", room, text, "--home", home)
            }
            let texts = Set((isShared ? ["low water at two", "and fog"] : []) + ["high water at eight", "clear sky"])
            try await places.sync("alice", "carol", "bob", until: "bob has read what is for him") {
                try await Set(places.texts("bob").filter { !$0.isEmpty }) == texts
            }
            let holes = try await tool.read("bob").compactMap { $0["hole"] }
            #expect(holes.isEmpty)
            withExtendedLifetime(places.processes) {}
        }

        @Test("each command queues what it says and works without any link; what cannot be is refused at once")
        func commands() async throws {
            let places = try await Places()
            let tool = places.tool
            try await tool.json("channel", "create", "#crew", "--home", "alice")
            try await tool.json("channel", "join", "#crew", "--home", "carol")
            try await places.sync("alice", "carol", until: "carol in") {
                try await places.state("#crew", "carol") == "member"
            }
            for (line, name) in [
                (["role", "#crew", places.carol, "admin"], "set_role"), (["topic", "#crew", "Rope"], "set_channel"),
                (["set", "#crew", "--description", "All hands", "--visibility", "private"], "set_channel"),
                (["mute", "#crew", places.carol, "--for", "10m"], "set_role"),
                (["unban", "#crew", places.bob], "unban_user"),
                (["held", "release", "#crew", Self.noMessage], "release_held"),
                (["held", "discard", "#crew", Self.noMessage], "discard_held"),
                (["kick", "#crew", places.carol], "remove_member"), (["group", places.carol], "create_channel"),
                (["transfer", "#crew", places.carol], "transfer_channel"), (["leave", "#crew"], "leave_channel"),
                (["delete", "#crew", "--yes"], "delete_channel"),
            ] {
                let outcome = try await tool.start(["channel"] + line + ["--home", "alice", "--json"]).ended()
                #expect(outcome.code == 0, "\(line): \(outcome)")
                #expect(try outcome.object()["queued"]?.string == name, "\(line)")
            }
            for line in [
                ["delete", "#crew"], ["mute", "#crew", places.carol, "--for", "soon"],
                ["role", "#crew", places.carol, "king"],
                ["kick", "#crew", "nobody"], ["set", "#crew"], ["kick", "#elsewhere", places.carol], ["join"],
                ["join", "--invite", "godwit://invite#AAAA"], ["invite", "#crew", "--for", "400d"],
                ["topic", "#crew", String(repeating: "x", count: 257)], ["info", "#elsewhere"],
                ["held", "release", "#crew", "msg_short"],
                ["held", "discard", "#crew", Self.noMessage, Self.noMessage],
                ["held", "release", "#elsewhere", Self.noMessage],
            ] {
                let outcome = try await tool.start(["channel"] + line + ["--home", "alice", "--json"]).ended()
                #expect([65, 77].contains(outcome.code) && outcome.out.isEmpty, "\(line): \(outcome)")
                _ = try outcome.error()
            }
            // carol was made admin, muted, taken out; the rest was not for alice to do any more, or ended the channel.
            try await places.sync("alice", "carol", until: "the end") {
                try await places.state("#crew", "alice") == "left"
            }
            #expect(try await places.state("#crew", "carol") == "left")
            let group = try await tool.run("channel", "list", "--home", "carol", "--json")
            let invited = try group.value().array?.compactMap(\.object).filter { $0["state"]?.string == "invited" }
            #expect(invited?.count == 1)
            withExtendedLifetime(places.processes) {}
        }
    }
}
