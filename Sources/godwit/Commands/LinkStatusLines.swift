import GodwitProtocol

/// What a node says of a link's future and its budget, in lines.
enum LinkStatusLines {
    /// The peer, and which of its links where there are several.
    static func name(_ link: JSONObject) -> String {
        let (peer, path) = (link["peer"]?.string ?? "", link["path"]?.string ?? "main")
        let classes = (link["classes"]?.array ?? []).compactMap(\.string)
        guard path != "main" || classes.count < PriorityClass.allCases.count else { return peer }
        return "\(peer) \(path) (\(classes.joined(separator: ",")))"
    }

    static func travelling(_ link: JSONObject) -> [String] {
        guard let load = link["in_flight"]?.object, let frames = load["frames"]?.integer, frames > 0 else { return [] }
        let seconds = (load["oldest_age_ms"]?.integer ?? 0) / 1_000
        return ["  not acknowledged: \(frames) frames, \(load["bytes"]?.integer ?? 0) B, the oldest for \(seconds) s"]
    }

    static func queue(_ queue: JSONObject) -> [String] {
        var lines = [
            "  \(queue["class"]?.string ?? ""): \(queue["count"]?.integer ?? 0) waiting, "
                + "\(queue["bytes"]?.integer ?? 0) B, about \(queue["wire_bytes"]?.integer ?? 0) B on the link"
        ]
        if let forecast = queue["forecast"]?.object { lines.append("    " + Forecast.words(forecast)) }
        return lines
    }

    static func outlook(_ link: JSONObject) -> [String] {
        var lines = (link["holds"]?.array ?? []).compactMap(\.object).map { "  " + ($0["words"]?.string ?? "") }
        if let next = link["next_contact_at"]?.string { lines.append("  next contact at \(next)") }
        if let cover = link["cover"]?.object {
            let mean = plain(cover["mean_seconds"]?.number ?? 0)
            lines.append("  dummy messages: about every \(mean) s, \(cover["sent"]?.integer ?? 0) so far")
        }
        if let closes = link["window"]?.object?["closes"]?.string { lines.append("  the window closes at \(closes)") }
        return lines + (link["budget"]?.object.map(budget) ?? [])
    }

    private static func budget(_ budget: JSONObject) -> [String] {
        func part(_ used: String, _ limit: String, _ unit: String) -> String? {
            guard let most = budget[limit]?.number else { return nil }
            return "\(plain(budget[used]?.number ?? 0)) of \(plain(most)) \(unit)"
        }
        var used = [
            part("bytes_today", "bytes_per_day", "B today"), part("bytes_month", "bytes_per_month", "B this month"),
            part("money_month", "money_per_month", "\(budget["currency"]?.string ?? "") this month"),
        ].compactMap(\.self)
        if let share = budget["duty_cycle"]?.number {
            let seconds = Int((budget["airtime_ms_hour"]?.number ?? 0) / 1000)
            used.append("\(seconds) of \(Int(share * 3600)) s on the air in the last hour")
        }
        guard !used.isEmpty else { return [] }
        var lines = ["  budget: " + used.joined(separator: ", ")]
        let left = budget["left"]?.object
        func words(_ key: String) -> String {
            let part = left?[key]?.object
            return [
                part?["bytes"]?.integer.map { "\($0) B" }, part?["airtime_ms"]?.integer.map { "\($0) ms on the air" },
            ].compactMap(\.self).joined(separator: ", ")
        }
        lines.append("  left: \(words("others")); for urgent items \(words("urgent"))")
        if let renews = budget["renews"]?.string { lines.append("  something is granted again at \(renews)") }
        return lines
    }

    static func plain(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(value)
    }
}
