import GodwitLink
import GodwitProtocol
import Testing

@Suite("Tiers (NET-08 to NET-19, G-71, G-72)")
struct TierTests {
    @Test(
        "the limits: 10 and 100 kbit/s belong to the upper tier, 1 Mbit/s to Tier 3",
        arguments: [
            (0, 1), (9_999, 1), (10_000, 2), (99_999, 2), (100_000, 3), (1_000_000, 3), (1_000_001, 4), (Int.max, 4),
            (-5, 1),
        ])
    func limits(_ rate: Int, tier: Int) {
        #expect(Tier(rate: BitRate(bitsPerSecond: rate)).rawValue == tier)
    }

    @Test("the tiers of the sample in 004 §13.1: 4 down, 3 up")
    func perDirection() {
        #expect(Tier(rate: BitRate(bitsPerSecond: 1_200_000)) == .high)
        #expect(Tier(rate: BitRate(bitsPerSecond: 256_000)) == .medium)
    }

    @Test(
        "a tier is left only 20% beyond its limit",
        arguments: [
            (9_000, 11_999, 1), (9_000, 12_000, 2), (10_000, 8_000, 2), (10_000, 7_999, 1),
            (50_000, 119_999, 2), (50_000, 120_000, 3), (200_000, 80_000, 3), (200_000, 79_999, 2),
            (500_000, 1_200_000, 3), (500_000, 1_200_001, 4), (2_000_000, 800_001, 4), (2_000_000, 800_000, 3),
            (9_000, 50_000_000, 4), (50_000_000, 100, 1),
        ])
    func hysteresis(_ first: Int, then: Int, tier: Int) {
        var tracker = TierTracker(rate: BitRate(bitsPerSecond: first))
        #expect(tracker.measured(BitRate(bitsPerSecond: then)).rawValue == tier)
    }

    @Test("a rate that wavers within 15% about a limit changes the tier at most once", arguments: 1...20)
    func wavering(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for limit in [10_000, 100_000, 1_000_000] {
            var tracker = TierTracker(rate: BitRate(bitsPerSecond: limit))
            let first = tracker.tier
            for _ in 0..<200 {
                let rate = Int(Double(limit) * Double.random(in: 0.85...1.15, using: &random))
                tracker.measured(BitRate(bitsPerSecond: rate))
            }
            #expect(tracker.tier == first, "seed \(seed)")
        }
    }

    @Test("the operator's tier stands against every measurement (NET-07)")
    func override() {
        var tracker = TierTracker(rate: BitRate(bitsPerSecond: 5_000), override: .medium)
        #expect(tracker.tier == .medium)
        #expect(tracker.measured(BitRate(bitsPerSecond: 9_000_000)) == .medium)
    }

    @Test("texts: 140 and 1000 scalars, 1 KiB and 6 KiB sealed, at their edges")
    func texts() {
        func allows(_ tier: Tier, _ scalars: Int, _ sealed: Int) -> Bool {
            TierRules.of(tier).allowsText(scalars: scalars, sealed: ByteCount(sealed))
        }
        #expect(allows(.ultraLow, 140, 1_024) && !allows(.ultraLow, 141, 100) && !allows(.ultraLow, 10, 1_025))
        #expect(allows(.low, 1_000, 6_144) && !allows(.low, 1_001, 100) && !allows(.low, 10, 6_145))
        #expect(allows(.medium, 60_000, 65_535) && allows(.high, 60_000, 65_535))
    }

    @Test("each tier allows what 004 §13.2 lists")
    func table() {
        let rules = Tier.allCases.map(TierRules.of)
        #expect(rules.map(\.tier) == Tier.allCases)
        #expect(rules.map(\.voice) == [.none, .messages, .lowQuality, .highQuality])
        #expect(rules.map(\.documents) == [false, true, true, true])
        #expect(rules.map(\.images) == [false, false, true, true])
        #expect(rules.map(\.thumbnails) == [false, false, true, true])
        #expect(rules.map(\.mediaOnDemand) == [true, true, false, false])
        #expect(rules.map(\.presence) == [false, false, true, true] && rules.map(\.typing) == rules.map(\.presence))
        #expect(rules.map(\.liveSession) == [false, false, true, true])
        #expect(rules.map(\.coverTraffic) == [false, false, true, true])
        #expect(rules.map(\.outsideRequests) == [false, false, true, true])
        #expect(rules.map(\.compressionQuality) == [11, 11, 9, 6])
        #expect(rules.map(\.voiceRate) == [nil, 8_000...12_000, 16_000...24_000, 32_000...64_000])
    }

    @Test("text goes over every tier, larger classes as the tier rises")
    func classes() {
        func allowed(_ tier: Tier) -> [PriorityClass] {
            PriorityClass.allCases.filter { TierRules.of(tier).allows($0) }
        }
        #expect(allowed(.ultraLow) == [.control, .revocation, .directText, .channelText])
        #expect(allowed(.low) == [.control, .revocation, .directText, .channelText, .voice, .document])
        #expect(allowed(.medium) == PriorityClass.allCases && allowed(.high) == PriorityClass.allCases)
    }
}
