public import GodwitContact
public import GodwitProtocol

/// A link as the operator sees it.
public struct LinkStatus: Sendable, Hashable {
    public var peer: NodeID
    public var profile: String
    public var tierUp: Int
    public var tierDown: Int
    /// `idle`, `waiting`, `in_contact`, `backoff`, `window_closed`, `budget_spent`, `halted`, or `answers` for a peer
    /// that calls.
    public var phase: String
    public var lastError: ProtocolError?
    /// Milliseconds until the next contact, where that is known.
    public var nextContact: Int64?
    public var contacts: Int
    public var total: ContactReport
    /// What waits, by class name: count and bytes.
    public var queues: [(name: String, count: Int, bytes: Int)]
    /// Seconds until all that waits now has been sent, if the link stays as it is.
    public var forecast: Double?

    public static func == (left: Self, right: Self) -> Bool { left.object == right.object }
    public func hash(into hasher: inout Hasher) { hasher.combine(object) }

    public var object: JSONObject {
        [
            "peer": .string(peer.text), "profile": .string(profile),
            "tier": ["up": .integer(Int64(tierUp)), "down": .integer(Int64(tierDown))],
            "phase": .string(phase),
            "last_error": lastError.map { ["code": .string($0.code.name), "message": .string($0.message)] } ?? .null,
            "next_contact_ms": nextContact.map { .integer($0) } ?? .null, "contacts": .integer(Int64(contacts)),
            "bytes_sent": .integer(Int64(total.sent.bytes)), "bytes_received": .integer(Int64(total.received.bytes)),
            "frames_sent": .integer(Int64(total.sentFrames)),
            "frames_received": .integer(Int64(total.receivedFrames)),
            "frames_repeated": .integer(Int64(total.repeatedFrames)),
            "queue": .array(
                queues.map { queue in
                    [
                        "class": .string(queue.name), "count": .integer(Int64(queue.count)),
                        "bytes": .integer(Int64(queue.bytes)),
                    ]
                }),
            "forecast_seconds": forecast.map { .double($0) } ?? .null,
        ]
    }
}
