import GodwitProtocol
import Testing

@testable import GodwitNode

/// Token buckets (SEC-07).
@Suite("Rate limits")
struct RateLimiterTests {
    @Test("so many at once are let through, the next is told when; then one for each interval")
    func bucket() {
        var limiter = RateLimiter<Int>(RateLimit(burst: 3, perSecond: 0.1), keysMax: 10)
        for _ in 0..<3 { #expect(limiter.take(1, at: .zero) == nil) }
        #expect(limiter.take(1, at: .zero) == 10)
        #expect(limiter.take(1, at: .milliseconds(4_001)) == 6)
        #expect(limiter.take(1, at: .seconds(10)) == nil)
        #expect(limiter.take(1, at: .seconds(10)) == 10)
        #expect(limiter.take(2, at: .seconds(10)) == nil, "another key has its own")
        #expect(limiter.wait(1, at: .seconds(10)) == 10 && limiter.wait(2, at: .seconds(10)) == nil)
        // However long it waited, no more than the burst is there.
        for _ in 0..<3 { #expect(limiter.take(1, at: .seconds(100_000)) == nil) }
        #expect(limiter.take(1, at: .seconds(100_000)) != nil)
    }

    @Test("over any span no more is let through than burst and rate allow, and what was promised is kept (seeded)")
    func invariant() {
        var random = SplitMix(state: 42)
        for _ in 0..<50 {
            let limit = RateLimit(
                burst: Double(1 + random.next() % 20), perSecond: Double(1 + random.next() % 50) / 10)
            var limiter = RateLimiter<Int>(limit, keysMax: 4)
            var now = Duration.zero
            var taken = 0
            for _ in 0..<400 {
                now += .milliseconds(Int64(random.next() % 500))
                guard let wait = limiter.take(1, at: now) else {
                    taken += 1
                    continue
                }
                var later = limiter
                #expect(later.take(1, at: now + .seconds(wait)) == nil)
            }
            let seconds = Double(now.components.seconds) + 1
            #expect(Double(taken) <= limit.burst + seconds * limit.perSecond)
        }
    }

    @Test("10 keys are told apart; those beyond share one bucket until others are full again")
    func bounded() {
        var limiter = RateLimiter<Int>(RateLimit(burst: 2, perSecond: 1), keysMax: 10)
        for key in 0..<10 { #expect(limiter.take(key, at: .seconds(1)) == nil) }
        #expect(limiter.count == 10)
        #expect(limiter.take(10, at: .seconds(1)) == nil)
        #expect(limiter.take(11, at: .seconds(1)) == nil)
        #expect(limiter.take(12, at: .seconds(1)) == 1, "the shared bucket is empty")
        #expect(limiter.count == 10)
        #expect(limiter.take(12, at: .seconds(4)) == nil)
        #expect(limiter.count == 1, "the ten were full again, and are forgotten")
    }

    @Test("limits are read from settings; what cannot be one is refused by name")
    func settings() throws {
        let limits = try ProtectionLimits(["commands": ["burst": 5, "per_minute": 60]])
        #expect(limits.commands == RateLimit(burst: 5, perSecond: 1))
        #expect(limits.login == ProtectionLimits().login)
        for (object, member) in [
            (["speed": ["burst": 1, "per_minute": 1]], "speed"), (["login": ["burst": 0, "per_minute": 1]], "login"),
            (["login": ["burst": 1, "per_minute": 0]], "login"), (["login": ["burst": 1]], "login"),
            (["login": 3], "login"),
        ] as [(JSONObject, String)] {
            let error = try #require(throws: ProtocolError.self) { try ProtectionLimits(object) }
            #expect(error.details["member"]?.string == member)
        }
    }
}

/// SplitMix64: numbers that a seed fixes.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
