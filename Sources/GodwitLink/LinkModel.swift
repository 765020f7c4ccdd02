public import GodwitProtocol

/// One direction of an emulated link, for the demo's relay: a pipe of bytes that keeps their order and charges for them
/// what a slow, long, lossy link under TCP would.
///
/// Bytes go in segments of at most `mtu`. Each takes its time on the air, headers included. For a lost segment the air
/// time is gone, the pipe stands still for a retransmission time-out (doubled for every further loss of the same segment,
/// as RFC 6298 §5.5 says), and the segment goes again. In an outage nothing goes on the air, but the time-outs run and
/// double, so the pipe wakes up some time after the link is back. Pure acknowledgements in the other direction are not
/// charged.
public struct LinkModel: Sendable {
    /// A time in which the link is gone.
    public struct Outage: Sendable, Hashable {
        public var start: Duration
        public var length: Duration
        public var end: Duration { start + length }

        public init(start: Duration, length: Duration) {
            self.start = start
            self.length = length
        }
    }

    public struct Parameters: Sendable, Hashable {
        /// At least 1 bit/s; less counts as 1.
        public var rate: BitRate
        public var oneWayDelay: Duration
        /// Share of the segments, 0 to 0.99.
        public var packetLoss: Double
        /// Largest segment, headers included.
        public var mtu: ByteCount
        /// Headers of a segment: 20 bytes of IPv4 and 20 of TCP.
        public var header = ByteCount(40)
        /// First time-out after a loss.
        public var timeout: Duration
        public var outages: [Outage]

        /// - Parameter timeout: nil: the round trip (twice the delay) and 200 ms.
        public init(
            rate: BitRate, oneWayDelay: Duration, packetLoss: Double, mtu: ByteCount, timeout: Duration? = nil,
            outages: [Outage] = []
        ) {
            self.rate = rate
            self.oneWayDelay = oneWayDelay
            self.packetLoss = packetLoss
            self.mtu = mtu
            self.timeout = timeout ?? oneWayDelay * 2 + .milliseconds(200)
            self.outages = outages
        }

        /// The direction towards the peer of a profile.
        public static func up(_ profile: Profile, outages: [Outage] = []) -> Parameters {
            Parameters(
                rate: profile.bandwidthUp, oneWayDelay: profile.latency / 2, packetLoss: profile.packetLoss,
                mtu: profile.mtu, outages: outages)
        }

        /// The direction from the peer of a profile.
        public static func down(_ profile: Profile, outages: [Outage] = []) -> Parameters {
            Parameters(
                rate: profile.bandwidthDown, oneWayDelay: profile.latency / 2, packetLoss: profile.packetLoss,
                mtu: profile.mtu, outages: outages)
        }
    }

    /// Bytes that come out at the far end, in the order in which they went in.
    public struct Delivery: Sendable, Hashable {
        public var at: Duration
        public var bytes: Int

        public init(at: Duration, bytes: Int) {
            self.at = at
            self.bytes = bytes
        }
    }

    public struct Statistics: Sendable, Hashable {
        /// Bytes that were put in.
        public var payload = 0
        /// Bytes on the air: payload, headers and everything that went again.
        public var charged = 0
        /// Part of `charged` that was lost and went again.
        public var repeated = 0
        /// Segments sent, repeats included.
        public var segments = 0
        public var losses = 0
        /// Time-outs that were waited for, and their time.
        public var stalls = 0
        public var stalled = Duration.zero

        public init() {}
    }

    static let timeoutMax = Duration.seconds(60)

    public let parameters: Parameters
    public private(set) var statistics = Statistics()
    private var freeAt = Duration.zero
    private var random: SeededGenerator

    public init(_ parameters: Parameters, seed: UInt64) {
        self.parameters = parameters
        random = SeededGenerator(seed: seed)
    }

    /// Puts bytes in.
    /// - Parameters:
    ///   - bytes: 0 and up.
    ///   - now: since the start; what comes out of order in time counts as coming when the pipe is free.
    /// - Returns: when they come out; together `bytes`, no time before an earlier one.
    public mutating func offer(bytes: Int, at now: Duration) -> [Delivery] {
        let largest = max(parameters.mtu.bytes - parameters.header.bytes, 1)
        var deliveries: [Delivery] = []
        var left = bytes
        while left > 0 {
            let segment = min(left, largest)
            left -= segment
            deliveries.append(Delivery(at: transmit(segment, from: max(now, freeAt)), bytes: segment))
        }
        statistics.payload += max(bytes, 0)
        return deliveries
    }

    /// How long the pipe is taken by what was put in; what is offered now starts then.
    public func backlog(at now: Duration) -> Duration { max(freeAt - now, .zero) }

    /// Whether the link is gone at a moment.
    public func isOut(at now: Duration) -> Bool { outage(from: now, to: now) != nil }

    private func outage(from start: Duration, to end: Duration) -> Outage? {
        parameters.outages.first { $0.length > .zero && $0.start <= end && start < $0.end }
    }

    /// - Returns: when the segment arrives.
    private mutating func transmit(_ segment: Int, from start: Duration) -> Duration {
        let wire = segment + parameters.header.bytes
        let rate = Double(max(parameters.rate.bitsPerSecond, 1))
        let airtime = Duration.nanoseconds(Int64((Double(wire) * 8e9 / rate).rounded()))
        let loss = min(max(parameters.packetLoss, 0), Profile.packetLossMax)
        var timeout = max(parameters.timeout, .milliseconds(1))
        var time = start
        while true {
            if !isOut(at: time) {
                statistics.charged += wire
                statistics.segments += 1
                let drawn = Double.random(in: 0..<1, using: &random) < loss
                let end = time + airtime
                guard drawn || outage(from: time, to: end) != nil else {
                    freeAt = end
                    return end + parameters.oneWayDelay
                }
                statistics.losses += 1
                statistics.repeated += wire
                time = end
            }
            statistics.stalls += 1
            statistics.stalled += timeout
            time += timeout
            timeout = min(timeout * 2, Self.timeoutMax)
        }
    }
}
