/// How often something may happen: so many at once, and so many a second on average.
public struct RateLimit: Hashable, Sendable {
    public var burst: Double
    public var perSecond: Double

    /// - Precondition: both are greater than 0.
    public init(burst: Double, perSecond: Double) {
        precondition(burst >= 1 && perSecond > 0, "a limit lets something through")
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// Token buckets, one for each key, without a clock: times are durations of uptime.
///
/// Memory is bounded: a bucket that is full again is the same as none and is forgotten. When more keys than `keysMax`
/// have a bucket that is not full, new keys share one, so that a flood from many addresses is limited as a whole.
struct RateLimiter<Key: Hashable & Sendable>: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: Duration
    }

    let limit: RateLimit
    let keysMax: Int
    private var buckets: [Key: Bucket] = [:]
    private var shared: Bucket?
    private var sweptAt: Duration = .zero

    init(_ limit: RateLimit, keysMax: Int) {
        self.limit = limit
        self.keysMax = keysMax
    }

    /// Buckets that are kept now.
    var count: Int { buckets.count }

    /// Takes one token of the key's bucket.
    /// - Returns: nil if it may happen; else the seconds until it may, 1 or more.
    mutating func take(_ key: Key, at now: Duration) -> Int? {
        if buckets[key] == nil, buckets.count >= keysMax { sweep(at: now) }
        let isShared = buckets[key] == nil && buckets.count >= keysMax
        var bucket = filled(isShared ? shared : buckets[key], at: now)
        defer { if isShared { shared = bucket } else { buckets[key] = bucket } }
        guard bucket.tokens < 1 else {
            bucket.tokens -= 1
            return nil
        }
        return max(1, Int(((1 - bucket.tokens) / limit.perSecond).rounded(.up)))
    }

    /// Puts back a token that was taken for what turned out to cost none.
    mutating func giveBack(_ key: Key, at now: Duration) {
        guard buckets[key] != nil else { return }
        var bucket = filled(buckets[key], at: now)
        bucket.tokens = min(limit.burst, bucket.tokens + 1)
        buckets[key] = bucket
    }

    /// Whether one token is there, without taking it.
    /// - Returns: as `take`.
    func wait(_ key: Key, at now: Duration) -> Int? {
        guard let bucket = buckets[key] ?? (buckets.count >= keysMax ? shared : nil) else { return nil }
        let tokens = filled(bucket, at: now).tokens
        return tokens >= 1 ? nil : max(1, Int(((1 - tokens) / limit.perSecond).rounded(.up)))
    }

    private func filled(_ bucket: Bucket?, at now: Duration) -> Bucket {
        guard let bucket else { return Bucket(tokens: limit.burst, at: now) }
        let seconds =
            Double((now - bucket.at).components.seconds) + Double((now - bucket.at).components.attoseconds) * 1e-18
        return Bucket(tokens: min(limit.burst, bucket.tokens + max(0, seconds) * limit.perSecond), at: now)
    }

    /// Forgets what is full again; at most once a second, so that a flood costs no sweep each.
    private mutating func sweep(at now: Duration) {
        guard now - sweptAt >= .seconds(1) || sweptAt == .zero else { return }
        sweptAt = now
        buckets = buckets.filter { filled($0.value, at: now).tokens < limit.burst }
    }
}
