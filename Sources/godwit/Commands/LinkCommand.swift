import ArgumentParser
import GodwitProtocol

struct LinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Links to neighbours.", subcommands: [Status.self, Broadcast.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show each link: state, tier, what waits by class, bytes, and when all of it will have gone.")

        @OptionGroup var home: HomeOptions

        func run() async throws {
            let links = try await NodeControl.ask(["request": "links"], home)
            if home.json { return Console.value(links) }
            for link in (links.array ?? []).compactMap(\.object) {
                let tier = link["tier"]?.object
                Console.out(
                    "\(link["peer"]?.string ?? "") \(link["profile"]?.string ?? ""): \(link["phase"]?.string ?? ""), "
                        + "tier \(tier?["up"]?.integer ?? 0) up \(tier?["down"]?.integer ?? 0) down, "
                        + "\(link["bytes_sent"]?.integer ?? 0) B sent, \(link["bytes_received"]?.integer ?? 0) B received"
                )
                for queue in (link["queue"]?.array ?? []).compactMap(\.object) {
                    for line in LinkStatusLines.queue(queue) { Console.out(line) }
                }
                for way in (link["ways"]?.array ?? []).compactMap(\.object) { Console.out("  " + line(of: way)) }
                for line in LinkStatusLines.outlook(link) { Console.out(line) }
                if let error = link["last_error"]?.object {
                    Console.out("  last error: \(error["message"]?.string ?? "") (\(error["code"]?.string ?? ""))")
                }
                if let seconds = link["forecast_seconds"]?.number, seconds > 0 {
                    Console.out("  all of it will have gone in about \(Int(seconds.rounded(.up))) s of link time")
                }
            }
        }
    }
}
