import ArgumentParser
import GodwitNode
import GodwitProtocol
import GodwitSpool

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Make, run and look at a home node.",
        subcommands: [
            Init.self, Run.self, Status.self, Descriptor.self, Invite.self, Maintenance.self, Audit.self,
            ResetFactor.self, Reload.self, Backup.self, Restore.self, Verify.self, ExportUser.self,
            EraseUser.self,
        ])

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a node: keys, certificate, settings.",
            discussion: "Writes node.json (the signed descriptor to hand to peers), node.yaml, keys/ and tls/.")

        @OptionGroup var home: HomeOptions
        @Option(help: "Name for people.")
        var name = "Godwit node"
        @Option(help: "Address to listen on, host:port.")
        var listen = "127.0.0.1:7443"
        @Option(name: .customLong("listen-udp"), help: "Address to hear datagrams at, host:port; off without it.")
        var listenUDP: String?
        @Option(
            name: .customLong("listen-broadcast"), help: "Group to hear broadcasts of, address:port; off without it.")
        var listenBroadcast: String?
        @Option(name: .customLong("broadcast-interface"), help: "Network interface on which that group is joined.")
        var broadcastInterface: String?
        @Option(
            help: """
                Base URL at which others can call this node, https://host:port, or udp://host:port for datagrams; may \
                be given several times.
                """)
        var endpoint: [String] = []
        @Option(help: "Directory of the spool.")
        var spool: String?

        func run() async throws {
            var settings = NodeSettings(home)
            settings.spool = spool ?? settings.spool
            settings.listen = listen
            settings.listenUDP = listenUDP ?? ""
            settings.listenBroadcast = listenBroadcast ?? ""
            settings.broadcastInterface = broadcastInterface ?? ""
            _ = try settings.address()
            _ = try settings.datagramAddress()
            _ = try settings.broadcastAddress()
            let node = try NodeHome.create(
                in: home.nodeDirectory, name: name, endpoints: endpoint, at: Wiring.now)
            try DurableFile.write(Array(settings.yaml(for: home).utf8), to: home.nodeDirectory + "/node.yaml")
            if home.json {
                Console.json(["id": .string(node.id.text), "descriptor": .object(node.descriptor.object)])
            } else {
                Console.out("Made node \(node.id) in \(home.nodeDirectory).")
                Console.out("Run it with `godwit node run`; hand \(home.nodeDirectory)/node.json to its peers.")
            }
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run the node until SIGTERM or SIGINT.",
            discussion: "With --json it writes {\"event\":\"listening\",\"port\":N} once it takes connections.")

        @OptionGroup var home: HomeOptions
        @Option(help: "Address to listen on, host:port; goes before node.yaml.")
        var listen: String?
        @Option(help: "Directory of the spool; goes before node.yaml.")
        var spool: String?

        func run() async throws {
            var settings = try await NodeSettings.load(home)
            if let listen { settings.listen = listen }
            if let spool { settings.spool = spool }
            let json = home.json
            try await NodeProcess(home: home, settings: settings).run { port in
                if json {
                    Console.json(["event": "listening", "port": .integer(Int64(port))])
                } else {
                    Console.out("Listening on port \(port).")
                }
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what the node holds and for whom.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let status = try await NodeControl.ask(["request": "status"], home)
            guard !home.json, let fields = status.object else { return Console.value(status) }
            Console.out("node \(fields["id"]?.string ?? "?") (\(fields["name"]?.string ?? ""))")
            for key in ["users", "channels", "messages", "peers", "held", "for_moderators", "sockets"] {
                Console.out("  \(key.split(separator: "_").joined(separator: " ")): \(fields[key]?.integer ?? 0)")
            }
            if let heard = fields["broadcast"]?.object { Console.out("  " + Self.line(ofBroadcasts: heard)) }
            let queues = (fields["queues"]?.array ?? []).compactMap(\.object)
            guard !queues.isEmpty else { return Console.out("Nothing waits.") }
            Console.table(
                ["destination", "waiting", "bytes", "frames"],
                queues.map { queue in
                    [queue["destination"]?.string ?? ""]
                        + ["waiting", "bytes", "frames"].map { String(queue[$0]?.integer ?? 0) }
                })
        }

        private static func line(ofBroadcasts heard: JSONObject) -> String {
            func count(_ key: String) -> Int64 { heard[key]?.integer ?? 0 }
            return "broadcasts: \(count("objects")) objects whole, \(count("incomplete_objects")) dropped before, "
                + "\(count("damaged_objects")) damaged; records: \(count("records")) taken, "
                + "\(count("for_others")) for others, \(count("refused_records")) refused"
        }
    }

    struct Descriptor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the signed descriptor that peers and clients need.")

        @OptionGroup var home: HomeOptions

        func run() throws { Console.json(try NodeHome(directory: home.nodeDirectory).descriptor.object) }
    }
}
