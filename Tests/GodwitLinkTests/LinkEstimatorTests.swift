import GodwitLink
import GodwitProtocol
import Testing

/// Transfers over an emulated link, as a carrier that leaves the pace to TCP would report them.
private struct EmulatedTransfers {
    var up: LinkModel
    let profile: Profile
    var now = Duration.zero

    init(_ profile: Profile, rate: Int, seed: UInt64) {
        self.profile = profile
        var parameters = LinkModel.Parameters.up(profile)
        parameters.rate = BitRate(bitsPerSecond: rate)
        up = LinkModel(parameters, seed: seed)
    }

    /// One request of so many bytes on the link, and an empty answer.
    mutating func transfer(_ bytes: Int) -> LinkSample {
        now += .seconds(5)
        let before = up.statistics
        let last = up.offer(bytes: bytes, at: now).last?.at ?? now
        let time = last + profile.latency / 2 - now
        now += time
        let crossed = up.statistics.charged - up.statistics.repeated - (before.charged - before.repeated)
        return LinkSample(
            at: Timestamp(milliseconds: Int64(now.inSeconds * 1000)),
            up: LinkSample.Flow(bytes: ByteCount(crossed), time: time, includesRoundTrip: true),
            roundTrip: profile.latency)
    }
}

@Suite("What transfers show of a link (NET-05, NET-06, NET-07, G-78)")
struct LinkEstimatorTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)
    private static let profiles: [Profile] = [.preset(.satellite), .preset(.mobile), .preset(.broadband)]

    private func close(_ estimate: LinkEstimator.Estimate?, to rate: Int) -> Bool {
        guard let estimate else { return false }
        return abs(estimate.value / Double(rate) - 1) <= 0.15
    }

    /// A size that shows something, or one of a single short text.
    private func size(_ rate: Int, _ random: inout SeededGenerator) -> Int {
        if Int.random(in: 0..<3, using: &random) == 0 { return Int.random(in: 80...900, using: &random) }
        return max(rate / 8 * Int.random(in: 3...20, using: &random), 4_096)
    }

    @Test(
        "on a link of known rate, delay and loss the rate is found within 15% and never lost again",
        arguments: profiles, [0.3, 1, 2.5])
    func converges(_ profile: Profile, factor: Double) {
        for seed in UInt64(1)...8 {
            let rate = Int(Double(profile.bandwidthUp.bitsPerSecond) * factor)
            var link = EmulatedTransfers(profile, rate: rate, seed: seed)
            var random = SeededGenerator(seed: seed &+ 1_000)
            var estimator = LinkEstimator()
            var shown = 0
            for _ in 0..<80 {
                let bytes = size(rate, &random)
                let sample = link.transfer(bytes)
                estimator.take(sample, over: profile)
                shown += bytes > 4_000 ? 1 : 0
                guard shown >= 5 else { continue }
                let estimate = estimator.rate(.up, at: sample.at)
                #expect(close(estimate, to: rate), "seed \(seed): \(estimate?.value ?? 0) of \(rate)")
                #expect(estimate?.confidence == 1 && estimate?.isAtLeast == false)
                let applied = estimator.applied(to: profile, at: sample.at)
                #expect(abs(Double(applied.bandwidthUp.bitsPerSecond) / Double(rate) - 1) <= 0.15)
                #expect(applied.latency == profile.latency)
            }
        }
    }

    @Test("a step is followed within four transfers, up within three", arguments: profiles, [0.25, 0.5, 2, 4])
    func steps(_ shipped: Profile, factor: Double) {
        var profile = shipped
        profile.packetLoss = 0
        let first = profile.bandwidthUp.bitsPerSecond
        let second = Int(Double(first) * factor)
        for seed in UInt64(1)...8 {
            var estimator = LinkEstimator()
            var link = EmulatedTransfers(profile, rate: first, seed: seed)
            for _ in 0..<10 { estimator.take(link.transfer(max(first, 8_192)), over: profile) }
            var after = EmulatedTransfers(profile, rate: second, seed: seed &+ 50)
            after.now = link.now
            for _ in 0..<(factor > 1 ? 3 : 4) {
                estimator.take(after.transfer(max(second, first, 8_192)), over: profile)
            }
            let now = Timestamp(milliseconds: Int64(after.now.inSeconds * 1000))
            #expect(close(estimator.rate(.up, at: now), to: second), "seed \(seed)")
        }
    }

    private func sample(
        _ bytes: Int, _ milliseconds: Int, pace: Int? = nil, includesRoundTrip: Bool = false, after hours: Double = 0
    ) -> LinkSample {
        LinkSample(
            at: Self.start.adding(milliseconds: Int64(hours * 3_600_000)),
            up: LinkSample.Flow(
                bytes: ByteCount(bytes), time: .milliseconds(milliseconds), includesRoundTrip: includesRoundTrip,
                pace: pace.map { BitRate(bitsPerSecond: $0) }))
    }

    @Test("a transfer shows a rate from 2,048 bytes, 100 ms and four round trips on")
    func shortest() {
        var quick = Profile.preset(.broadband)
        quick.latency = .milliseconds(20)
        var long = quick
        long.latency = .milliseconds(600)
        func counts(_ sample: LinkSample, _ profile: Profile) -> Bool {
            var estimator = LinkEstimator()
            estimator.take(sample, over: profile)
            return estimator.rate(.up, at: sample.at) != nil
        }
        #expect(counts(sample(2_048, 100), quick))
        #expect(!counts(sample(2_047, 100), quick))
        #expect(!counts(sample(2_048, 99), quick))
        #expect(counts(sample(2_048, 2_400), long))
        #expect(!counts(sample(2_048, 2_399), long))
        #expect(counts(sample(2_048, 3_000, includesRoundTrip: true), long))
        #expect(!counts(sample(2_048, 2_999, includesRoundTrip: true), long))
    }

    @Test("a transfer that its own pace held up says at least, and lowers nothing")
    func paced() {
        let profile = Profile.preset(.satellite)
        var estimator = LinkEstimator()
        // 9,000 of 9,600 bit/s.
        estimator.take(sample(11_250, 10_000, pace: 9_600), over: profile)
        let first = estimator.rate(.up, at: Self.start)
        #expect(first?.isAtLeast == true)
        // Slower because it was told so: no news of the link, but it is still there.
        for hour in 1...20 {
            estimator.take(sample(9_600, 10_000, pace: 8_000, after: Double(hour)), over: profile)
        }
        let now = Self.start.adding(milliseconds: 20 * 3_600_000)
        #expect(estimator.rate(.up, at: now)?.value == first?.value)
        #expect(estimator.rate(.up, at: now)?.age == 0)
        // Far below the pace: it is the link.
        for _ in 0..<4 { estimator.take(sample(5_000, 10_000, pace: 9_600, after: 20), over: profile) }
        let lowered = estimator.rate(.up, at: now)
        #expect(lowered?.isAtLeast == false)
        #expect((4_000.0...4_100).contains(lowered?.value ?? 0), "4,000 bit/s and the profile's losses of 1%")
    }

    @Test("at 80% of its pace a transfer was held up by it, below that by the link")
    func pacedEdge() {
        var profile = Profile.preset(.satellite)
        profile.packetLoss = 0
        func isBound(_ bytes: Int) -> Bool? {
            var estimator = LinkEstimator()
            estimator.take(sample(bytes, 10_000, pace: 10_000), over: profile)
            return estimator.rate(.up, at: Self.start)?.isAtLeast
        }
        #expect(isBound(10_000) == true)
        #expect(isBound(9_999) == false)
    }

    @Test("one outlier above and three below change nothing")
    func outliers() {
        let profile = Profile.preset(.mobile)
        var estimator = LinkEstimator()
        for _ in 0..<5 { estimator.take(sample(80_000, 10_000), over: profile) }
        estimator.take(sample(8_000_000, 10_000), over: profile)
        #expect(estimator.rate(.up, at: Self.start)?.value == 64_000)
        estimator = LinkEstimator()
        for _ in 0..<5 { estimator.take(sample(80_000, 10_000), over: profile) }
        for _ in 0..<3 { estimator.take(sample(8_000, 10_000), over: profile) }
        #expect(estimator.rate(.up, at: Self.start)?.value == 64_000)
    }

    @Test("an estimate stands for an hour, fades, and is gone after a day")
    func fades() throws {
        let profile = Profile.preset(.satellite)
        var estimator = LinkEstimator()
        for _ in 0..<3 { estimator.take(sample(3_000, 10_000), over: profile) }
        func rate(_ hours: Double) -> Int {
            estimator.applied(to: profile, at: Self.start.adding(milliseconds: Int64(hours * 3_600_000)))
                .bandwidthUp.bitsPerSecond
        }
        #expect(rate(0) == 2_400 && rate(1) == 2_400)
        // Half of what is between an hour and a day: by ratio, so half the way from 9,600 to 2,400.
        #expect((4_790...4_810).contains(rate(12.5)))
        #expect(rate(23.9) > 9_500)
        #expect(rate(24) == 9_600)
        #expect(estimator.rate(.up, at: Self.start.adding(milliseconds: 24 * 3_600_000)) == nil)
        let ages = stride(from: 0.0, through: 24, by: 0.5).map(rate)
        #expect(zip(ages, ages.dropFirst()).allSatisfy { $0 <= $1 }, "it only nears the profile")
    }

    @Test("a clock that jumps loses the estimate at worst")
    func clock() {
        let profile = Profile.preset(.satellite)
        var estimator = LinkEstimator()
        for _ in 0..<3 { estimator.take(sample(3_000, 10_000), over: profile) }
        let before = Self.start.adding(milliseconds: -10 * 3_600_000)
        #expect(estimator.applied(to: profile, at: before).bandwidthUp == profile.bandwidthUp)
        estimator.take(sample(3_000, 10_000, after: -10), over: profile)
        #expect(estimator.rate(.up, at: before)?.samples == 1, "what is from the future is not known any more")
    }

    @Test("losses are counted, with the profile's share in the place of the first 50 datagrams", arguments: 1...8)
    func losses(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var profile = Profile.preset(.meshnet)
        profile.packetLoss = 0.5
        var estimator = LinkEstimator()
        #expect(estimator.loss(over: profile, at: Self.start) == nil)
        for _ in 0..<200 {
            let lost = (0..<40).count { _ in Double.random(in: 0..<1, using: &random) < 0.08 }
            estimator.take(
                LinkSample(at: Self.start, datagramsSent: 40, datagramsLost: lost), over: profile)
        }
        let loss = estimator.applied(to: profile, at: Self.start).packetLoss
        #expect((0.06...0.12).contains(loss), "seed \(seed): \(loss)")
        let later = Self.start.adding(milliseconds: 24 * 3_600_000)
        #expect(estimator.applied(to: profile, at: later).packetLoss == 0.5)
    }

    @Test("the next contact goes as fast as was measured and a tenth more, never faster than the profile says")
    func pace() {
        let profile = Profile.preset(.mobile)
        func paced(_ rate: Int) -> (sizing: Int, up: Int) {
            var estimator = LinkEstimator()
            for _ in 0..<3 { estimator.take(sample(rate, 8_000), over: profile) }
            let paced = estimator.paced(profile, at: Self.start)
            #expect(paced.down == profile.bandwidthDown, "nothing was learned of the other direction")
            return (paced.sizing.bandwidthUp.bitsPerSecond, paced.up.bitsPerSecond)
        }
        #expect(paced(32_000) == (32_000, 35_200))
        #expect(paced(60_000) == (60_000, 64_000))
        #expect(paced(500_000) == (64_000, 64_000))
        #expect(paced(3_000) == (6_400, 6_400), "a tenth of the profile's rate")
    }

    @Test("`measure: false` pins the profile's values (NET-07)")
    func pinned() throws {
        var profile = Profile.preset(.mobile)
        profile.measures = false
        var estimator = LinkEstimator()
        for _ in 0..<5 { estimator.take(sample(4_000, 8_000), over: profile) }
        #expect(estimator.applied(to: profile, at: Self.start) == profile)
        #expect(estimator.paced(profile, at: Self.start).up == profile.bandwidthUp)
        let read = try Profile(["name": "x", "network_profile": ["type": "mobile"], "measure": false])
        #expect(!read.measures)
        #expect(try Profile(["name": "x", "network_profile": ["type": "mobile"]]).measures)
        #expect(throws: ProtocolError.self) {
            try Profile(["name": "x", "network_profile": ["type": "mobile"], "measure": "no"])
        }
    }
}
