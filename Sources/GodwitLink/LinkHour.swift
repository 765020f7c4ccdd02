public import GodwitProtocol

/// What one hour showed of a link: a row of its history.
public struct LinkHour: Sendable, Hashable {
    /// Rows that are kept of a link: 35 days.
    public static let kept = 35 * 24

    /// Rates of transfers that could show one.
    public struct Rate: Sendable, Hashable {
        public var count: Int64 = 0
        /// bit/s, of all of them together.
        public var sum: Int64 = 0
        public var most: Int64 = 0
        public init() {}

        public init(count: Int64, sum: Int64, most: Int64) {
            self.count = count
            self.sum = sum
            self.most = most
        }

        public var mean: Int64? { count > 0 ? sum / count : nil }

        mutating func add(_ rate: Double) {
            let rate = Int64(min(rate, LinkEstimator.rates.upperBound))
            (count, sum, most) = (count + 1, sum + rate, max(most, rate))
        }

        public var object: JSONValue {
            guard let mean else { return .null }
            return ["mean": .integer(mean), "max": .integer(most), "transfers": .integer(count)]
        }
    }

    /// Hours since 1970, UTC.
    public var hour: Int64
    public var exchanges: Int64 = 0
    public var sent: Int64 = 0
    public var received: Int64 = 0
    public var up = Rate()
    public var down = Rate()
    /// Least, in milliseconds.
    public var roundTrip: Int64?
    public var datagramsSent: Int64 = 0
    public var datagramsLost: Int64 = 0

    public init(hour: Int64) { self.hour = hour }
    public init(at time: Timestamp) { hour = Self.hour(of: time) }

    public static func hour(of time: Timestamp) -> Int64 {
        let length: Int64 = 3_600_000
        return (time.milliseconds - (time.milliseconds % length + length) % length) / length
    }

    public mutating func add(_ sample: LinkSample, over profile: Profile) {
        exchanges += 1
        sent += Int64(sample.sent.bytes)
        received += Int64(sample.received.bytes)
        let time = sample.roundTrip ?? profile.latency
        let loss = min(
            sample.datagramsSent > 0 ? Double(sample.datagramsLost) / Double(sample.datagramsSent) : 0,
            Profile.packetLossMax)
        if let rate = sample.up.flatMap({ LinkEstimator.rate(of: $0, roundTrip: time, loss: loss) }) { up.add(rate) }
        if let rate = sample.down.flatMap({ LinkEstimator.rate(of: $0, roundTrip: time, loss: loss) }) {
            down.add(rate)
        }
        if let seen = sample.roundTrip?.inMillisecondsRoundedUp { roundTrip = min(roundTrip ?? seen, seen) }
        datagramsSent += Int64(sample.datagramsSent)
        datagramsLost += Int64(sample.datagramsLost)
    }

    public var object: JSONObject {
        [
            "hour": .string(Timestamp(milliseconds: hour * 3_600_000).description), "exchanges": .integer(exchanges),
            "bytes_sent": .integer(sent), "bytes_received": .integer(received), "rate_up": up.object,
            "rate_down": down.object, "round_trip_ms": roundTrip.map { .integer($0) } ?? .null,
            "datagrams_sent": .integer(datagramsSent), "datagrams_lost": .integer(datagramsLost),
        ]
    }
}
