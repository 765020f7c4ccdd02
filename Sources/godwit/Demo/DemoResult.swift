import GodwitLink
import GodwitProtocol

/// What a demo has shown.
struct DemoResult: Sendable {
    var ledger: DemoLedger
    var link: Relay.Account
    var enrolment: Relay.Account
    /// Bytes of the messages that crossed, as canonical JSON.
    var jsonBytes: Int
    /// Seconds of the conversation.
    var seconds: Double
    /// Seconds that the link itself needs for the bytes that crossed: the busier direction, and one way's delay.
    var limitSeconds: Double
    var kills: Int
    /// What children reported as failed.
    var complaints: [String]

    var object: JSONObject {
        [
            "accepted": .integer(Int64(ledger.accepted.count)), "delivered": .integer(Int64(ledger.delivered)),
            "expected": .integer(Int64(ledger.expectedCopies)), "lost": .integer(Int64(ledger.lost)),
            "duplicated": .integer(Int64(ledger.duplicated)), "out_of_order": .integer(Int64(ledger.outOfOrder)),
            "altered": .integer(Int64(ledger.altered)), "bytes_up": .integer(Int64(link.up.charged)),
            "bytes_down": .integer(Int64(link.down.charged)), "json_bytes": .integer(Int64(jsonBytes)),
            "seconds": .double(rounded(seconds)), "limit_seconds": .double(rounded(limitSeconds)),
            "losses": .integer(Int64(link.up.losses + link.down.losses)), "kills": .integer(Int64(kills)),
            "enrolment_bytes_up": .integer(Int64(enrolment.up.payload)),
            "enrolment_bytes_down": .integer(Int64(enrolment.down.payload)),
            "complaints": .array(complaints.prefix(20).map { .string($0) }),
        ]
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
