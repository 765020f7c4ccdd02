import GodwitLink

/// When the link takes the next datagram, and how long it takes to answer.
struct LinkPace: Sendable {
    private let link: DatagramLink
    /// When what was handed over will have left.
    private var freeAt = Duration.zero
    private var smoothed: Duration?
    private var deviation = Duration.zero
    private var least: Duration?

    init(_ link: DatagramLink) { self.link = link }

    /// The next datagram may go from here on: a little before the last has left, as timers are late, but never more
    /// than one datagram before.
    var nextAt: Duration { freeAt - min(link.sendTime(link.payloadMax), .milliseconds(20)) }

    /// Others use the link too: it is taken until then.
    mutating func hold(until time: Duration) { freeAt = max(freeAt, time) }

    /// - Returns: when the last byte of the datagram has left.
    mutating func charge(_ payload: Int, at now: Duration) -> Duration {
        freeAt = max(freeAt, now) + link.sendTime(payload)
        return freeAt
    }

    /// An acknowledgement came: `elapsed` since the last byte of the datagram had left, in a datagram of so many bytes.
    mutating func sample(_ elapsed: Duration, carriedBy payload: Int) {
        let net = max(elapsed - link.receiveTime(payload), .milliseconds(1))
        least = min(least ?? net, net)
        guard let old = smoothed else {
            smoothed = net
            deviation = net / 2
            return
        }
        let error = old > net ? old - net : net - old
        deviation += (error - deviation) / 4
        smoothed = old + (net - old) / 8
    }

    /// The quickest packet there and back, the peer's own delay in it; nil: none came back yet.
    var leastRoundTrip: Duration? { least }

    /// A small packet there and back, by what was seen, else by what is known of the link.
    var roundTrip: Duration {
        guard let smoothed, let least else { return link.roundTrip * 1.5 + .milliseconds(50) }
        // Samples hold the wait for what the peer was just sending, which the caller of this adds by itself.
        return min(smoothed + deviation * 4, least * 2 + .milliseconds(50))
    }
}
