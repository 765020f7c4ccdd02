public import GodwitProtocol

/// A simple and honest guess at when something in the queue will have been sent. It knows the rate, the losses and what
/// is ahead; it does not know what more urgent items will come.
public struct LinkForecast: Sendable, Hashable {
    /// Rate towards the peer.
    public var rate: BitRate
    public var roundTrip: Duration
    /// Share of the bytes that is lost and goes again, 0 to 0.99.
    public var packetLoss: Double

    public init(rate: BitRate, roundTrip: Duration, packetLoss: Double) {
        self.rate = rate
        self.roundTrip = roundTrip
        self.packetLoss = min(max(packetLoss, 0), Profile.packetLossMax)
    }

    public init(_ profile: Profile) {
        self.init(rate: profile.bandwidthUp, roundTrip: profile.latency, packetLoss: profile.packetLoss)
    }

    /// Seconds until the last byte has left.
    /// - Parameters:
    ///   - ahead: bytes that go before.
    ///   - opensIn: time until a contact can start; zero in a contact.
    /// - Returns: nil if the link has no rate: then nothing can be said.
    public func secondsUntilSent(
        _ bytes: ByteCount, behind ahead: ByteCount, opensIn: Duration = .zero
    ) -> Double? {
        guard rate.bitsPerSecond > 0 else { return nil }
        let bits = (Double(ahead.bytes) + Double(bytes.bytes)) * 8
        return max(opensIn.inSeconds, 0) + bits / Double(rate.bitsPerSecond) / (1 - packetLoss)
    }

    /// Seconds until the peer's acknowledgement is here: one round trip more.
    public func secondsUntilAcknowledged(
        _ bytes: ByteCount, behind ahead: ByteCount, opensIn: Duration = .zero
    ) -> Double? {
        secondsUntilSent(bytes, behind: ahead, opensIn: opensIn).map { $0 + roundTrip.inSeconds }
    }
}
