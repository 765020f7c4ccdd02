public import GodwitProtocol

/// How the classes of traffic share a link when more waits than fits (D-20, G-81).
///
/// A weight is relative: 0 to 1,000. A class of weight 0 goes only when nothing else waits. Control has no weight: it
/// always goes first.
public struct ClassWeights: Sendable, Hashable {
    public static let max = 1_000

    private var weights: [Int]

    /// Values outside 0 to `max` count as the nearest limit.
    public init(
        revocation: Int, directText: Int, channelText: Int, voice: Int, document: Int, image: Int, bulk: Int
    ) {
        weights = [0, revocation, directText, channelText, voice, document, image, bulk].map(Self.clamped)
    }

    /// The weight of a class; 0 for control, which needs none.
    public subscript(priority: PriorityClass) -> Int {
        get { weights[priority.rawValue] }
        set { if priority != .control { weights[priority.rawValue] = Self.clamped(newValue) } }
    }

    private static func clamped(_ weight: Int) -> Int { Swift.min(Swift.max(weight, 0), max) }
}
