import GodwitProtocol

extension ContactPlan {
    /// `always`, or a list of 1 to 64 windows {`days`?, `from`, `to`}.
    init(_ value: JSONValue, at path: String) throws(ProtocolError) {
        if value == "always" {
            self = .always
            return
        }
        guard let list = value.array, (1...Self.windowsMax).contains(list.count) else {
            throw ProtocolError(
                .invalidMessageFormat, "\"\(path)\" must be always or a list of 1 to \(Self.windowsMax) windows.",
                hint: "A window is written {days: [mon, tue], from: \"06:00\", to: \"07:30\"}, in UTC.",
                details: ["key": .string(path)])
        }
        var windows: [Window] = []
        for (index, entry) in list.enumerated() {
            windows.append(try Window(entry, at: "\(path)[\(index)]"))
        }
        self.init(windows: windows)
    }
}

extension ContactPlan.Window {
    fileprivate init(_ value: JSONValue, at path: String) throws(ProtocolError) {
        let reader = try ProfileReader(value, at: path, knows: ["days", "from", "to"])
        var days = Set(Weekday.allCases)
        if let value = reader.value("days") {
            let read = value.array?.map { $0.string.flatMap(Weekday.init(rawValue:)) } ?? []
            days = Set(read.compactMap { $0 })
            guard !read.isEmpty, days.count == read.count else {
                throw reader.failure("days", "must list mon, tue, wed, thu, fri, sat or sun, each once.")
            }
        }
        self.init(
            days: days, from: try Self.minute(reader, "from", max: 1_439), to: try Self.minute(reader, "to", max: 1_440)
        )
        if from == to {
            throw reader.failure("to", "must differ from \"from\"; a whole day is \"00:00\" to \"24:00\".")
        }
    }

    /// `HH:MM` as minutes. YAML 1.1 reads 16:00 without quotes as the number 960, so the rule says quotes.
    private static func minute(_ reader: ProfileReader, _ key: String, max: Int) throws(ProtocolError) -> Int {
        let rule = "must be a time from \"00:00\" to \"\(max == 1_440 ? "24:00" : "23:59")\", in quotes, UTC."
        guard let text = reader.value(key)?.string else { throw reader.failure(key, rule) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count == 5, parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            text.utf8.allSatisfy({ (0x30...0x3a).contains($0) }), let hour = Int(parts[0]), let minute = Int(parts[1]),
            minute < 60, hour * 60 + minute <= max
        else { throw reader.failure(key, rule) }
        return hour * 60 + minute
    }
}
