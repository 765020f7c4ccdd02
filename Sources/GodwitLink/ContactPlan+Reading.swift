import GodwitProtocol

extension ContactPlan {
    /// `always`, or a list of 1 to 512 windows, each of one kind:
    ///
    /// - {`days`?, `from`, `to`, `except`?}: on days of the week;
    /// - {`month_days`, `from`, `to`, `except`?}: on days of the month;
    /// - {`from`, `to`} with dates: once;
    /// - {`every`, `for`, `from`, `until`?, `except`?}: again and again.
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
        var rules: [ContactRule] = []
        for (index, entry) in list.enumerated() {
            let reader = try WindowReader(entry, at: "\(path)[\(index)]")
            if let window = try reader.window() { windows.append(window) } else { rules.append(try reader.rule()) }
        }
        self.init(windows: windows, rules: rules)
    }
}

/// Reads one window.
private struct WindowReader {
    private enum Kind {
        case week, month, once, every

        var keys: [String] {
            switch self {
            case .week: ["days", "from", "to", "except"]
            case .month: ["month_days", "from", "to", "except"]
            case .once: ["from", "to"]
            case .every: ["every", "for", "from", "until", "except"]
            }
        }
    }

    /// Longest window that is given by dates.
    private static let onceMax: Int64 = 366 * WeekSpans.day

    private let reader: ProfileReader
    private let kind: Kind

    init(_ value: JSONValue, at path: String) throws(ProtocolError) {
        let all = ["days", "month_days", "from", "to", "every", "for", "until", "except"]
        reader = try ProfileReader(value, at: path, knows: all)
        let hasDate = reader.value("from")?.string?.utf8.contains(UInt8(ascii: "T")) ?? false
        let kind: Kind =
            reader.value("every") != nil || reader.value("for") != nil
            ? .every : reader.value("month_days") != nil ? .month : hasDate ? .once : .week
        self.kind = kind
        for key in all where reader.value(key) != nil && !kind.keys.contains(key) {
            throw reader.failure(
                key, "does not belong to this kind of window, which has \(kind.keys.joined(separator: ", ")).")
        }
    }

    /// A weekly window without exceptions; nil for any other kind.
    func window() throws(ProtocolError) -> ContactPlan.Window? {
        guard kind == .week, reader.value("except") == nil else { return nil }
        let (from, to) = try minutes()
        return ContactPlan.Window(days: try weekdays(), from: from, to: to)
    }

    func rule() throws(ProtocolError) -> ContactRule {
        switch kind {
        case .week: return try days(.week(weekdays()))
        case .month: return try days(.month(monthDays()))
        case .once:
            let (from, to) = (try time("from"), try time("to"))
            guard let from, let to, from < to, to.milliseconds - from.milliseconds <= Self.onceMax else {
                throw reader.failure("to", "must be a time after \"from\", at most 366 days later.")
            }
            return .once(from: from, to: to)
        case .every: return .every(try period())
        }
    }

    private func days(_ days: ContactRule.DayRule.Days) throws(ProtocolError) -> ContactRule {
        let (from, to) = try minutes()
        return .days(ContactRule.DayRule(days: days, from: from, to: to, except: try exceptions()))
    }

    private func weekdays() throws(ProtocolError) -> Set<Weekday> {
        guard let value = reader.value("days") else { return Set(Weekday.allCases) }
        let read = value.array?.map { $0.string.flatMap(Weekday.init(rawValue:)) } ?? []
        let days = Set(read.compactMap { $0 })
        guard !read.isEmpty, days.count == read.count else {
            throw reader.failure("days", "must list mon, tue, wed, thu, fri, sat or sun, each once.")
        }
        return days
    }

    private func monthDays() throws(ProtocolError) -> Set<Int> {
        let read = reader.value("month_days")?.array?.map(\.integer) ?? []
        let days = Set(read.compactMap { $0 }.filter { $0 != 0 && (-31...31).contains($0) }.map { Int($0) })
        guard !read.isEmpty, days.count == read.count else {
            throw reader.failure("month_days", "must list 1 to 31, or -1 (the last) to -31, each once.")
        }
        return days
    }

    private func period() throws(ProtocolError) -> ContactRule.PeriodRule {
        let (every, length) = (try span("every"), try span("for"))
        guard length < every else { throw reader.failure("for", "must be shorter than \"every\".") }
        guard let from = try time("from") else { throw reader.failure("from", "is missing.") }
        let until = try time("until")
        if let until, until <= from { throw reader.failure("until", "must be after \"from\".") }
        return ContactRule.PeriodRule(
            from: from, every: every, length: length, until: until, except: try exceptions())
    }

    /// Milliseconds.
    private func span(_ key: String) throws(ProtocolError) -> Int64 {
        let time = reader.value(key)?.string.flatMap(TimeSpan.read)?.inMillisecondsRoundedUp
        guard let time, (1_000...31 * WeekSpans.day).contains(time) else {
            throw reader.failure(key, "must be a time from \"1s\" to \"31d\", such as \"90m\" or \"1h38m\".")
        }
        return time
    }

    private func time(_ key: String) throws(ProtocolError) -> Timestamp? {
        guard let value = reader.value(key) else { return nil }
        // Seconds may be left out.
        let text = value.string.map { $0.utf8.count == 17 && $0.hasSuffix("Z") ? $0.dropLast() + ":00Z" : $0[...] }
        guard let text, text.hasSuffix("Z"), let time = Timestamp(iso8601: String(text)) else {
            throw reader.failure(key, "must be a time such as \"2026-12-01T06:00Z\".")
        }
        return time
    }

    private func exceptions() throws(ProtocolError) -> Set<Int64> {
        guard let value = reader.value("except") else { return [] }
        let read = value.array?.map { $0.string.flatMap { Timestamp(iso8601: $0 + "T00:00:00Z") } } ?? []
        let days = Set(read.compactMap { $0 }.map { ContactRule.day(of: $0.milliseconds) })
        guard (1...ContactPlan.exceptionsMax).contains(read.count), days.count == read.count else {
            throw reader.failure(
                "except", "must list 1 to \(ContactPlan.exceptionsMax) days such as \"2026-12-25\", each once.")
        }
        return days
    }

    private func minutes() throws(ProtocolError) -> (from: Int, to: Int) {
        let (from, to) = (try minute("from", max: 1_439), try minute("to", max: 1_440))
        guard from != to else {
            throw reader.failure("to", "must differ from \"from\"; a whole day is \"00:00\" to \"24:00\".")
        }
        return (from, to)
    }

    /// `HH:MM` as minutes. YAML 1.1 reads 16:00 without quotes as the number 960, so the rule says quotes.
    private func minute(_ key: String, max: Int) throws(ProtocolError) -> Int {
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
