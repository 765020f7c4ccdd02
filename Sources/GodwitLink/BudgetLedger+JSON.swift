public import GodwitProtocol

extension BudgetLedger {
    /// The counters, for safekeeping: {`latest` in ms since 1970, `bytes_today`, `bytes_month`, `money_month` in 10^-9,
    /// `airtime`: [[minute since 1970, ms], …]}. Budget and cost are the profile's.
    public var saved: JSONValue {
        .object([
            "latest": .integer(latest.milliseconds),
            "bytes_today": .integer(bytesToday),
            "bytes_month": .integer(bytesThisMonth),
            "money_month": .integer(moneyThisMonth),
            "airtime": .array(
                airtime.sorted { $0.key < $1.key }.map { .array([.integer($0.key), .integer($0.value)]) }),
        ])
    }

    /// Takes the counters up again.
    /// - Throws: 2000 if `saved` is not what `saved` gave.
    public init(budget: Budget, costPerMegabyte: Double, saved: JSONValue) throws(ProtocolError) {
        let object = saved.object ?? [:]
        func counter(_ key: String) throws(ProtocolError) -> Int64 {
            guard let value = object[key]?.integer, (0...Self.counterMax).contains(value) else {
                throw .malformed("The saved budget has a wrong counter.", member: key)
            }
            return value
        }
        self.init(
            budget: budget, costPerMegabyte: costPerMegabyte, at: Timestamp(milliseconds: try counter("latest")))
        bytesToday = try counter("bytes_today")
        bytesThisMonth = try counter("bytes_month")
        moneyThisMonth = try counter("money_month")
        guard let entries = object["airtime"]?.array, entries.count <= 61 else {
            throw .malformed("The saved budget has a wrong counter.", member: "airtime")
        }
        for entry in entries {
            guard let pair = entry.array, pair.count == 2, let minute = pair[0].integer, let time = pair[1].integer,
                (0...Self.counterMax / Self.minute).contains(minute), (0...Self.counterMax).contains(time),
                airtime[minute] == nil
            else { throw .malformed("The saved budget has a wrong counter.", member: "airtime") }
            airtime[minute] = time
        }
    }
}
