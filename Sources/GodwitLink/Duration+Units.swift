extension Duration {
    /// This duration in seconds; exact to about a microsecond over a century.
    public var inSeconds: Double {
        let (whole, atto) = components
        return Double(whole) + Double(atto) * 1e-18
    }

    /// This duration in whole milliseconds, rounded up, held within ±2^53.
    public var inMillisecondsRoundedUp: Int64 {
        let limit: Int64 = 1 << 53
        let (whole, atto) = components
        guard whole > -limit / 1_000, whole < limit / 1_000 else { return whole < 0 ? -limit : limit }
        let unit: Int64 = 1_000_000_000_000_000
        let rest = atto / unit + (atto % unit > 0 ? 1 : 0)
        return whole * 1_000 + rest
    }
}
