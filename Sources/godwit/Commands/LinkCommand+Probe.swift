import ArgumentParser
import GodwitProtocol

extension LinkCommand {
    struct Probe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Measure a link with padding, up and down, at the expense of its budget.",
            discussion: "Over HTTPS only, to a peer that this node calls; the peer answers one probe a minute.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Id of the peer.")
        var peer: String
        @Option(help: "Name of the link, where the peer has several.")
        var path = "main"
        @Option(help: "Bytes up, at most 1048576.")
        var up: Int64 = 65_536
        @Option(help: "Bytes down, at most 1048576.")
        var down: Int64 = 65_536

        func run() async throws {
            let answer = try await NodeControl.ask(
                [
                    "request": "link_probe", "node": .string(peer), "path": .string(path), "up": .integer(up),
                    "down": .integer(down),
                ], home)
            if home.json { return Console.value(answer) }
            guard let probe = answer.object else { return }
            func rate(_ key: String) -> String { probe[key]?.integer.map { "\($0) bit/s" } ?? "too short to tell" }
            Console.out(
                "up \(rate("rate_up")), down \(rate("rate_down")), "
                    + "\(probe["bytes_sent"]?.integer ?? 0) B sent, \(probe["bytes_received"]?.integer ?? 0) B received "
                    + "in \(probe["duration_ms"]?.integer ?? 0) ms")
            if let time = probe["round_trip_ms"]?.integer { Console.out("round trip \(time) ms") }
            for line in LinkStatusLines.rates(probe) { Console.out(line) }
        }
    }
}
