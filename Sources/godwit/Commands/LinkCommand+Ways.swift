import GodwitProtocol

extension LinkCommand.Status {
    /// One way to a peer, for people.
    func line(of way: JSONObject) -> String {
        var text = "way \(way["endpoint"]?.string ?? "")"
        if way["last_used"]?.bool == true { text += ", used last" }
        guard let error = way["last_error"]?.object else { return text }
        text += ": \(error["message"]?.string ?? "")"
        if let hint = error["hint"]?.string { text += " " + hint }
        if let wait = way["retry_ms"]?.integer { text += " Preferred again in \((wait + 999) / 1_000) s." }
        return text
    }
}
