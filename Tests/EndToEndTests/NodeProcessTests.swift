import Foundation
import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// A node as a process: how it starts, ends and says no (CFG, PRF rows).
    @Suite("Node process")
    struct NodeProcessTests {
        @Test("it ends within 15 seconds with exit code 0 and says nothing", arguments: [SIGTERM, SIGINT])
        func ends(signal: Int32) async throws {
            let site = try await Site(Tool(), "node")
            let node = try await site.start()
            let carol = try await ForeignClient.registered(site, "carol-f")
            node.kill(signal)
            let outcome = try await node.ended(within: .seconds(15))
            #expect(outcome.code == 0, "\(outcome)")
            #expect(outcome.complaint.isEmpty, "\(outcome)")
            // Its socket got a close frame: 1001, the node is shutting down.
            #expect(try await carol.ask(["op": "raw", "text": "{}"])["close"]?.integer == 1001)
            let again = try await site.start()
            #expect(try await carol.ask(["op": "open"])["result"] != nil)
            again.kill(SIGKILL)
            #expect(try await again.ended().code == -SIGKILL)
            withExtendedLifetime(try await site.start()) {}
        }

        @Test("what only the start needed of the program leaves the memory, and the node works on")
        func pages() async throws {
            let site = try await Site(Tool(), "node")
            let node = try await site.start()
            func mapped() throws -> Int {
                let status = try String(contentsOfFile: "/proc/\(node.pid)/status", encoding: .utf8)
                let line = status.split(separator: "\n").first { $0.hasPrefix("RssFile:") }
                return try #require(line?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            }
            var most = 0
            for _ in 0..<300 {
                let now = try mapped()
                most = max(most, now)
                if now * 2 < most { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(try mapped() * 4 < most * 3, "of \(most) kB")
            #expect(try await site.tool.json("node", "status", "--home", site.home)["id"]?.string == site.id)
        }

        @Test("a second process on the same spool is refused, and the hint names the first")
        func second() async throws {
            let site = try await Site(Tool(), "node")
            let node = try await site.start()
            let port = try Place.freePort()
            let outcome = try await site.tool.run(
                "node", "run", "--home", site.home, "--listen", "127.0.0.1:\(port)", "--json")
            #expect(outcome.code == 75)
            #expect(try outcome.error()["hint"]?.string?.contains("\(node.pid)") == true, "\(outcome)")
            #expect(try await site.tool.json("node", "status", "--home", site.home)["id"]?.string == site.id)
        }

        @Test("a taken port is refused with 69 and a hint; a home with too long a path for a socket with 65")
        func places() async throws {
            let site = try await Site(Tool(), "node")
            let node = try await site.start()
            let other = try await Site(site.tool, "other")
            let taken = try await site.tool.run(
                "node", "run", "--home", other.home, "--listen", "127.0.0.1:\(site.port)", "--json")
            #expect(taken.code == 69)
            #expect(try taken.error()["hint"]?.string?.contains("listen") == true, "\(taken)")
            let deep = String(repeating: "d", count: 110)
            try await site.tool.json("node", "init", "--home", deep, "--name", "deep", "--listen", "127.0.0.1:0")
            let long = try await site.tool.run("node", "run", "--home", deep, "--json")
            #expect(long.code == 65)
            #expect(try long.error()["hint"]?.string?.contains("--home") == true, "\(long)")
            withExtendedLifetime(node) {}
        }

        @Test("a profile with an unknown key is refused: file and key are named, the nearest key is suggested (PRF)")
        func unknownProfileKey() async throws {
            let site = try await Site(Tool(), "node")
            let scratch = site.tool.scratch
            try await Child("/usr/bin/mkdir", ["profiles"], in: scratch.path).ended().expectSuccess()
            try scratch.write(
                """
                name: hilltop
                network_profile:
                  type: satellite
                  bandwith_up: 9600
                  bandwidth_down: 9600
                  latency: 600
                  packet_loss: 0.01

                """, to: "profiles/hilltop.yaml")
            try scratch.edit("node/node/node.yaml", #"profiles: "profiles""#, #"profiles: "\#(scratch.path)/profiles""#)
            let outcome = try await site.tool.run("node", "run", "--home", site.home)
            #expect(outcome.code == 65)
            for part in ["hilltop.yaml", "bandwith_up", "bandwidth_up"] {
                #expect(outcome.complaint.contains(part), "\(outcome)")
            }
            try scratch.edit("profiles/hilltop.yaml", "bandwith_up", "bandwidth_up")
            let running = try await site.start()
            let peers = try await site.tool.run("peer", "list", "--home", site.home, "--json")
            #expect(peers.code == 0 && peers.out == "[]\n", "\(peers)")
            withExtendedLifetime(running) {}
        }

        @Test("a node that is started from another directory finds its spool, and what a relative --spool means stays")
        func elsewhere() async throws {
            let tool = try Tool()
            let scratch = tool.scratch
            try scratch.makeFolder("other/folder")
            let port = try Place.freePort()
            let listen = ["--listen", "127.0.0.1:\(port)", "--endpoint", "https://127.0.0.1:\(port)"]
            for (home, spool) in [("inside", []), ("outside", ["--spool", "kept"])] as [(String, [String])] {
                try await tool.start(["node", "init", "--home", home] + listen + spool).ended().expectSuccess()
                try scratch.write("correct horse battery staple\n", to: "passphrase")
                let first = try tool.start(["node", "run", "--home", home, "--json"])
                _ = try await first.line()
                try await tool.json(
                    "identity", "create", "alice-r", "--home", home + "-alice", "--node", home + "/node/node.json",
                    "--passphrase-file", "passphrase")
                try await tool.json("register", "--home", home + "-alice", "--passphrase-file", "passphrase")
                first.kill(SIGTERM)
                _ = try await first.ended()
                let second = try Child(
                    try Place.godwit(), ["node", "run", "--home", "\(scratch.path)/\(home)", "--json"],
                    in: scratch.path + "/other/folder")
                _ = try await second.line()
                #expect(try await tool.json("node", "status", "--home", home)["users"]?.integer == 1, "\(home)")
                second.kill(SIGTERM)
                _ = try await second.ended()
                #expect(try !scratch.files(under: "other").contains { $0.contains("sqlite") })
            }
            #expect(try scratch.files(under: "kept").contains("kept/spool.sqlite"))
            #expect(try scratch.files(under: "inside").contains("inside/node/spool/spool.sqlite"))
        }

        @Test("an unknown key in node.yaml is refused by name")
        func unknownSetting() async throws {
            let site = try await Site(Tool(), "node")
            try site.tool.scratch.edit("node/node/node.yaml", "registration:", "registraton:")
            let outcome = try await site.tool.run("node", "run", "--home", site.home, "--json")
            #expect(outcome.code == 65)
            #expect(try outcome.error()["details"]?.object?["member"]?.string == "registraton")
            #expect(try outcome.error()["hint"]?.string?.contains("registration") == true)
        }

        @Test("peers: an altered descriptor, an unknown profile and an unknown peer are refused by name")
        func peers() async throws {
            let tool = try Tool()
            let (own, other) = (try await Site(tool, "own"), try await Site(tool, "other"))
            let file = other.descriptorFile
            try tool.scratch.edit(file, "\"name\":\"other\"", "\"name\":\"mother\"", as: "altered.json")
            let altered = try await tool.run("peer", "add", "altered.json", "--home", own.home, "--json")
            #expect(altered.code == 77)
            #expect(try altered.error()["number"]?.integer == 1000)
            let profile = try await tool.run(
                "peer", "add", file, "--home", own.home, "--profile", "moonbounce", "--json")
            #expect(profile.code == 65)
            #expect(try profile.error()["hint"]?.string?.contains("satellite") == true)
            let unknown = try await tool.run("spool", "export", "--home", own.home, "--to", other.id, "x", "--json")
            #expect(unknown.code == 69)
            #expect(try unknown.error()["number"]?.integer == 3000)
            #expect(try await tool.run("spool", "export", "--home", own.home, "--to", "ab", "x").code == 65)
            try await tool.json("peer", "add", file, "--home", own.home)
            let exported = try await tool.json("spool", "export", "--home", own.home, "--to", other.id, "x")
            #expect(exported["frames"]?.integer == 0, "the node need not run for that")
        }
    }
}

extension Outcome {
    func expectSuccess() { #expect(code == 0, "\(self)") }
}
