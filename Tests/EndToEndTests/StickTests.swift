import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// Two nodes without any link: what crosses is carried on a stick (D-11, CAR rows).
    @Suite("Stick")
    struct StickTests {
        @Test("messages cross by files both ways; a cut copy gives its whole frames, a repeated one does nothing")
        func bothWays() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Site(tool, "south"))
            let nodes = [try await north.start(), try await south.start()]
            _ = try await north.enrol("alice-r", home: "alice")
            _ = try await south.enrol("bob-s", home: "bob")
            for (own, other) in [(north, south), (south, north)] {
                try await tool.json("peer", "add", other.descriptorFile, "--home", own.home, "--no-call")
            }
            // Incompressible, so that they fill several frames; every character is one that JSON leaves alone.
            let long = (0..<4).map { Corpus.noise(24_000, seed: $0) }
            for text in long {
                let sent = try await tool.run(
                    "send", "--home", "alice", "@\(south.id).bob-s", "-", input: Array(text.utf8))
                #expect(sent.code == 0, "\(sent)")
            }
            try await tool.json("sync", "--home", "alice")
            // What is asked for and answered: bob's keys.
            try await Self.carry(tool, from: north, to: south, file: "asked")
            try await Self.carry(tool, from: south, to: north, file: "answered")
            try await tool.json("sync", "--home", "alice")

            let exported = try await tool.json("spool", "export", "--home", north.home, "--to", south.id, "stick")
            #expect(exported["frames"]?.integer ?? 0 >= 2, "\(exported.canonicalText)")
            try await Self.explain(tool, [north, south])
            try await Self.importCut(tool, south)
            let whole = try await tool.json("spool", "import", "--home", south.home, "stick")
            #expect(whole["complete"]?.bool == true && whole["repeated_frames"]?.integer ?? 0 >= 1)
            #expect(whole["refused_frames"]?.integer == 0)
            let again = try await tool.json("spool", "import", "--home", south.home, "stick")
            #expect(again["items"]?.integer == 0)
            #expect(again["repeated_frames"] == exported["frames"])

            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == long)
            try await tool.json("send", "--home", "bob", "@\(north.id).alice-r", "by hand as well")
            try await tool.json("sync", "--home", "bob")
            let back = try await Self.carry(tool, from: south, to: north, file: "back")
            #expect(back["released"]?.integer ?? 0 >= 4, "the stick brought acknowledgements home")
            try await tool.json("sync", "--home", "alice")
            #expect(try await tool.texts("alice") == ["by hand as well"])
            withExtendedLifetime(nodes) {}
        }

        @Test("an author who asks hears that a message waits, and that it is forwarded once the stick is back (G-118)")
        func whereItIs() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Site(tool, "south"))
            let nodes = [try await north.start(), try await south.start()]
            _ = try await north.enrol("alice-r", home: "alice")
            _ = try await south.enrol("bob-s", home: "bob")
            for (own, other) in [(north, south), (south, north)] {
                try await tool.json("peer", "add", other.descriptorFile, "--home", own.home, "--no-call")
            }
            try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", "The boat leaves at six.")
            let queued = try await tool.json("outbox", "--home", "alice")
            #expect(queued["state"]?.string == "queued")
            try await tool.json("sync", "--home", "alice")
            try await Self.carry(tool, from: north, to: south, file: "asked")
            try await Self.carry(tool, from: south, to: north, file: "answered")
            // Brings the keys, then takes the message along.
            let sealed = try await tool.json("sync", "--home", "alice")
            #expect(sealed["handed_over"]?.integer == 1)

            let untold = try await tool.json("outbox", "--home", "alice")
            #expect(untold["state"]?.string == "at_node" && untold["copies"] == nil, "nobody tells unasked")
            try await Self.carry(tool, from: north, to: south, file: "there")
            let waits = try await tool.json("outbox", "--where", "--home", "alice")
            let copy = waits["copies"]?.array?.first?.object
            #expect(waits["state"]?.string == "at_node" && copy?["next"]?.string == south.id)
            #expect(copy?["state"]?.string == "waiting" && copy?["goes"]?.isNull == true, "nobody knows when")
            try await Self.carry(tool, from: south, to: north, file: "back")
            let gone = try await tool.json("outbox", "--where", "--home", "alice")
            #expect(gone["state"]?.string == "forwarded" && gone["goes"] == nil)
            #expect(try await tool.run("outbox", "--home", "alice").out.contains("  forwarded  "))
            withExtendedLifetime(nodes) {}
        }

        /// Every byte of the file stands in a column, at both nodes; what was cut or altered is refused.
        private static func explain(_ tool: Tool, _ sites: [Site]) async throws {
            let bytes = try tool.scratch.bytes("stick")
            for site in sites {
                let explained = try await tool.json("spool", "explain-batch", "--home", site.home, "stick")
                let columns = explained["columns"]?.object?.members ?? []
                let sum = columns.reduce(0) { $0 + ($1.value.object?["wire"]?.integer ?? 0) }
                #expect(sum == Int64(bytes.count) && explained["bytes"]?.integer == sum)
                #expect(explained["messages"]?.integer == 4)
                let table = try await tool.run("spool", "explain-batch", "--home", site.home, "stick")
                #expect(table.code == 0 && table.out.contains("content_tag"), "\(table)")
            }
            try tool.scratch.write(bytes.dropLast(40), to: "short")
            let short = try await tool.run("spool", "explain-batch", "--home", sites[1].home, "short")
            #expect(short.code == 65)
            let item = try await tool.run("spool", "list", "--home", sites[0].home, "--json")
            let name = try item.value().array?.compactMap(\.object)
                .first { $0["kind"]?.string == "message" }?["item"]?.string
            let why = try await tool.json("spool", "why", "--home", sites[0].home, name ?? "")
            #expect(why["copies"]?.array?.first?.object?["state"]?.string == "framed")
            let words = try await tool.run("spool", "why", "--home", sites[0].home, name ?? "")
            #expect(words.code == 0 && words.out.contains("holds it and is not acknowledged yet"), "\(words)")
            let unknown = try await tool.run("spool", "why", "--home", sites[0].home, "aaaaaaaaaaaaaaaa")
            #expect(unknown.code == 65)
        }

        /// A copy that ends within the last frame: exit code 75, and everything before that frame is taken in.
        private static func importCut(_ tool: Tool, _ site: Site) async throws {
            let bytes = try tool.scratch.bytes("stick")
            try tool.scratch.write(bytes.dropLast(40), to: "cut")
            let cut = try await tool.run("spool", "import", "--home", site.home, "cut", "--json")
            #expect(cut.code == 75, "\(cut)")
            #expect(try cut.object()["complete"]?.bool == false)
            #expect(try cut.object()["items"]?.integer ?? 0 >= 1)
            try tool.scratch.write(Array("GODWIT1\n".utf8), to: "empty")
            #expect(try await tool.run("spool", "import", "--home", site.home, "empty").code == 75)
            try tool.scratch.write("no such file", to: "junk")
            let junk = try await tool.run("spool", "import", "--home", site.home, "junk", "--json")
            #expect(junk.code == 65)
            #expect(try junk.error()["number"]?.integer == 2000)
            var altered = bytes
            altered[altered.count / 2] ^= 0x10
            try tool.scratch.write(altered, to: "altered")
            let refused = try await tool.run("spool", "import", "--home", site.home, "altered", "--json")
            #expect(refused.code == 75, "the file's checksum tells: \(refused)")
            #expect(try refused.object()["refused_frames"]?.integer == 1)
        }

        @discardableResult
        private static func carry(_ tool: Tool, from: Site, to: Site, file: String) async throws -> JSONObject {
            try await tool.json("spool", "export", "--home", from.home, "--to", to.id, file)
            return try await tool.json("spool", "import", "--home", to.home, file)
        }
    }
}
