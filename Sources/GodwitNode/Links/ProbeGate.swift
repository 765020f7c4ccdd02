import GodwitLink
import GodwitProtocol

/// How often a party may have its link probed.
actor ProbeGate {
    /// Between two probes of one party.
    static let pause = Duration.seconds(60)
    /// Parties that are remembered; while so many have been here within the pause further ones wait.
    static let partiesMax = 256

    private var last: [Party: Duration] = [:]

    /// - Throws: `ProtocolError` 3002 with `details.retry_after`.
    func admit(_ party: Party, at now: Duration) throws(ProtocolError) {
        last = last.filter { now - $0.value < Self.pause }
        guard let earliest = last[party] ?? (last.count < Self.partiesMax ? nil : last.values.min()) else {
            last[party] = now
            return
        }
        let wait = Self.pause - (now - earliest)
        throw ProtocolError(
            .rateLimited, "The link was probed a moment ago.", hint: "One probe a minute is answered.",
            details: ["retry_after": .integer(max(wait.inMillisecondsRoundedUp / 1_000, 1))])
    }
}
