public import GodwitProtocol

/// What a link can carry, by its rate in one direction (004 §13.2; limits as G-71 settles them):
///
/// | tier | rate |
/// | --- | --- |
/// | 1 | below 10 kbit/s |
/// | 2 | 10 kbit/s and more, below 100 kbit/s |
/// | 3 | 100 kbit/s to 1 Mbit/s, both included |
/// | 4 | above 1 Mbit/s |
public enum Tier: Int, Sendable, CaseIterable, Comparable {
    case ultraLow = 1
    case low = 2
    case medium = 3
    case high = 4

    /// One signature goes for the messages of an author that follow each other (D-5).
    public var savesSignatures: Bool { self <= .low }

    /// The tier of a rate, without regard to the past. `TierTracker` adds the hysteresis.
    public init(rate: BitRate) {
        self.init(rate: rate, times: 1, over: 1)
    }

    /// The tier of `rate * times / over`, without rounding.
    init(rate: BitRate, times: Int, over: Int) {
        // Above a terabit per second every answer is the same, and the product must not overflow.
        let scaled = min(max(rate.bitsPerSecond, 0), 1_000_000_000_000) * times
        if scaled < 10_000 * over {
            self = .ultraLow
        } else if scaled < 100_000 * over {
            self = .low
        } else if scaled <= 1_000_000 * over {
            self = .medium
        } else {
            self = .high
        }
    }

    public static func < (left: Tier, right: Tier) -> Bool { left.rawValue < right.rawValue }
}
