public import GodwitProtocol

/// What a link really carries, learned from the transfers over it (G-78, NET-06). A value: it has no clock and sends nothing.
///
/// A transfer counts for a rate only if it can show one: 2,048 bytes and more, over 100 ms and four round trips and more.
/// Where the sender paced itself and the bytes came at 80% of the pace or more, the link was not the limit: it carries *at
/// least* that, and such a transfer never lowers a rate. Rates are those of `MeasureWindow`, freed from the losses; delay is
/// the second least of the last five; losses are counted over the last 1,000 to 2,000 datagrams, the profile's share
/// standing in for the first 50. What was not confirmed for an hour fades, and after a day the profile's values stand again.
public struct LinkEstimator: Sendable, Hashable {
    public static let bytesMin = 2_048
    public static let timeMin = Duration.milliseconds(100)
    static let roundTripsMin = 4
    /// A paced transfer at this share of its pace, or above it, was held up by the pace.
    public static let pacedShare = 0.8
    /// By so much the pace of the next contact is above what was measured, so that a better link shows.
    public static let headroom = 1.1
    /// The same where the link was not the limit.
    public static let headroomAtLeast = 1.5
    /// However bad it looks, the pace stays above this share of the profile's rate.
    public static let leastShare = 0.1
    /// Datagrams for which the profile's losses stand.
    static let priorDatagrams = 50.0
    /// From so many on the old ones count half.
    static let datagramsMax = 2_000.0
    static let rates = 10.0...100e9

    var up = MeasureWindow()
    var down = MeasureWindow()
    var roundTrip = MeasureWindow()
    var sent = 0.0
    var lost = 0.0
    /// When datagrams were counted last, in milliseconds since 1970.
    var counted: Int64 = 0

    public init() {}

    /// One quantity as it was measured.
    public struct Estimate: Sendable, Hashable {
        /// bit/s, seconds, or a share.
        public var value: Double
        /// 0 to 1: how much of it counts against the profile's value.
        public var confidence: Double
        /// Milliseconds since it was last confirmed.
        public var age: Int64
        /// Transfers behind it, at most five; for losses datagrams.
        public var samples: Int
        /// The link may be better: it was never loaded with more.
        public var isAtLeast: Bool
    }

    /// Takes in what an exchange showed.
    ///
    /// - Parameter profile: what is expected of the link.
    public mutating func take(_ sample: LinkSample, over profile: Profile) {
        let at = sample.at.milliseconds
        if let time = sample.roundTrip, time > .zero { roundTrip.add(min(time.inSeconds, 600), at: at) }
        if sample.datagramsSent > 0 {
            if MeasureWindow.freshness(of: counted, at: at) == 0 { (sent, lost) = (0, 0) }
            counted = at
            sent += Double(sample.datagramsSent)
            lost += Double(sample.datagramsLost)
            if sent > Self.datagramsMax { (sent, lost) = (sent / 2, lost / 2) }
        }
        if let flow = sample.up { take(flow, \.up, at: at, over: profile) }
        if let flow = sample.down { take(flow, \.down, at: at, over: profile) }
    }

    private mutating func take(
        _ flow: LinkSample.Flow, _ direction: WritableKeyPath<LinkEstimator, MeasureWindow>, at: Int64,
        over profile: Profile
    ) {
        guard let rate = Self.rate(of: flow, roundTrip: expectedRoundTrip(profile), loss: lossShare(profile, at: at))
        else {
            return
        }
        guard let pace = flow.pace, rate >= Double(pace.bitsPerSecond) * Self.pacedShare else {
            return self[keyPath: direction].add(rate, at: at)
        }
        let known = self[keyPath: direction].chosen(>)?.value ?? 0
        if rate > known {
            self[keyPath: direction].add(rate, at: at, isBound: true)
        } else if rate >= known * Self.pacedShare {
            self[keyPath: direction].confirm(at: at)
        }
    }

    /// bit/s; nil where the transfer is too short to show one.
    static func rate(of flow: LinkSample.Flow, roundTrip: Duration, loss: Double) -> Double? {
        let time = flow.includesRoundTrip ? flow.time - roundTrip : flow.time
        guard flow.bytes.bytes >= bytesMin, time >= timeMin, time >= roundTrip * roundTripsMin else { return nil }
        // Where TCP sends again by itself its losses are part of what the link carries.
        let share = flow.pace == nil ? 1 : 1 - loss
        let rate = Double(flow.bytes.bytes) * 8 / time.inSeconds / max(share, 0.01)
        return min(max(rate, rates.lowerBound), rates.upperBound)
    }

    private func expectedRoundTrip(_ profile: Profile) -> Duration {
        roundTrip.chosen(<).map { .seconds($0.value) } ?? profile.latency
    }

    private func lossShare(_ profile: Profile, at now: Int64) -> Double {
        let fresh = MeasureWindow.freshness(of: counted, at: now)
        let share =
            (lost * fresh + profile.packetLoss * Self.priorDatagrams) / (sent * fresh + Self.priorDatagrams)
        return min(max(share, 0), Profile.packetLossMax)
    }
}

// MARK: - What is known

extension LinkEstimator {
    /// nil: nothing was measured, or too long ago.
    public func rate(_ direction: LinkSample.Direction, at now: Timestamp) -> Estimate? {
        estimate(direction == .up ? up : down, at: now, >)
    }

    /// Seconds.
    public func roundTrip(at now: Timestamp) -> Estimate? { estimate(roundTrip, at: now, <) }

    /// Share of the datagrams towards the peer, the profile's value in it as `priorDatagrams`.
    public func loss(over profile: Profile, at now: Timestamp) -> Estimate? {
        let weight = sent * MeasureWindow.freshness(of: counted, at: now.milliseconds)
        guard weight > 0 else { return nil }
        return Estimate(
            value: lossShare(profile, at: now.milliseconds), confidence: weight / (weight + Self.priorDatagrams),
            age: max(now.milliseconds - counted, 0), samples: Int(sent), isAtLeast: false)
    }

    private func estimate(
        _ window: MeasureWindow, at now: Timestamp, _ best: (Double, Double) -> Bool
    ) -> Estimate? {
        let confidence = window.confidence(at: now.milliseconds)
        guard confidence > 0, let chosen = window.chosen(best) else { return nil }
        return Estimate(
            value: chosen.value, confidence: confidence, age: max(now.milliseconds - window.confirmed, 0),
            samples: window.entries.count, isAtLeast: chosen.isBound)
    }

    /// The profile with what was measured in the place of what was expected, as far as it is to be believed; unchanged
    /// where the profile says `measure: false`.
    public func applied(to profile: Profile, at now: Timestamp) -> Profile {
        guard profile.measures else { return profile }
        var real = profile
        func mixed(_ rate: BitRate, _ direction: LinkSample.Direction) -> BitRate {
            guard let estimate = self.rate(direction, at: now) else { return rate }
            let value = Self.mix(Double(rate.bitsPerSecond), estimate.value, estimate.confidence)
            return BitRate(bitsPerSecond: Int(min(max(value, Self.rates.lowerBound), Self.rates.upperBound).rounded()))
        }
        real.bandwidthUp = mixed(profile.bandwidthUp, .up)
        real.bandwidthDown = mixed(profile.bandwidthDown, .down)
        if let time = roundTrip(at: now) {
            let seconds = profile.latency.inSeconds * (1 - time.confidence) + time.value * time.confidence
            real.latency = .milliseconds(Int64((seconds * 1000).rounded()))
        }
        real.packetLoss = lossShare(profile, at: now.milliseconds)
        return real
    }

    /// By ratio, for a rate half of what is believed and one twice of it are equally far off.
    private static func mix(_ one: Double, _ other: Double, _ share: Double) -> Double {
        guard one > 0, other > 0, share > 0 else { return one }
        guard share < 1 else { return other }
        // Between two positive numbers by halving: no logarithm in a room without Foundation, and exact enough.
        var (near, far, from, to) = (one, other, 0.0, 1.0)
        for _ in 0..<20 {
            let (middle, place) = ((near * far).squareRoot(), (from + to) / 2)
            if share < place { (far, to) = (middle, place) } else { (near, from) = (middle, place) }
        }
        return near
    }

    /// The profile for pace and frame sizes of the next contact: as measured, but never faster than the profile says (the
    /// operator may have written less on purpose), and never below a tenth of it.
    public func paced(_ profile: Profile, at now: Timestamp) -> (sizing: Profile, up: BitRate, down: BitRate) {
        let real = applied(to: profile, at: now)
        func headroom(_ direction: LinkSample.Direction) -> Double {
            rate(direction, at: now)?.isAtLeast == true ? Self.headroomAtLeast : Self.headroom
        }
        func held(_ rate: BitRate, _ most: BitRate, _ factor: Double) -> BitRate {
            let top = Double(most.bitsPerSecond)
            return BitRate(
                bitsPerSecond: Int(min(max(Double(rate.bitsPerSecond) * factor, top * Self.leastShare, 10), top)))
        }
        var sizing = profile
        sizing.bandwidthUp = held(real.bandwidthUp, profile.bandwidthUp, 1)
        sizing.bandwidthDown = held(real.bandwidthDown, profile.bandwidthDown, 1)
        return (
            sizing, held(real.bandwidthUp, profile.bandwidthUp, headroom(.up)),
            held(real.bandwidthDown, profile.bandwidthDown, headroom(.down))
        )
    }
}
