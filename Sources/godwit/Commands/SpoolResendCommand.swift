import ArgumentParser
import GodwitProtocol

extension SpoolCommand {
    struct Resend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send the frame that holds an item over another link as well.",
            discussion: """
                For what travels by hand and is needed sooner. It is the same frame, with all that is in it, so the peer \
                takes it once, whichever comes first.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "Item as `spool list` names it, or a message id.")
        var item: String
        @Option(help: "Link that is to carry it.")
        var over: String
        @Option(help: "Only the frame for this node (default: for every peer that has such a link).")
        var to: String?

        func run() async throws {
            var request: JSONObject = ["request": "spool_resend", "item": .string(item), "over": .string(over)]
            if let to { request["to"] = .string(to) }
            let result = try await NodeControl.ask(request, home)
            if home.json { return Console.value(result) }
            for frame in (result.object?["frames"]?.array ?? []).compactMap(\.object) {
                Console.out(
                    "Frame \(frame["number"]?.integer ?? 0) for \(frame["peer"]?.string ?? ""), "
                        + "\(frame["bytes"]?.integer ?? 0) B, goes over \(over) now (was: \(frame["from"]?.string ?? ""))."
                )
            }
        }
    }
}
