import Foundation
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// Nodes that hear and cannot answer: erasure coding and multicast (issue "Carriers": one-way links, broadcast sites).
    @Suite("Broadcast")
    struct BroadcastTests {
        @Test(
            "over a one-way link that loses a fifth, doubles and swaps, every message arrives once; acknowledgements come back by hand"
        )
        func lossy() async throws {
            let tool = try Tool()
            let (north, south) = (try await Site(tool, "north"), try await Self.listener(tool, "south"))
            let nodes = [try await north.start(), try await south.site.start()]
            try await Self.meet(tool, north, south.site, ["alice-r"], ["bob-s"])
            let texts = (0..<24).map { "\($0) " + Corpus.noise(1_500, seed: UInt64($0)) }
            try await Self.write(tool, texts, from: "alice", to: "@\(south.site.id).bob-s")

            let relay = try LossyRelay(to: south.port, loss: 0.2, seed: 20)
            let sent = try await tool.json(
                "link", "broadcast", "--home", north.home, "--to", "udp://127.0.0.1:\(relay.port)", "--peers",
                south.site.id, "--redundancy", "0.5", "--repeat", "2", "--rate", "3000000")
            #expect(sent["datagrams"]?.integer ?? 0 > 60, "\(sent.canonicalText)")
            let objects = sent["objects"]?.integer ?? 0
            let heard = try await Self.heard(tool, "south") { $0["objects"]?.integer == objects }
            #expect(objects >= 1 && heard["items"]?.integer ?? 0 >= 24 && heard["damaged_objects"]?.integer == 0)
            #expect(heard["refused_records"]?.integer == 0 && heard["for_others"]?.integer == 0)
            try await tool.json("sync", "--home", "bob")
            #expect(try await tool.texts("bob") == texts)
            let seen = relay.seen
            #expect(seen.lost > seen.came / 8 && seen.doubled > 0 && seen.swapped > 0, "\(seen)")

            // Until word comes back everything is in custody here.
            #expect(try await Self.inCustody(tool, "north") == 24)
            try await tool.json("spool", "export", "--home", "south", "--to", north.id, "word")
            let word = try await tool.json("spool", "import", "--home", "north", "word")
            #expect(word["released"]?.integer ?? 0 >= 24)
            #expect(try await Self.inCustody(tool, "north") == 0)
            let more = try await tool.run(
                "link", "broadcast", "--home", "north", "--to", "udp://127.0.0.1:\(relay.port)")
            #expect(more.code == 0 && more.out.contains("Nothing waits"), "\(more)")
            withExtendedLifetime(nodes) {}
        }

        @Test("one broadcast to a multicast group serves two sites, each of which passes over what is for the other")
        func group() async throws {
            let tool = try Tool()
            let group = "239.192.74.43:\(try Place.freePort())"
            let north = try await Site(tool, "north")
            let (south, east) = (
                try await Self.listener(tool, "south", at: group), try await Self.listener(tool, "east", at: group)
            )
            let nodes = [try await north.start(), try await south.site.start(), try await east.site.start()]
            try await Self.meet(tool, north, south.site, ["alice-r"], ["bob-s"])
            try await Self.meet(tool, north, east.site, [], ["eve-t"])
            try await Self.write(tool, ["to the south"], from: "alice", to: "@\(south.site.id).bob-s")
            try await Self.write(tool, ["to the east"], from: "alice", to: "@\(east.site.id).eve-t")
            let sent = try await tool.json(
                "link", "broadcast", "--home", "north", "--to", "udp://\(group)", "--interface", "lo", "--rate",
                "1000000")
            #expect(sent["peers"]?.array?.count == 2)
            for home in ["south", "east"] {
                let heard = try await Self.heard(tool, home) { $0["objects"]?.integer ?? 0 >= 1 }
                #expect(heard["items"]?.integer ?? 0 >= 1 && heard["for_others"]?.integer ?? 0 >= 2, "\(heard)")
                #expect(heard["refused_records"]?.integer == 0)
                let told = try await tool.run("node", "status", "--home", home)
                #expect(told.out.contains("broadcasts: 1 objects whole"), "\(told)")
            }
            for (home, text) in [("bob", "to the south"), ("eve", "to the east")] {
                try await tool.json("sync", "--home", home)
                #expect(try await tool.texts(home) == [text])
            }
            withExtendedLifetime(nodes) {}
        }

        @Test("a wrong address, share, rate, interface or peer is refused by name")
        func settings() async throws {
            let tool = try Tool()
            let (own, other) = (try await Site(tool, "own"), try await Site(tool, "other"))
            try await tool.json("peer", "add", other.descriptorFile, "--home", "own", "--no-call")
            let cases: [([String], String, Int32)] = [
                (["--to", "https://127.0.0.1:9"], "to", 65), (["--redundancy", "3.5"], "redundancy", 65),
                (["--rate", "9"], "rate", 65), (["--repeat", "0"], "repeat", 65), (["--hops", "256"], "hops", 65),
                (["--max-bytes", "511"], "max_bytes", 65), (["--interface", "lo"], "interface", 65),
            ]
            for (arguments, member, code) in cases {
                let to = arguments.contains("--to") ? [] : ["--to", "udp://127.0.0.1:9"]
                let outcome = try await tool.start(
                    ["link", "broadcast", "--home", own.home, "--json", "--peers", other.id] + to + arguments
                ).ended()
                #expect(outcome.code == code, "\(arguments): \(outcome)")
                #expect(try outcome.error()["details"]?.object?["member"]?.string == member, "\(arguments)")
            }
            let node = try tool.start(
                ["node", "run", "--home", "own", "--json"],
                environment: ["GODWIT_LISTEN_BROADCAST": "239.1.2.3:9", "GODWIT_BROADCAST_INTERFACE": "nosuch0"])
            let refused = try await node.ended()
            #expect(refused.code == 65 && refused.complaint.contains("no network interface"), "\(refused)")
            let stranger = try await tool.run(
                "link", "broadcast", "--home", "own", "--to", "udp://127.0.0.1:9", "--peers", "abcdefgh")
            #expect(stranger.code == 69)
            let wrong = try await tool.run(
                "node", "init", "--home", "wrong", "--listen-broadcast", "239.1.2.3", "--json")
            #expect(wrong.code == 65)
            #expect(try wrong.error()["details"]?.object?["member"]?.string == "listen_broadcast")
            let environment = try await tool.run(
                "node", "status", "--home", "own", "--json", environment: ["GODWIT_LISTEN_BROADCAST": "239.1.2.3"])
            #expect(try environment.error()["details"]?.object?["member"]?.string == "listen_broadcast")
            let lonely = try await tool.run("node", "init", "--home", "wrong", "--broadcast-interface", "lo", "--json")
            #expect(try lonely.error()["details"]?.object?["member"]?.string == "broadcast_interface")
        }

        // MARK: Parts

        private struct Listener {
            var site: Site
            var port: Int
        }

        /// A node that hears broadcasts: of a group on loopback, or at a port of its own.
        private static func listener(_ tool: Tool, _ home: String, at group: String? = nil) async throws -> Listener {
            let site = try await Site(tool, home)
            let port = try Place.freePort()
            let address = group ?? "127.0.0.1:\(port)"
            try tool.scratch.edit(
                home + "/node/node.yaml", "#listen_broadcast: \"239.192.74.43:7444\"",
                "listen_broadcast: \"\(address)\"")
            if group != nil {
                try tool.scratch.edit(
                    home + "/node/node.yaml", "#broadcast_interface: \"eth1\"", "broadcast_interface: \"lo\"")
            }
            return Listener(site: site, port: port)
        }

        /// Users at both nodes, which know each other and have no link.
        private static func meet(
            _ tool: Tool, _ one: Site, _ other: Site, _ users: [String], _ others: [String]
        ) async throws {
            for name in users { _ = try await one.enrol(name, home: String(name.split(separator: "-")[0])) }
            for name in others { _ = try await other.enrol(name, home: String(name.split(separator: "-")[0])) }
            for (own, peer) in [(one, other), (other, one)] {
                try await tool.json("peer", "add", peer.descriptorFile, "--home", own.home, "--no-call")
            }
        }

        /// Sends texts, after keys were asked for and answered by hand.
        private static func write(
            _ tool: Tool, _ texts: [String], from home: String, to destination: String
        ) async throws {
            for text in texts {
                let sent = try await tool.run("send", "--home", home, destination, "-", input: Array(text.utf8))
                #expect(sent.code == 0, "\(sent)")
            }
            try await tool.json("sync", "--home", home)
            let there = destination.contains("bob") ? "south" : "east"
            for (from, to) in [("north", there), (there, "north")] {
                let id = try JSONObject.parse(try tool.scratch.bytes(to + "/node/node.json"))["id"]?.string ?? ""
                try await tool.json("spool", "export", "--home", from, "--to", id, "keys")
                try await tool.json("spool", "import", "--home", to, "keys")
            }
            try await tool.json("sync", "--home", home)
        }

        /// What a node says of broadcasts, once it is as it has to be.
        private static func heard(
            _ tool: Tool, _ home: String, until isEnough: (JSONObject) -> Bool
        ) async throws -> JSONObject {
            let end = ContinuousClock.now + .seconds(30)
            var heard: JSONObject = [:]
            while ContinuousClock.now < end {
                heard = try await tool.json("node", "status", "--home", home)["broadcast"]?.object ?? [:]
                if isEnough(heard) { return heard }
                try await Task.sleep(for: .milliseconds(100))
            }
            Issue.record("\(home) has heard only \(heard.canonicalText)")
            return heard
        }

        private static func inCustody(_ tool: Tool, _ home: String) async throws -> Int {
            let list = try await tool.run("spool", "list", "--home", home, "--json")
            return try list.value().array?.compactMap(\.object).count { $0["kind"]?.string == "message" } ?? -1
        }
    }
}
