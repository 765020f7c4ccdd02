import GodwitProtocol
import Testing

extension EndToEnd.Commands {
    /// Names, keys, blocks, search and the identity file at the command line (ID-17, ID-18, ID-24, ID-25, CLIENT-01).
    @Suite("Contacts at the command line")
    struct ContactCommandTests {
        private static func settle(_ tool: Tool) async throws {
            for _ in 0..<3 {
                for home in ["alice", "bob"] { try await tool.json("sync", "--home", home) }
            }
        }

        @Test("a name serves as an address, safety numbers agree on both sides, and words are found")
        func contacts() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("contact", "alias", "bobby", "@" + bob, "--home", "alice")
            try await tool.json("send", "@bobby", "The Café is open", "--home", "alice")
            let waiting = try await tool.json("outbox", "bobby", "--home", "alice")
            #expect(waiting["state"]?.string == "queued" && waiting["waits_for"]?.string != nil)
            try await Self.settle(tool)
            #expect(try await tool.json("outbox", "--home", "alice")["state"]?.string == "delivered")
            #expect(try await tool.run("outbox", "--pending", "--home", "alice", "--json").out.isEmpty)
            let found = try await tool.json("search", "cafe", "--in", "bobby", "--home", "alice")
            #expect(found["text"]?.string == "The Café is open")
            let piece: JSONValue = ["text": "Café", "found": true]
            #expect(found["excerpt"]?.array?.contains(piece) == true)
            #expect(try await tool.run("search", "caf", "--home", "bob").out.isEmpty)
            #expect(try await tool.run("search", "caf*", "--home", "bob").out.contains("[Café]"))
            #expect(try await tool.run("search", "!!!", "--home", "bob", "--json").code == 65)

            let mine = try await tool.json("contact", "show", "bobby", "--home", "alice")
            let theirs = try await tool.json("contact", "show", alice, "--home", "bob")
            #expect(mine["safety_number"] == theirs["safety_number"] && mine["verified"]?.isNull == true)
            let number = try #require(theirs["safety_number"]?.string)
            let wrong = String(number.reversed())
            let refused = try await tool.run(
                "contact", "verify", "bobby", "--number", wrong, "--home", "alice", "--json")
            #expect(refused.code == (wrong == number ? 0 : 77))
            let code = try #require(theirs["scannable"]?.string)
            try await tool.json("contact", "verify", "bobby", "--scanned", code, "--home", "alice")
            let listed = try await tool.json("contact", "list", "--home", "alice")
            #expect(listed["verified"]?.string != nil && listed["aliases"] == ["bobby"])
            let drawn = try await tool.run("contact", "show", "bobby", "--qr", "--home", "alice")
            #expect(drawn.out.contains("█") && drawn.out.contains("verified"))
            #expect(try await tool.run("contact", "accept", "bobby", "--home", "alice", "--json").code == 65)
            withExtendedLifetime(node) {}
        }

        @Test("a block holds at once here and, once published, at the node; the file and its passphrase follow")
        func identity() async throws {
            let (site, node) = try await Site.started()
            let tool = site.tool
            let alice = try await site.enrol("alice-r", home: "alice")
            let bob = try await site.enrol("bob-r", home: "bob")
            try await tool.json("send", "@" + bob, "first", "--home", "alice")
            try await Self.settle(tool)
            try await tool.json("contact", "block", alice, "--home", "bob")
            #expect(try await tool.read("bob").isEmpty)
            try tool.scratch.write("new words\n", to: "new")
            try await tool.json(
                "identity", "change-passphrase", "--passphrase-file", "passphrase", "--new-passphrase-file", "new",
                "--home", "bob")
            let old = try await tool.run(
                "identity", "publish", "--passphrase-file", "passphrase", "--home", "bob", "--json")
            #expect(old.code == 77)
            try await tool.json("identity", "publish", "--passphrase-file", "new", "--home", "bob")
            try await tool.json("identity", "export", "bob.json", "--home", "bob")
            #expect(try await tool.run("identity", "export", "bob.json", "--home", "bob", "--json").code == 65)
            let file = try await tool.json("identity", "export", "-", "--home", "bob")
            #expect(file["preferences"]?.object?["blocked_users"] == [.string(alice)])
            let checked = try await tool.json(
                "identity", "verify", "bob.json", "--unlock", "--passphrase-file", "new", "--home", "alice")
            #expect(checked["valid"]?.bool == true)
            // The node keeps it away now: it is not there when the block ends.
            try await tool.json("send", "@" + bob, "second", "--home", "alice")
            try await Self.settle(tool)
            try await tool.json("contact", "unblock", alice, "--home", "bob")
            #expect(try await tool.read("bob").map { $0["text"]?.string } == ["first"])
            withExtendedLifetime(node) {}
        }
    }
}
