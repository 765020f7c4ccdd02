public import GodwitProtocol

/// What one exchange showed of its link.
public struct LinkSample: Sendable, Hashable {
    public enum Direction: String, Sendable, CaseIterable {
        case up, down
    }

    /// Bytes that crossed in one direction while there was always more to send.
    public struct Flow: Sendable, Hashable {
        /// With the headers that the link carries; what was lost does not count.
        public var bytes: ByteCount
        public var time: Duration
        /// `time` holds a round trip that is no transfer.
        public var includesRoundTrip: Bool
        /// The sender went no faster by itself; nil: as fast as the link took it.
        public var pace: BitRate?

        public init(bytes: ByteCount, time: Duration, includesRoundTrip: Bool = false, pace: BitRate? = nil) {
            self.bytes = bytes
            self.time = time
            self.includesRoundTrip = includesRoundTrip
            self.pace = pace
        }
    }

    public var at: Timestamp
    public var up: Flow?
    public var down: Flow?
    /// A small packet there and back.
    public var roundTrip: Duration?
    /// Datagrams towards the peer that wanted an acknowledgement.
    public var datagramsSent: Int
    /// Those of them that were lost.
    public var datagramsLost: Int
    /// All that the exchange moved, for the history.
    public var sent: ByteCount
    public var received: ByteCount

    public init(
        at: Timestamp, up: Flow? = nil, down: Flow? = nil, roundTrip: Duration? = nil, datagramsSent: Int = 0,
        datagramsLost: Int = 0, sent: ByteCount = .zero, received: ByteCount = .zero
    ) {
        self.at = at
        self.up = up
        self.down = down
        self.roundTrip = roundTrip
        self.datagramsSent = max(datagramsSent, 0)
        self.datagramsLost = min(max(datagramsLost, 0), max(datagramsSent, 0))
        self.sent = sent
        self.received = received
    }
}

/// A carrier that paces itself, and goes slower than its profile where the link was measured to be slower.
public protocol PaceFollowing: Sendable {
    /// Takes effect with the next exchange; the profile's own rates are never exceeded.
    func follow(up: BitRate, down: BitRate)
}
