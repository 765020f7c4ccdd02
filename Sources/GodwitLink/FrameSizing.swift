public import GodwitProtocol

/// How large a frame's payload is made: about five seconds of the link's time, so that a cut costs little, an urgent
/// item waits little, and the 48 bytes of a seal do not weigh (D-7, D-15).
public enum FrameSizing {
    /// Smallest payload that is worth its seal.
    public static let payloadMin = ByteCount(512)
    /// Largest payload that a Noise message carries (protocol document, section 4.5).
    public static let payloadMax = ByteCount(65_471)

    /// - Parameter seconds: link time of one frame, 0 and up; not a number counts as 0.
    /// - Returns: `payloadMin` to `payloadMax`.
    public static func payload(rate: BitRate, seconds: Double) -> ByteCount {
        bytes(rate: rate, seconds: seconds, atLeast: payloadMin, atMost: payloadMax)
    }

    /// Payload of a frame over the link of a profile towards the peer.
    public static func payload(up profile: Profile) -> ByteCount {
        payload(rate: profile.bandwidthUp, seconds: profile.frameSeconds)
    }

    /// Most that one contact may send: what the budget leaves and what fits into the rest of the contact window.
    /// - Parameters:
    ///   - allowed: what the budget leaves; nil: no budget.
    ///   - windowLeft: time until the window closes; nil: it does not close. One round trip of it is kept for the
    ///     last acknowledgement.
    /// - Returns: 0 and up; nil: no limit.
    public static func contactBytes(
        rate: BitRate, roundTrip: Duration, allowed: ByteCount?, windowLeft: Duration?
    ) -> ByteCount? {
        guard let windowLeft else { return allowed }
        let seconds = (windowLeft - roundTrip).inSeconds
        let fits = bytes(rate: rate, seconds: seconds, atLeast: ByteCount(0), atMost: ByteCount(.max >> 1))
        guard let allowed else { return fits }
        return min(allowed, fits)
    }

    private static func bytes(
        rate: BitRate, seconds: Double, atLeast low: ByteCount, atMost high: ByteCount
    ) -> ByteCount {
        let wanted = Double(rate.bitsPerSecond) / 8 * seconds
        guard wanted > Double(low.bytes) else { return low }
        guard wanted < Double(high.bytes) else { return high }
        return ByteCount(Int(wanted))
    }
}
