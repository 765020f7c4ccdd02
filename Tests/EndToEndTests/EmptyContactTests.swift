import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// What it costs to ask whether there is anything (issue 3: an empty contact).
    @Suite("Empty contacts")
    struct EmptyContactTests {
        enum Way: String, CaseIterable, Sendable { case tcp, udp }

        @Test(
            "one over a kept connection has at most 150 bytes of headers and body each way, 100 in datagrams",
            arguments: Way.allCases)
        func empty(way: Way) async throws {
            let tool = try Tool()
            let counter = try Counter(in: tool.scratch)
            let (port, udp) = (try Place.freePort(), try Place.freePort())
            let ports = try await counter.ask([
                "op": "start", "tcp": .integer(Int64(port)), "udp": .integer(Int64(udp)),
            ])
            let seen = ports[way.rawValue]?.integer ?? 0
            let south = try await Self.south(tool, way, port: port, udp: udp, seen: seen)
            let north = try await Site(tool, "north")
            try Self.profile(tool)
            let nodes = [try await north.start(), try await Self.start(tool, "south")]
            _ = try await north.enrol("alice-r", home: "alice")
            // South first, which does not call: the other one calls as soon as it knows this one.
            try await tool.json("peer", "add", north.descriptorFile, "--home", "south", "--no-call")
            try await tool.json("peer", "add", "south/node/node.json", "--home", "north", "--profile", "asking")
            // Something crosses before, so that there are frames to have been acknowledged.
            try await tool.json("send", "--home", "alice", "@\(south).nobody-there", "is anybody there?")
            for _ in 0..<200 {
                if try await !(tool.json("sync", "--home", "alice")["refused"]?.array ?? []).isEmpty { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            let before = try await counter.exchanges().count
            let idle = try await counter.exchanges(after: before + 2, count: 6)
            let most = (up: way == .tcp ? 150 : 100, down: way == .tcp ? 150 : 100)
            for one in idle.dropLast() {
                #expect(one.over == way.rawValue)
                #expect((60...most.up).contains(one.up) && (60...most.down).contains(one.down), "\(idle)")
            }
            #expect(Set(idle.map(\.connection)).count == 1, "one connection, kept")
            withExtendedLifetime(nodes) {}
        }

        /// A node that is reached through the counter.
        /// - Returns: its id.
        private static func south(_ tool: Tool, _ way: Way, port: Int, udp: Int, seen: Int64) async throws -> String {
            let endpoint = way == .tcp ? "http://127.0.0.1:\(seen)" : "udp://127.0.0.1:\(seen)"
            let made = try await tool.json(
                "node", "init", "--home", "south", "--name", "south", "--listen", "127.0.0.1:\(port)", "--listen-udp",
                "127.0.0.1:\(udp)", "--endpoint", endpoint)
            try tool.scratch.edit("south/node/node.yaml", "tls: true", "tls: false")
            return made["id"]?.string ?? ""
        }

        /// Asks twice a second whether there is anything.
        private static func profile(_ tool: Tool) throws {
            try tool.scratch.makeFolder("profiles")
            try tool.scratch.write(
                """
                name: asking
                network_profile:
                  type: satellite
                  bandwidth_up: 100000
                  bandwidth_down: 100000
                  latency: 20
                  packet_loss: 0
                poll:
                  min: 0.5
                  max: 0.5

                """, to: "profiles/asking.yaml")
            let folder = tool.scratch.path + "/profiles"
            try tool.scratch.edit("north/node/node.yaml", #"profiles: "profiles""#, #"profiles: "\#(folder)""#)
        }

        private static func start(_ tool: Tool, _ home: String) async throws -> Child {
            let child = try tool.start(["node", "run", "--home", home, "--json"])
            _ = try await child.line()
            return child
        }
    }

    /// Tests/Interop/counter.py.
    private final class Counter: Sendable {
        struct Exchange {
            var over: String
            var connection: Int64
            var up: Int
            var down: Int
        }
        private let child: Child

        init(in scratch: Scratch) throws {
            child = try Child(
                try Place.python(), ["-B", Place.root + "/Tests/Interop/counter.py"], in: scratch.path, input: nil)
        }

        func ask(_ request: JSONObject) async throws -> JSONObject {
            try child.send(request.canonicalBytes())
            return try JSONObject.parse(try await child.line())
        }

        func exchanges() async throws -> [Exchange] {
            (try await ask(["op": "report"])["exchanges"]?.array ?? []).compactMap(\.object).map { one in
                Exchange(
                    over: one["over"]?.string ?? "", connection: one["connection"]?.integer ?? 0,
                    up: Int(one["up"]?.integer ?? 0), down: Int(one["down"]?.integer ?? 0))
            }
        }

        /// So many exchanges behind the first ones, when they are there.
        func exchanges(after start: Int, count: Int) async throws -> ArraySlice<Exchange> {
            for _ in 0..<600 {
                let all = try await exchanges()
                if all.count >= start + count { return all[start..<start + count] }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw Place.Missing(description: "No contacts: \(try await exchanges())")
        }
    }
}
