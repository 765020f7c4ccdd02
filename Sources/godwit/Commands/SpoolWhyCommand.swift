import ArgumentParser
import GodwitProtocol

extension SpoolCommand {
    struct Why: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what holds an item, what will move it, when, and at what cost.",
            discussion: """
                For each destination: its state, what is ahead of it, what keeps it here and until when, and a forecast. \
                The cost is estimated by writing the item into a trial frame with others that wait for the same \
                destination. The forecast takes the profile's rate and losses and what is more urgent or older; it does \
                not know what will still come.
                """)

        @OptionGroup var home: HomeOptions
        @Argument(help: "Item as `spool list` names it, or a message id.")
        var item: String

        func run() async throws {
            let answer = try await NodeControl.ask(["request": "spool_why", "item": .string(item)], home)
            if home.json { return Console.value(answer) }
            guard let object = answer.object else { return }
            for copy in (object["copies"]?.array ?? []).compactMap(\.object) { show(copy) }
            for gone in (object["gone"]?.array ?? []).compactMap(\.object) { Console.out(gone["words"]?.string ?? "") }
        }

        private func show(_ copy: JSONObject) {
            func text(_ key: String) -> String { copy[key]?.string ?? "" }
            Console.out(
                "\(text("destination")): \(text("state")), class \(text("class")), \(copy["bytes"]?.integer ?? 0) B")
            let paths = (copy["paths"]?.array ?? []).compactMap(\.object)
            let path = text("path")
            if !path.isEmpty, paths.count > 1 || path != "main" { Console.out("  over the link \(path)") }
            for hold in (copy["holds"]?.array ?? []).compactMap(\.object) {
                Console.out("  " + (hold["words"]?.string ?? ""))
            }
            let ahead = copy["ahead"]?.object
            let (items, frames) = (ahead?["items"]?.integer ?? 0, ahead?["frames"]?.integer ?? 0)
            if items > 0 { Console.out("  ahead of it: \(items) items, \(ahead?["bytes"]?.integer ?? 0) B") }
            if frames > 0 {
                Console.out("  in flight before it: \(frames) frames, \(ahead?["frame_bytes"]?.integer ?? 0) B")
            }
            if let forecast = copy["forecast"]?.object { Console.out("  " + Forecast.words(forecast)) }
            if let cost = copy["cost"]?.object { Console.out("  " + Forecast.words(cost: cost)) }
            for other in paths where other["path"]?.string != path {
                let forecast = other["forecast"]?.object.map { Forecast.words($0) }
                let hold = other["holds"]?.array?.first?.object?["words"]?.string
                Console.out("  or over the link \(other["path"]?.string ?? ""): \(forecast ?? hold ?? "")")
            }
            Console.out("  its lifetime ends at \(text("expires_at"))")
        }
    }
}

/// Forecasts of a node, in words.
enum Forecast {
    static func words(_ forecast: JSONObject) -> String {
        func at(_ what: String) -> String {
            let seconds = forecast[what + "_in_seconds"]?.number ?? 0
            return "in about \(Int(seconds.rounded(.up))) s, at \(forecast[what + "_at"]?.string ?? "")"
        }
        return "sent \(at("sent")); acknowledged \(at("acknowledged"))"
    }

    static func words(cost: JSONObject) -> String {
        let money = cost["money"]?.number ?? 0
        let price = money > 0 ? ", \(money) \(cost["currency"]?.string ?? "")" : ""
        return "cost: about \(cost["bytes"]?.integer ?? 0) B\(price), \(cost["airtime_ms"]?.integer ?? 0) ms on the air"
    }
}
