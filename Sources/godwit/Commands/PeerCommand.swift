import ArgumentParser
import GodwitProtocol

struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer", abstract: "Neighbours of the node.", subcommands: [Add.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a neighbour by its descriptor.",
            discussion: """
                The descriptor's signature, and that the node id follows from its key, are checked; the key is pinned.
                A second key for a known id is refused.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "File with the peer's descriptor (`godwit node descriptor` there), or -.")
        var descriptor: String
        @Option(help: "Network profile of the link.")
        var profile = "broadband"
        @Option(help: "trusted, monitored, unknown or blocked.")
        var trust = "trusted"
        @Flag(inversion: .prefixedNo, help: "Call the peer (default: if it has an endpoint).")
        var call: Bool?

        func run() async throws {
            var request: JSONObject = [
                "request": "add_peer", "descriptor": .object(try JSONObject.parse(Wiring.read(descriptor))),
                "profile": .string(profile), "trust": .string(trust),
            ]
            if let call { request["calls"] = .bool(call) }
            let peer = try await NodeControl.ask(request, home)
            if home.json { return Console.value(peer) }
            Console.out("Added \(peer.object?["id"]?.string ?? "") (\(peer.object?["name"]?.string ?? "")).")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List neighbours.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let peers = try await NodeControl.ask(["request": "peers"], home)
            if home.json { return Console.value(peers) }
            let rows = (peers.array ?? []).compactMap(\.object).map { peer in
                ["id", "name", "trust", "profile"].map { peer[$0]?.string ?? "" }
                    + [peer["calls"]?.bool ?? false ? "called" : "calls"]
            }
            Console.table(["id", "name", "trust", "profile", "link"], rows)
        }
    }
}
