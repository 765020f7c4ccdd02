public import GodwitProtocol

/// Fills one frame by the scheduler's shares.
///
/// The caller offers items class by class in the order of the shares, within a class in the spool's order, and stops
/// with a class at the first refusal. An item goes while its class has any of its share left, as long as the frame has
/// room: so an item larger than a share is not stuck, and what it took too much is held against its class next time. In a
/// strict share (control's, while others wait) an item goes only if it fits.
public struct FrameFill: Sendable, Hashable {
    /// What was taken, by class.
    public private(set) var used: [PriorityClass: ByteCount] = [:]
    /// Room left in the frame.
    public private(set) var room: ByteCount
    public let shares: [Share]
    private var open: [PriorityClass: ByteCount]
    private let strict: Set<PriorityClass>

    public init(_ shares: [Share], frame: ByteCount) {
        self.shares = shares
        room = frame
        open = Dictionary(shares.map { ($0.priority, $0.bytes) }, uniquingKeysWith: +)
        strict = Set(shares.filter(\.isStrict).map(\.priority))
    }

    /// - Returns: true if the item goes into the frame.
    public mutating func take(_ bytes: ByteCount, of priority: PriorityClass) -> Bool {
        guard let left = open[priority], left > .zero, bytes <= room,
            bytes <= left || !strict.contains(priority)
        else { return false }
        room -= bytes
        open[priority] = left - bytes
        used[priority, default: .zero] += bytes
        return true
    }
}
