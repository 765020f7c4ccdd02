public import GodwitProtocol

/// What is known and wanted of a link to a peer: the `network_profile` of 004 §13.1 (units by G-71) and the policy that
/// goes with it (GW-07).
public struct Profile: Sendable, Hashable {
    /// Most of the bytes that may be lost: a link that loses more carries nothing.
    public static let packetLossMax = 0.99

    /// 1 to 32 characters a-z, 0-9, `-`.
    public var name: String
    public var type: NetworkType
    /// From the peer to here; 10 bit/s to 100 Gbit/s.
    public var bandwidthDown: BitRate
    /// From here to the peer; 10 bit/s to 100 Gbit/s.
    public var bandwidthUp: BitRate
    /// Round trip of a small packet; 0 to 600 s. (004 writes milliseconds and leaves open which way.)
    public var latency: Duration
    /// Share of the packets, 0 to 0.99.
    public var packetLoss: Double
    /// Money for 1,000,000 bytes in either direction, in the budget's currency; 0 to 1,000,000.
    public var costPerMegabyte: Double
    public var reliability: Reliability
    /// Largest packet; 64 to 65,535 bytes.
    public var mtu: ByteCount
    public var weights: ClassWeights
    public var budget: Budget
    public var contactPlan: ContactPlan
    /// When to ask a peer for which nothing waits; nil: never.
    public var poll: PollPlan?
    /// How long an item that is not urgent waits for others; 0 to 60 s.
    public var batchDelay: Duration
    /// Bytes on the wire that make a contact worthwhile; 0 to 1,000,000,000. With less, items that are not urgent wait.
    public var minBatch = ByteCount.zero
    /// After so long they go all the same; 1 s to 30 days.
    public var maxWait = Duration.seconds(3_600)
    public var wakeOnUrgent = WakeRule.inWindow
    /// Link time that one frame takes; 0.5 to 60 s.
    public var frameSeconds: Double
    /// Parity datagrams for each datagram at the end of a stream, where exchanges go in datagrams; 0 (none) or 0.01 to 1.
    public var erasure = 0.0
    /// Tier towards the peer set by the operator (NET-07); nil: by rate.
    public var tierUp: Tier?
    /// Tier from the peer set by the operator; nil: by rate.
    public var tierDown: Tier?
    /// What transfers show of the link takes the place of rates, delay and loss; false pins them (NET-07).
    public var measures = true
    /// Mean time between dummy messages on a link that costs nothing; nil: none (SEC-14).
    public var cover: Duration?

    /// What the tier towards the peer allows, by the profile's own rate.
    public var rulesUp: TierRules { TierRules.of(tierUp ?? Tier(rate: bandwidthUp)) }
    /// What the tier from the peer allows, by the profile's own rate.
    public var rulesDown: TierRules { TierRules.of(tierDown ?? Tier(rate: bandwidthDown)) }

    /// A request with the most parity that goes beside it: one datagram is rounded up, and none has more than one.
    public func withParity(_ bytes: ByteCount) -> ByteCount {
        guard erasure > 0 else { return bytes }
        let share = (Double(bytes.bytes) * erasure).rounded(.up) + Double(mtu.bytes)
        return bytes + min(bytes, ByteCount(Int(min(share, 1e15))))
    }

    /// The largest request that `withParity` leaves within so many bytes, or a little less.
    public func withoutParity(_ bytes: ByteCount) -> ByteCount {
        guard erasure > 0 else { return bytes }
        return ByteCount(max(bytes.bytes / 2, Int(Double(bytes.bytes - mtu.bytes - 1) / (1 + erasure))))
    }

    /// The `network_profile` object of 004 §13.1.
    public var networkProfile: JSONObject {
        [
            "type": .string(type.rawValue),
            "bandwidth_down": .integer(Int64(bandwidthDown.bitsPerSecond)),
            "bandwidth_up": .integer(Int64(bandwidthUp.bitsPerSecond)),
            "latency": .integer(latency.inMillisecondsRoundedUp),
            "packet_loss": .fraction(packetLoss),
            "cost_per_mb": .fraction(costPerMegabyte),
            "reliability": .string(reliability.rawValue),
        ]
    }
}

/// What an urgent item (control, revocations, direct texts) may start by itself.
public enum WakeRule: String, Sendable, CaseIterable {
    /// It waits for company and for a worthwhile batch as the others do.
    case never
    /// A contact at once, where the window is open.
    case inWindow = "in_window"
    /// A contact at once, also in a closed window, as over a line that is dialled. Only what is urgent goes then.
    case always
}

/// When a peer is asked although nothing waits for it.
public struct PollPlan: Sendable, Hashable {
    /// After useful traffic; 0.05 s and up.
    public var min: Duration
    /// Where the doubling ends; `min` to 7 days.
    public var max: Duration

    public init(min: Duration, max: Duration) {
        self.min = min
        self.max = Swift.max(min, max)
    }
}

extension JSONValue {
    /// A number; an integer where it is one, as JSON has no other difference.
    static func fraction(_ value: Double) -> JSONValue {
        guard let whole = Int64(exactly: value), abs(whole) <= integerMax else { return .double(value) }
        return .integer(whole)
    }
}
