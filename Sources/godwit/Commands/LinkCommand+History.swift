import ArgumentParser
import GodwitProtocol

extension LinkCommand {
    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what was measured of links, hour by hour, oldest first; 35 days are kept.")

        @OptionGroup var home: HomeOptions
        @Argument(help: "Id of the peer; without it all links.")
        var peer: String?
        @Option(help: "Only the last so many hours that had an exchange, 1 to 840.")
        var hours: Int64 = 840

        func run() async throws {
            var request: JSONObject = ["request": "link_history", "hours": .integer(hours)]
            if let peer { request["node"] = .string(peer) }
            let links = try await NodeControl.ask(request, home)
            if home.json { return Console.value(links) }
            for link in (links.array ?? []).compactMap(\.object) {
                Console.out(
                    ["peer", "path", "profile"].map { link[$0]?.string ?? "" }.joined(separator: " "))
                for hour in (link["hours"]?.array ?? []).compactMap(\.object) { Console.out("  " + Self.line(hour)) }
            }
        }

        private static func line(_ hour: JSONObject) -> String {
            func rate(_ key: String) -> String {
                guard let rate = hour[key]?.object else { return "no transfer long enough" }
                return "\(rate["mean"]?.integer ?? 0) bit/s (at most \(rate["max"]?.integer ?? 0))"
            }
            var parts = [
                "\(hour["exchanges"]?.integer ?? 0) exchanges",
                "\(hour["bytes_sent"]?.integer ?? 0) B up, \(hour["bytes_received"]?.integer ?? 0) B down",
                "up \(rate("rate_up"))", "down \(rate("rate_down"))",
            ]
            if let time = hour["round_trip_ms"]?.integer { parts.append("round trip \(time) ms") }
            let (sent, lost) = (hour["datagrams_sent"]?.integer ?? 0, hour["datagrams_lost"]?.integer ?? 0)
            if sent > 0 { parts.append("\(lost) of \(sent) datagrams lost") }
            return "\(hour["hour"]?.string ?? ""): " + parts.joined(separator: "; ")
        }
    }
}

extension LinkStatusLines {
    /// What of a link was measured, where it differs from what the profile says.
    static func rates(_ link: JSONObject) -> [String] {
        guard let rates = link["rates"]?.object else { return [] }
        let names = [
            ("bandwidth_up", "up", "bit/s"), ("bandwidth_down", "down", "bit/s"), ("latency_ms", "round trip", "ms"),
            ("packet_loss", "loss", ""),
        ]
        let parts = names.compactMap { key, name, unit -> String? in
            guard let rate = rates[key]?.object, let inForce = rate["in_force"]?.number else { return nil }
            let source = rate["source"]?.string ?? ""
            let least = rate["at_least"]?.bool == true && source == "measured" ? ", at least" : ""
            return "\(name) \(plain(inForce))\(unit.isEmpty ? "" : " " + unit) (\(source)\(least))"
        }
        return parts.isEmpty ? [] : ["  " + parts.joined(separator: ", ")]
    }
}
