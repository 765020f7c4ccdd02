import GodwitLink
import GodwitProtocol

/// What a stream of datagrams has to know of its link, and the times that follow.
struct DatagramLink: Sendable, Hashable {
    /// IPv4 and UDP.
    static let headerV4 = 28
    static let headerV6 = 48

    /// From here to the peer; bit/s.
    var sendRate: Double
    /// From the peer to here; bit/s.
    var receiveRate: Double
    /// There and back for a small packet.
    var roundTrip: Duration
    /// Bytes of the largest datagram without the headers below, 36 to 65,507.
    var payloadMax: Int
    /// Bytes around each datagram: IP and UDP, or the frame of a serial line.
    var header: Int
    /// Nothing heard for so long ends the exchange; nil: 60 s or 20 round trips, the longer of them.
    var silence: Duration?
    /// The same for an exchange that has heard nothing at all; nil: no less.
    var firstSilence: Duration?
    /// A line between two ends: nobody can send under a false address.
    var isLine = false
    /// Parity for each hundred datagrams, 0 to 100; 0: none. An answerer learns it from the caller's.
    var parityShare = 0

    init(
        sendRate: Int, receiveRate: Int, roundTrip: Duration, payloadMax: Int, header: Int = headerV4,
        silence: Duration? = nil
    ) {
        self.sendRate = Double(sendRate)
        self.receiveRate = Double(receiveRate)
        self.roundTrip = roundTrip
        self.payloadMax = payloadMax
        self.header = header
        self.silence = silence
    }

    /// The calling end.
    init(_ profile: Profile, header: Int = headerV4) {
        let payloads = Datagram.Opening.payloads
        self.init(
            sendRate: profile.bandwidthUp.bitsPerSecond, receiveRate: profile.bandwidthDown.bitsPerSecond,
            roundTrip: profile.latency,
            payloadMax: min(max(profile.mtu.bytes - header, payloads.lowerBound), payloads.upperBound), header: header)
        parityShare = Self.percent(profile.erasure)
    }

    private static func percent(_ share: Double) -> Int { min(max(Int((share * 100).rounded()), 0), 100) }

    /// The calling end of a serial line: never faster than the line, nor larger than its frames.
    init(_ profile: Profile, line: SerialEndpoint) {
        let rate = line.bitRate.bitsPerSecond
        let payloads = Datagram.Opening.payloads
        let largest = min(profile.mtu.bytes, line.mtu) - SerialFrame.checkSize
        self.init(
            sendRate: min(profile.bandwidthUp.bitsPerSecond, rate),
            receiveRate: min(profile.bandwidthDown.bitsPerSecond, rate), roundTrip: profile.latency,
            payloadMax: min(max(largest, payloads.lowerBound), payloads.upperBound), header: SerialFrame.overhead)
        isLine = true
        parityShare = Self.percent(profile.erasure)
    }

    /// Goes no faster than the link was measured to be.
    mutating func slow(to up: BitRate, down: BitRate) {
        sendRate = min(sendRate, max(Double(up.bitsPerSecond), 1))
        receiveRate = min(receiveRate, max(Double(down.bitsPerSecond), 1))
    }

    /// The answering end, as the caller says, within what this end allows.
    init(_ opening: Datagram.Opening, rateMax: Int, payloadMax: Int, header: Int, silence: Duration?) {
        self.init(
            sendRate: min(opening.rate, rateMax), receiveRate: opening.callerRate,
            roundTrip: .milliseconds(opening.roundTrip),
            payloadMax: min(opening.payloadMax, payloadMax), header: header, silence: silence)
    }

    /// What the answering end is told.
    var opening: Datagram.Opening {
        func held(_ value: Int, _ range: ClosedRange<Int>) -> Int {
            min(max(value, range.lowerBound), range.upperBound)
        }
        return Datagram.Opening(
            rate: held(Int(receiveRate), Datagram.Opening.rates),
            callerRate: held(Int(sendRate), Datagram.Opening.rates),
            roundTrip: held(Int(roundTrip.inMillisecondsRoundedUp), Datagram.Opening.roundTrips),
            payloadMax: held(payloadMax, Datagram.Opening.payloads))
    }

    /// Time of a datagram on the link towards the peer.
    func sendTime(_ payload: Int) -> Duration { .seconds(Double((payload + header) * 8) / sendRate) }
    /// Time of a datagram on the link from the peer.
    func receiveTime(_ payload: Int) -> Duration { .seconds(Double((payload + header) * 8) / receiveRate) }

    /// A full datagram there and one back.
    var fullRoundTrip: Duration { roundTrip + sendTime(payloadMax) + receiveTime(payloadMax) }
    /// How long an acknowledgement that is asked for waits for data to ride on.
    var askedDelay: Duration { min(max(roundTrip / 8, .milliseconds(20)), .milliseconds(100)) }
    /// How long another one waits: about as long as three more datagrams take.
    var acknowledgementDelay: Duration {
        min(max(roundTrip / 4, receiveTime(payloadMax) * 3, .milliseconds(25)), .seconds(6))
    }
    /// How long a datagram that is not full waits for what else is written.
    var holdDelay: Duration { min(max(sendTime(payloadMax) / 4, .milliseconds(5)), .milliseconds(200)) }
    /// Time between probes of a link that does not answer, so that its return is noticed soon.
    var probeEvery: Duration { min(fullRoundTrip * 2 + .seconds(1), .seconds(3)) }
    var silenceMax: Duration { silence ?? max(.seconds(60), fullRoundTrip * 20) }
    /// Where another way could be tried, a peer that says nothing at all is not waited for so long.
    var impatience: Duration { max(.seconds(30), fullRoundTrip * 10) }
    /// Bytes that may be under way: twice what the link holds in a round trip of full datagrams, and four of them.
    var window: Int { held(in: fullRoundTrip * 2) + 4 * (payloadMax + header) }
    /// Bytes that may be under way before the peer has shown that it is there: what the link holds until the first
    /// acknowledgement comes. More would be lost where there is no link.
    var firstWindow: Int {
        held(in: roundTrip + askedDelay * 2 + receiveTime(payloadMax)) + payloadMax + header
    }

    /// Bytes of the largest datagram that takes no longer than the round trip of a small one.
    var sentInRoundTrip: Int { held(in: roundTrip) - header }

    private func held(in time: Duration) -> Int { Int(min(sendRate / 8 * time.inSeconds, Double(1 << 24))) }
}
