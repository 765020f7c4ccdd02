public import GodwitProtocol

/// The tier of one direction of a link while its measured rate moves (G-71).
///
/// It changes only when the rate is 20% beyond a limit: up when 5/6 of the rate would be in a higher tier (12 kbit/s
/// for Tier 2), down when 5/4 of it would be in a lower one (less than 8 kbit/s for Tier 1). So a rate that wavers
/// about a limit does not make the link change its behaviour with every measurement.
public struct TierTracker: Sendable, Hashable {
    /// Set by the operator; measurements do not change it (NET-07).
    public let override: Tier?
    private var current: Tier

    /// The tier in force.
    public var tier: Tier { override ?? current }

    public init(rate: BitRate, override: Tier? = nil) {
        self.current = Tier(rate: rate)
        self.override = override
    }

    /// Takes a new measurement.
    /// - Returns: the tier in force afterwards.
    @discardableResult
    public mutating func measured(_ rate: BitRate) -> Tier {
        let climbing = Tier(rate: rate, times: 5, over: 6)
        let falling = Tier(rate: rate, times: 5, over: 4)
        if climbing > current {
            current = climbing
        } else if falling < current {
            current = falling
        }
        return tier
    }
}
