import ArgumentParser
import GodwitLink
import GodwitProtocol

extension PeerCommand {
    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "link", abstract: "Links to a neighbour besides the main one.",
            subcommands: [Add.self, List.self, Remove.self])

        struct Add: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Add a link, or state one anew.",
                discussion: """
                    Each link has a profile, a budget, windows and ways of its own, and carries the classes that it \
                    names; the main link and others without --classes carry the rest. With --way file nobody calls \
                    over it: `godwit spool export --path NAME` writes what it carries.
                    """)

            @OptionGroup var home: HomeOptions
            @Argument(help: "Node id of the peer.")
            var peer: String
            @Option(help: "Name of the link: a-z, 0-9 and -, at most 32 characters.")
            var name: String
            @Option(help: "Network profile of the link.")
            var profile = "broadband"
            @Option(help: "Ways in the order to try them: file, or kinds and endpoints (default: all of the peer).")
            var way: String?
            @Option(help: "Classes that it carries, such as document,image,bulk (default: those that no link names).")
            var classes: String?
            @Option(
                name: .customLong("also-after"),
                help: "What it has not delivered in this time goes over the main link, too: 36h, 14d.")
            var alsoAfter: String?

            func run() async throws {
                var request: JSONObject = [
                    "request": "add_link", "node": .string(peer), "name": .string(name), "profile": .string(profile),
                ]
                if let way { request["ways"] = .string(way) }
                if let classes { request["classes"] = .string(classes) }
                if let alsoAfter {
                    guard let time = TimeSpan.read(alsoAfter) else {
                        throw ProtocolError.malformed(
                            "This is no time: \(alsoAfter)", member: "also_after", hint: "Examples: 90m, 36h, 14d.")
                    }
                    request["also_after"] = .integer(time.inMillisecondsRoundedUp)
                }
                try await Link.show(NodeControl.ask(request, home), home)
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "List the links to all neighbours, or to one.")

            @OptionGroup var home: HomeOptions
            @Argument(help: "Node id of the peer.")
            var peer: String?

            func run() async throws {
                let all = try await NodeControl.ask(["request": "peers"], home).array ?? []
                let peers = all.filter { peer ?? $0.object?["id"]?.string == $0.object?["id"]?.string }
                if home.json { return Console.value(.array(peers)) }
                Link.table(peers)
            }
        }

        struct Remove: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Remove a link; what was written for it and not acknowledged goes over the main one.")

            @OptionGroup var home: HomeOptions
            @Argument(help: "Node id of the peer.")
            var peer: String
            @Option(help: "Name of the link.")
            var name: String

            func run() async throws {
                let answer = try await NodeControl.ask(
                    ["request": "remove_link", "node": .string(peer), "name": .string(name)], home)
                if home.json { return Console.value(answer) }
                Console.out(
                    "Removed. \(answer.object?["moved_frames"]?.integer ?? 0) frames go over the main link now.")
            }
        }

        private static func show(_ peer: JSONValue, _ home: HomeOptions) {
            if home.json { return Console.value(peer) }
            table([peer])
        }

        private static func table(_ peers: [JSONValue]) {
            let rows = peers.compactMap(\.object).flatMap { peer in
                (peer["links"]?.array ?? []).compactMap(\.object).map { link in
                    func list(_ key: String) -> String {
                        (link[key]?.array ?? []).compactMap(\.string).joined(separator: ",")
                    }
                    let after = link["also_after_ms"]?.integer.map { TimeSpan.text(.milliseconds($0)) }
                    return [
                        peer["id"]?.string ?? "", link["name"]?.string ?? "", link["profile"]?.string ?? "",
                        list("ways"), list("classes"), after ?? "",
                    ]
                }
            }
            Console.table(["peer", "link", "profile", "ways", "carries", "main after"], rows)
        }
    }
}
