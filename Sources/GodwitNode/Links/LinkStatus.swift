public import GodwitContact
public import GodwitLink
public import GodwitProtocol

/// A link as the operator sees it.
public struct LinkStatus: Sendable {
    public var peer: NodeID
    /// Which of the peer's links.
    var path = LinkPath.mainName
    var classes = Set(PriorityClass.allCases)
    /// What was built for it and is not acknowledged.
    var travelling = PathLoad()
    public var profile: String
    public var tierUp: Int
    public var tierDown: Int
    /// `idle`, `waiting`, `in_contact`, `backoff`, `window_closed`, `budget_spent`, `halted`, or `answers` for a peer
    /// that calls, `by_hand`, or `stopped` for another link that does not run.
    public var phase: String
    public var lastError: ProtocolError?
    /// Milliseconds until the next contact, where that is known.
    public var nextContact: Int64?
    public var contacts: Int
    public var total: ContactReport
    /// What waits, by class.
    public var queues: [QueueReport]
    /// Seconds of link time until all that waits now has been sent.
    public var forecast: Double?
    /// The ways to a peer that is called, best first.
    public var ways: [WayReport] = []
    /// `nextContact` on the wall's clock.
    public var nextContactAt: Timestamp?
    /// What keeps items that are not urgent from going.
    var holds: [HoldReport] = []
    /// {`open`, `closes`, `opens`}; empty for a peer that calls.
    public var window: JSONObject = [:]
    /// What was used, the limits, and what is left; empty for a peer that calls.
    public var budget: JSONObject = [:]

    /// Configured and measured values by name, see `LinkMeasure.object`; empty for a peer that calls.
    public var rates: JSONObject = [:]
    var tierSources = (up: "profile", down: "profile")
    /// {`mean_seconds`, `sent`} of dummy messages; empty: there are none.
    var cover: JSONObject = [:]

    public var object: JSONObject {
        [
            "peer": .string(peer.text), "path": .string(path), "profile": .string(profile),
            "classes": .array(classes.sorted().map { .string($0.name) }), "in_flight": .object(travelling.object),
            "tier": ["up": .integer(Int64(tierUp)), "down": .integer(Int64(tierDown))],
            "tier_source": ["up": .string(tierSources.up), "down": .string(tierSources.down)],
            "rates": rates.isEmpty ? .null : .object(rates), "phase": .string(phase),
            "last_error": lastError.map { ["code": .string($0.code.name), "message": .string($0.message)] } ?? .null,
            "next_contact_ms": nextContact.map { .integer($0) } ?? .null, "contacts": .integer(Int64(contacts)),
            "bytes_sent": .integer(Int64(total.sent.bytes)), "bytes_received": .integer(Int64(total.received.bytes)),
            "frames_sent": .integer(Int64(total.sentFrames)),
            "frames_received": .integer(Int64(total.receivedFrames)),
            "frames_repeated": .integer(Int64(total.repeatedFrames)),
            "queue": .array(queues.map { .object($0.object) }),
            "forecast_seconds": forecast.map { .double($0) } ?? .null,
            "next_contact_at": nextContactAt.map { .string($0.description) } ?? .null,
            "holds": .array(holds.map { .object($0.object) }),
            "window": window.isEmpty ? .null : .object(window), "budget": budget.isEmpty ? .null : .object(budget),
            "ways": .array(ways.map { .object($0.object) }), "cover": cover.isEmpty ? .null : .object(cover),
        ]
    }
}
