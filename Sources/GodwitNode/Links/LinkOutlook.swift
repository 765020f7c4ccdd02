import GodwitLink
import GodwitProtocol

/// What can be said of a link's near future for items of one class.
struct LinkOutlook: Sendable {
    var profile: Profile
    var holds: [HoldReport]
    /// Until something can begin to go; nil: not as things stand.
    var departure: Duration?
    /// When the last contact began, since the node's start.
    var lastContact: Timestamp?

    /// Forecast of something that is behind other bytes, all as they are on the wire.
    func forecast(_ bytes: ByteCount, behind ahead: ByteCount, at now: Timestamp) -> JSONValue {
        let link = LinkForecast(profile)
        guard let departure,
            let sent = link.secondsUntilSent(bytes, behind: ahead, opensIn: departure),
            let acknowledged = link.secondsUntilAcknowledged(bytes, behind: ahead, opensIn: departure)
        else { return .null }
        return [
            "sent_in_seconds": .seconds(sent), "sent_at": .string(now.later(by: sent).description),
            "acknowledged_in_seconds": .seconds(acknowledged),
            "acknowledged_at": .string(now.later(by: acknowledged).description),
        ]
    }

    /// What bytes cost on this link, in money and in time of the sender on the air.
    func cost(_ bytes: ByteCount) -> JSONObject {
        let rate = max(profile.bandwidthUp.bitsPerSecond, 1)
        return [
            "bytes": .integer(Int64(bytes.bytes)),
            "money": .rounded(Double(bytes.bytes) / 1e6 * profile.costPerMegabyte),
            "currency": .string(profile.budget.currency),
            "airtime_ms": .integer((Int64(bytes.bytes) * 8_000 + Int64(rate) - 1) / Int64(rate)),
        ]
    }
}

extension JSONValue {
    /// To a tenth of a second; an integer where it is one.
    static func seconds(_ value: Double) -> JSONValue { rounded(value, by: 10) }

    /// To a millionth.
    static func rounded(_ value: Double, by unit: Double = 1e6) -> JSONValue {
        let rounded = (min(value, 1e12) * unit).rounded(.up) / unit
        return Int64(exactly: rounded).map { .integer($0) } ?? .double(rounded)
    }
}

extension Timestamp {
    func later(by seconds: Double) -> Timestamp {
        adding(milliseconds: Int64((min(seconds, 1e10) * 1000).rounded(.up)))
    }
}
