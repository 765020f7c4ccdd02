import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// One peer, two links: what is urgent goes over the wire, the rest on a stick.
    @Suite("Several links")
    struct SeveralLinksTests {
        @Test(
            "the urgent goes over the wire, the bulk by stick; each arrives once, and the wire acknowledges the stick")
        func wireAndStick() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Site(tool, "south"))
            let nodes = [try await north.start(), try await south.start()]
            _ = try await north.enrol("alice-r", home: "alice")
            _ = try await south.enrol("bob-s", home: "bob")
            try await tool.json("peer", "add", north.descriptorFile, "--home", south.home, "--no-call")
            try await tool.json("peer", "add", south.descriptorFile, "--home", north.home)
            let channel = "#field:\(north.id)"
            try await tool.json("channel", "create", "#field", "--home", "alice")
            try await tool.json("sync", "--home", "alice")
            try await tool.json("channel", "join", channel, "--home", "bob")
            try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", "hello")
            try await Self.settle(tool, "the channel") {
                guard try await tool.texts("bob") == ["hello"] else { return false }
                return try await tool.start(["send", "--home", "bob", channel, "I am in", "--json"]).ended().code == 0
            }
            try await Self.settle(tool, "the joiner's text") {
                try await tool.texts("alice") == ["I am in"]
            }

            let added = try await tool.json(
                "peer", "link", "add", south.id, "--home", north.home, "--name", "bike", "--way", "file", "--classes",
                "channel,voice,document,image,bulk", "--also-after", "14d")
            #expect(added["links"]?.array?.count == 2)
            try await tool.json("send", "--home", "alice", "#field", "by bike")
            try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", "by wire")
            try await Self.settle(tool, "the urgent text") {
                try await tool.texts("bob").contains("by wire")
            }
            #expect(try await !tool.texts("bob").contains("by bike"))
            try await Self.expectOnBike(tool, north, frames: 0)

            let stick = try await tool.json(
                "spool", "export", "--home", north.home, "--to", south.id, "--path", "bike", "--max-bytes", "100000",
                "stick")
            let size = try tool.scratch.bytes("stick").count
            #expect(stick["frames"]?.integer == 1 && stick["bytes"]?.integer == Int64(size) && size <= 100_000)
            try await Self.expectOnBike(tool, north, frames: 1)
            let taken = try await tool.json("spool", "import", "--home", south.home, "stick")
            #expect(taken["items"]?.integer ?? 0 >= 1)
            let again = try await tool.json("spool", "import", "--home", south.home, "stick")
            #expect(again["items"]?.integer == 0 && again["repeated_frames"]?.integer == 1)
            try await Self.settle(tool, "the stick's acknowledgement over the wire") {
                let bike = try await Self.links(tool, north).first { $0["path"]?.string == "bike" }
                return bike?["in_flight"]?.object?["frames"]?.integer == 0
            }
            let texts = try await tool.texts("bob")
            #expect(texts.sorted() == ["by bike", "by wire", "hello"], "each once")
            try await Self.refusals(tool, north, south)
            withExtendedLifetime(nodes) {}
        }

        private static func refusals(_ tool: Tool, _ north: Site, _ south: Site) async throws {
            let lines: [([String], String)] = [
                (["spool", "export", "--to", south.id, "--path", "boat", "x"], "path"),
                (["peer", "link", "add", south.id, "--name", "Boat", "--way", "file"], "name"),
                (["peer", "link", "add", south.id, "--name", "boat", "--way", "file,udp"], "ways"),
                (["peer", "link", "add", south.id, "--name", "boat", "--classes", "direct,letters"], "classes"),
                (["peer", "link", "add", south.id, "--name", "boat", "--also-after", "soon"], "also_after"),
                (["peer", "link", "add", south.id, "--name", "boat", "--way", "serial"], "ways"),
                (["peer", "link", "remove", south.id, "--name", "main"], "name"),
            ]
            for (line, member) in lines {
                let outcome = try await tool.start(line + ["--home", north.home, "--json"]).ended()
                #expect(outcome.code == 65, "\(line): \(outcome)")
                #expect(try outcome.error()["details"]?.object?["member"]?.string == member, "\(line)")
            }
            let shown = try await tool.run("peer", "link", "list", "--home", north.home)
            #expect(shown.code == 0 && shown.out.contains("bike") && shown.out.contains("14d"), "\(shown)")
            let removed = try await tool.json(
                "peer", "link", "remove", south.id, "--home", north.home, "--name", "bike")
            #expect(removed["moved_frames"]?.integer == 0 && removed["links"]?.array?.count == 1)
        }

        /// The status names the stick's link and what travels on it; the text on it says so too.
        private static func expectOnBike(_ tool: Tool, _ north: Site, frames: Int64) async throws {
            let links = try await links(tool, north)
            #expect(links.compactMap { $0["path"]?.string } == ["main", "bike"])
            let bike = links.last
            #expect(bike?["phase"]?.string == "by_hand" && bike?["in_flight"]?.object?["frames"]?.integer == frames)
            let items = try JSONValue.parse(try await tool.run("spool", "list", "--home", north.home, "--json").out)
            let item = items.array?.compactMap(\.object).first { $0["class"]?.string == "channel" }?["item"]?.string
            let why = try await tool.json("spool", "why", item ?? "", "--home", north.home)
            let copy = try #require(why["copies"]?.array?.compactMap(\.object).first { $0["path"]?.string == "bike" })
            #expect(copy["holds"]?.array?.last?.object?["reason"]?.string == "by_hand")
            #expect(copy["state"]?.string == (frames == 0 ? "waiting" : "framed"))
            let told = try await tool.run("spool", "why", item ?? "", "--home", north.home)
            #expect(told.out.contains("over the link bike"), "\(told)")
        }

        private static func links(_ tool: Tool, _ site: Site) async throws -> [JSONObject] {
            let all = try JSONValue.parse(try await tool.run("link", "status", "--home", site.home, "--json").out)
            return all.array?.compactMap(\.object) ?? []
        }

        /// Both sync until it has happened.
        private static func settle(_ tool: Tool, _ what: String, _ done: () async throws -> Bool) async throws {
            let end = ContinuousClock.now + .seconds(90)
            while ContinuousClock.now < end {
                for home in ["alice", "bob"] { try await tool.json("sync", "--home", home) }
                if try await done() { return }
                try await Task.sleep(for: .milliseconds(200))
            }
            Issue.record("it never came: \(what)")
        }
    }
}
