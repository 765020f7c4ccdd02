import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// Live links between real processes, and from another implementation (docs/protocol.md §8.4).
    @Suite("Live links")
    struct LiveLinkTests {
        @Test("a foreign client opens the endpoint over pinned TLS, exchanges, and gets the right refusals")
        func foreign() async throws {
            let (site, node) = try await Site.started()
            let carol = try await ForeignClient.registered(site, "carol-f")
            func live(_ messages: [JSONValue], subprotocol: String = "dcp-batch-v1") async throws -> JSONObject {
                try await carol.ask([
                    "op": "live", "messages": .array(messages), "subprotocol": .string(subprotocol),
                ])
            }
            let end: JSONValue = ["bytes": ""]
            let good = try await live([["frame": .null], end])
            let answers = good["answers"]?.array ?? []
            #expect(good["end"]?.bool == true && answers.count == 1, "\(good.canonicalText)")
            // Header and seal of a frame alone have 58 bytes.
            #expect(Base64.decode(answers.first?.object?["record"]?.string ?? "")?.count ?? 0 >= 58)

            let garbage = Base64.encode([UInt8](repeating: 0xAB, count: 200))
            let large = Base64.encode([UInt8](repeating: 1, count: 65_601))
            let refusals: [(name: String, messages: [JSONValue], error: String?, close: Int64)] = [
                ("text", [["text": "{}"]], nil, 1003),
                ("a frame for somebody else", [["frame": "zzzzzzzz"], end], "INVALID_CREDENTIALS", 4400),
                ("garbage", [["bytes": .string(garbage)]], "INVALID_MESSAGE_FORMAT", 4400),
                ("no record", [end], "INVALID_MESSAGE_FORMAT", 4400),
                ("too large a record", [["bytes": .string(large)]], nil, 1009),
            ]
            for one in refusals {
                let answer = try await live(one.messages)
                let error = answer["answers"]?.array?.first?.object?["error"]?.object?["code"]?.string
                let close = answer["close"]?.integer
                #expect(error == one.error && close == one.close, "\(one.name): \(answer.canonicalText)")
            }
            #expect(try await live([], subprotocol: "dcp-v1")["status"]?.integer == 426)
            withExtendedLifetime(node) {}
        }

        @Test("a broadband peer with a wss endpoint is called over it, and messages cross both ways")
        func nodes() async throws {
            let tool = try Tool()
            let north = try await Site(tool, "north")
            let port = try Place.freePort()
            let made = try await tool.json(
                "node", "init", "--home", "south", "--name", "south", "--listen", "127.0.0.1:\(port)", "--endpoint",
                "https://127.0.0.1:\(port)", "--endpoint", "wss://127.0.0.1:\(port)")
            let south = made["id"]?.string ?? ""
            let running = try tool.start(["node", "run", "--home", "south", "--json"])
            _ = try await running.line()
            let nodes = [try await north.start(), running]
            let alice = try await north.enrol("alice-r", home: "alice")
            try await tool.json(
                "identity", "create", "bob-s", "--home", "bob", "--node", "south/node/node.json", "--passphrase-file",
                "passphrase")
            try await tool.json("register", "--home", "bob", "--passphrase-file", "passphrase")
            try await tool.json("peer", "add", north.descriptorFile, "--home", "south", "--no-call")
            try await tool.json("peer", "add", "south/node/node.json", "--home", north.home, "--profile", "broadband")
            try await tool.json("send", "--home", "alice", "@\(south).bob-s", "along the live link")
            try await Self.talk(tool, from: "alice", to: "bob", ["along the live link"])
            let links = try JSONValue.parse(try await tool.run("link", "status", "--home", "north", "--json").out)
            let ways = links.array?.first?.object?["ways"]?.array?.compactMap(\.object) ?? []
            #expect(ways.first?["endpoint"]?.string == "wss://127.0.0.1:\(port)" && ways.count == 2)
            #expect(ways.first?["last_used"]?.bool == true && ways.first?["last_error"] == .null, "\(ways)")
            try await tool.json("send", "--home", "bob", "@\(alice)", "and back")
            try await Self.talk(tool, from: "bob", to: "alice", ["and back"])
            withExtendedLifetime(nodes) {}
        }

        private static func talk(_ tool: Tool, from: String, to: String, _ texts: [String]) async throws {
            let end = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < end {
                try await tool.json("sync", "--home", from)
                try await tool.json("sync", "--home", to)
                if try await tool.texts(to).suffix(texts.count) == texts[...] { return }
                try await Task.sleep(for: .milliseconds(200))
            }
            Issue.record("nothing came: \(try await tool.json("node", "status", "--home", "north").canonicalText)")
        }
    }
}
