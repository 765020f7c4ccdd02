public import GodwitProtocol

extension LinkEstimator {
    /// For safekeeping: {`up`, `down`, `round_trip`: {`confirmed`, `entries`: [[value, ms since 1970, bound], …]},
    /// `datagrams`, `lost`, `counted`}.
    public var saved: JSONValue {
        func window(_ window: MeasureWindow) -> JSONValue {
            [
                "confirmed": .integer(window.confirmed),
                "entries": .array(
                    window.entries.map { [.fraction($0.value), .integer($0.at), .bool($0.isBound)] }),
            ]
        }
        return [
            "up": window(up), "down": window(down), "round_trip": window(roundTrip), "datagrams": .fraction(sent),
            "lost": .fraction(lost), "counted": .integer(counted),
        ]
    }

    /// - Throws: 2000 if `saved` is not what `saved` gave.
    public init(saved: JSONValue) throws(ProtocolError) {
        self.init()
        up = try Self.window(saved, "up", Self.rates)
        down = try Self.window(saved, "down", Self.rates)
        roundTrip = try Self.window(saved, "round_trip", 0...600)
        guard let sent = saved.object?["datagrams"]?.number, (0...Self.datagramsMax).contains(sent),
            let lost = saved.object?["lost"]?.number, (0...sent).contains(lost)
        else { throw Self.wrong("datagrams") }
        guard let counted = saved.object?["counted"]?.integer, (0...JSONValue.integerMax).contains(counted) else {
            throw Self.wrong("counted")
        }
        (self.sent, self.lost, self.counted) = (sent, lost, counted)
    }

    private static func window(
        _ saved: JSONValue, _ key: String, _ values: ClosedRange<Double>
    ) throws(ProtocolError) -> MeasureWindow {
        let times: ClosedRange<Int64> = 0...JSONValue.integerMax
        guard let object = saved.object?[key]?.object, let confirmed = object["confirmed"]?.integer,
            times.contains(confirmed), let list = object["entries"]?.array, list.count <= MeasureWindow.count
        else { throw wrong(key) }
        var entries: [MeasureWindow.Entry] = []
        for entry in list {
            guard let parts = entry.array, parts.count == 3, let value = parts[0].number, values.contains(value),
                let at = parts[1].integer, times.contains(at), let isBound = parts[2].bool
            else { throw wrong(key) }
            entries.append(MeasureWindow.Entry(value: value, at: at, isBound: isBound))
        }
        return MeasureWindow(entries, confirmed: confirmed)
    }

    private static func wrong(_ key: String) -> ProtocolError {
        .malformed("The saved estimate of a link has a wrong value.", member: key)
    }
}
