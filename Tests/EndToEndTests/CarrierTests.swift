import Foundation
import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// Several ways to one peer, and nodes on a serial line (issue "Carriers": failover, cost order, serial over a pty).
    @Suite("Carriers")
    struct CarrierTests {
        @Test("where nobody hears datagrams HTTPS takes over within the contact, and the status says which way and why")
        func failover() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Self.deadDatagrams(tool))
            let nodes = [try await north.start(), try await Self.start(south)]
            _ = try await north.enrol("alice-r", home: "alice")
            try await Self.enrol("bob-s", at: south)
            // In this order: the other one calls as soon as it knows this one.
            try await tool.json("peer", "add", north.descriptorFile, "--home", "south", "--no-call")
            try await tool.json("peer", "add", south.descriptor, "--home", north.home, "--profile", "satellite")
            try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", "over whatever works")
            try await Self.talk(tool, ["over whatever works"])
            let ways = try await Self.ways(tool, "north")
            try #require(ways.count == 2)
            #expect(ways[0]["endpoint"]?.string?.hasPrefix("udp://") == true, "a thin link begins with datagrams")
            #expect(ways[0]["last_error"]?.object?["code"]?.string == "NODE_UNREACHABLE")
            #expect(ways[0]["last_used"]?.bool == false && ways[0]["retry_ms"]?.integer ?? 0 > 0)
            #expect(ways[1]["endpoint"]?.string?.hasPrefix("https://") == true)
            #expect(ways[1]["last_used"]?.bool == true && ways[1]["last_error"] == .null)
            let told = try await tool.run("link", "status", "--home", "north")
            #expect(told.out.contains(", used last") && told.out.contains("Preferred again in"), "\(told)")
            withExtendedLifetime(nodes) {}
        }

        @Test("two nodes whose operators put a serial line first talk over it, both calling, with HTTPS at hand")
        func serial() async throws {
            let tool = try Tool()
            let cable = try Cable(in: tool.scratch.path)
            let (north, south) = (try await Site(tool, "north"), try await Site(tool, "south"))
            let nodes = [try await north.start(), try await south.start()]
            _ = try await north.enrol("alice-r", home: "alice")
            _ = try await south.enrol("bob-s", home: "bob")
            for (own, other, device) in [(north, south, cable.left), (south, north, cable.right)] {
                let added = try await tool.json(
                    "peer", "add", other.descriptorFile, "--home", own.home, "--profile", "satellite", "--serial",
                    device, "--baud", "115200", "--order", "serial")
                #expect(added["serial"]?.string == "serial://\(device)?baud=115200")
            }
            try await tool.json("send", "--home", "alice", "@\(south.id).bob-s", "along the wire")
            try await Self.talk(tool, ["along the wire"])
            for home in ["north", "south"] {
                let ways = try await Self.ways(tool, home)
                #expect(ways.first?["endpoint"]?.string?.hasPrefix("serial://") == true)
                #expect(ways.first?["last_used"]?.bool == true && ways.first?["last_error"] == .null, "\(ways)")
                #expect(ways.first?["failures"]?.integer == 0 && ways.last?["last_used"]?.bool == false)
            }
            #expect(cable.carried > 500)
            withExtendedLifetime(nodes) {}
        }

        @Test("a wrong device, rate or order is refused by name (65)")
        func settings() async throws {
            let tool = try Tool()
            let (own, other) = (try await Site(tool, "own"), try await Site(tool, "other"))
            func add(_ arguments: String...) async throws -> Outcome {
                try await tool.start(["peer", "add", other.descriptorFile, "--home", own.home, "--json"] + arguments)
                    .ended()
            }
            let cases: [([String], String)] = [
                (["--serial", "ttyUSB0"], "serial"), (["--serial", "/dev/ttyUSB0", "--baud", "9601"], "baud"),
                (["--serial", "/dev/ttyUSB0", "--mtu", "39"], "mtu"), (["--baud", "9600"], "serial"),
                (["--order", "pigeon"], "order"),
            ]
            for (arguments, member) in cases {
                let outcome = try await tool.start(
                    ["peer", "add", other.descriptorFile, "--home", own.home, "--json"] + arguments
                ).ended()
                #expect(outcome.code == 65, "\(arguments): \(outcome)")
                #expect(try outcome.error()["details"]?.object?["member"]?.string == member, "\(arguments)")
            }
            #expect(try await add("--serial", "/dev/ttyUSB0", "--mtu", "40", "--order", "serial,https").code == 0)
        }

        // MARK: Parts

        /// Alice's node hands over what she sent, and bob reads it.
        private static func talk(_ tool: Tool, _ texts: [String]) async throws {
            let end = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < end {
                try await tool.json("sync", "--home", "alice")
                try await tool.json("sync", "--home", "bob")
                if try await tool.texts("bob") == texts { return }
                try await Task.sleep(for: .milliseconds(200))
            }
            Issue.record("nothing came: \(try await tool.json("node", "status", "--home", "north").canonicalText)")
        }

        private static func ways(_ tool: Tool, _ home: String) async throws -> [JSONObject] {
            let links = try JSONValue.parse(try await tool.run("link", "status", "--home", home, "--json").out)
            return links.array?.first?.object?["ways"]?.array?.compactMap(\.object) ?? []
        }

        private struct South: Sendable {
            var tool: Tool
            var id: String
            var port: Int
            var descriptor: String { "south/node/node.json" }
        }

        /// A node that says it hears datagrams, and does not.
        private static func deadDatagrams(_ tool: Tool) async throws -> South {
            let (port, dead) = (try Place.freePort(), try Place.freePort())
            let made = try await tool.json(
                "node", "init", "--home", "south", "--name", "south", "--listen", "127.0.0.1:\(port)", "--endpoint",
                "https://127.0.0.1:\(port)", "--endpoint", "udp://127.0.0.1:\(dead)")
            return South(tool: tool, id: made["id"]?.string ?? "", port: port)
        }

        private static func start(_ south: South) async throws -> Child {
            let child = try south.tool.start(["node", "run", "--home", "south", "--json"])
            _ = try await child.line()
            return child
        }

        private static func enrol(_ name: String, at south: South) async throws {
            try await south.tool.json(
                "identity", "create", name, "--home", "bob", "--node", south.descriptor, "--passphrase-file",
                "passphrase")
            try await south.tool.json("register", "--home", "bob", "--passphrase-file", "passphrase")
        }
    }
}
