import ArgumentParser
import GodwitLink
import GodwitProtocol

struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer", abstract: "Neighbours of the node.", subcommands: [Add.self, List.self, Link.self])

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
        @Option(help: "Device of a serial line at whose other end the peer is, such as /dev/ttyUSB0.")
        var serial: String?
        @Option(help: "Bit rate of the serial line (default: \(SerialEndpoint.baudDefault)).")
        var baud: Int?
        @Option(help: "Bytes of the largest frame on the serial line (default: \(SerialEndpoint.mtuDefault)).")
        var mtu: Int?
        @Option(help: "Ways to the peer in the order to try them, such as serial,udp,https.")
        var order: String?
        @Option(help: "Classes that the main link carries (default: those that no link to the peer names).")
        var classes: String?

        func run() async throws {
            guard serial != nil || (baud == nil && mtu == nil) else {
                throw ProtocolError.malformed("--baud and --mtu belong to --serial.", member: "serial")
            }
            var request: JSONObject = [
                "request": "add_peer", "descriptor": .object(try JSONObject.parse(Wiring.read(descriptor))),
                "profile": .string(profile), "trust": .string(trust),
            ]
            if let call { request["calls"] = .bool(call) }
            if let serial {
                let line = try SerialEndpoint(
                    device: serial, baud: baud ?? SerialEndpoint.baudDefault, mtu: mtu ?? SerialEndpoint.mtuDefault)
                request["serial"] = .string(line.text)
            }
            if let order { request["order"] = .string(order) }
            if let classes { request["classes"] = .string(classes) }
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
