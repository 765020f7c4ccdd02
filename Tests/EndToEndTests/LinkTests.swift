import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// What a link carries, as real processes measure it and tell it (NET-05, NET-06, NET-09, G-72).
    @Suite("Links")
    struct LinkTests {
        @Test("a link is probed over TLS, its history is kept, and a long text for a thin link goes in parts")
        func thin() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Site(tool, "south"))
            let nodes = [try await north.start(), try await south.start()]
            _ = try await north.enrol("alice-r", home: "alice")
            _ = try await south.enrol("bob-s", home: "bob")
            try await tool.json("peer", "add", north.descriptorFile, "--home", "south", "--no-call")
            try await tool.json("peer", "add", south.descriptorFile, "--home", "north", "--profile", "satellite")
            let probe = try await Self.probe(tool, south.id)
            #expect(probe["bytes_sent"]?.integer ?? 0 > 40_000 && probe["bytes_received"]?.integer ?? 0 > 50_000)
            #expect(probe["rates"]?.object?["bandwidth_up"]?.object?["profile"] == 9_600)
            let again = try await tool.run("link", "probe", south.id, "--home", "north", "--json")
            #expect(again.code == 75 && again.out.isEmpty, "one a minute: \(again)")
            let history = try JSONValue.parse(
                try await tool.run("link", "history", south.id, "--home", "north", "--json").out)
            let hours = history.array?.first?.object?["hours"]?.array
            #expect(hours?.first?.object?["bytes_sent"]?.integer ?? 0 > 40_000, "\(history)")
            let text = String(repeating: "The water stands at the second step. ", count: 9)
            let parts = try await Self.parts(tool, "@\(south.id).bob-s", text)
            #expect(parts.count == 3 && parts.allSatisfy { $0["parts"] == 3 }, "\(parts)")
            #expect(parts.first?["link"]?.object?["text_max"] == 140)
            let whole = try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", text, "--wait")
            #expect(whole["parts"] == 1)
            withExtendedLifetime(nodes) {}
        }

        /// A probe in a moment without a contact.
        private static func probe(_ tool: Tool, _ node: String) async throws -> JSONObject {
            for _ in 0..<100 {
                let outcome = try await tool.run(
                    "link", "probe", node, "--home", "north", "--json", "--up", "40000", "--down", "50000")
                if outcome.code == 0 { return try JSONValue.parse(outcome.out).object ?? [:] }
                try await Task.sleep(for: .milliseconds(200))
            }
            throw Place.Missing(description: "no probe went through")
        }

        /// Sends the text when the device was told of the link.
        private static func parts(_ tool: Tool, _ target: String, _ text: String) async throws -> [JSONObject] {
            var sent: [JSONObject] = []
            for _ in 0..<50 where sent.count < 2 {
                try await tool.json("sync", "--home", "alice")
                sent = try await tool.run("send", "--home", "alice", target, text, "--json").out.split(separator: "\n")
                    .map { try JSONObject.parse(Array($0.utf8)) }
                try await Task.sleep(for: .milliseconds(200))
            }
            return sent
        }
    }
}
