public import GodwitProtocol

/// What waits in one class for one peer.
public struct ClassQueue: Sendable, Hashable {
    public var priority: PriorityClass
    public var count: Int
    /// Size on the link, as well as it is known.
    public var bytes: ByteCount
    /// Milliseconds that the oldest has waited.
    public var oldestAge: Int64
    /// Milliseconds until the first of them expires; nil: none does.
    public var firstExpiry: Int64?

    public init(
        priority: PriorityClass, count: Int, bytes: ByteCount, oldestAge: Int64 = 0, firstExpiry: Int64? = nil
    ) {
        self.priority = priority
        self.count = count
        self.bytes = bytes
        self.oldestAge = oldestAge
        self.firstExpiry = firstExpiry
    }
}

/// Room in a frame for one class.
public struct Share: Sendable, Hashable {
    public let priority: PriorityClass
    /// At least 1 byte.
    public let bytes: ByteCount
    /// No item may go beyond the share; otherwise the last one may.
    public let isStrict: Bool

    public init(priority: PriorityClass, bytes: ByteCount, isStrict: Bool = false) {
        self.priority = priority
        self.bytes = bytes
        self.isStrict = isStrict
    }
}
