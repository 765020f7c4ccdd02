public import GodwitProtocol

/// One thing that a frame carries.
public struct BatchItem: Hashable, Sendable {
    public enum Kind: Int, Hashable, Sendable, CaseIterable {
        /// A signed message.
        case message = 1
        /// Any other protocol object: membership, epoch, command, lookup …
        case object = 2
        /// A receipt about items (D-12).
        case receipt = 3
    }

    public var kind: Kind
    /// Canonical JSON (RFC 8785). At most 98,303 bytes for a message with its `recipients`, 131,072 for
    /// other kinds; not empty.
    public var body: [UInt8]
    /// When its author made it. Years 0000 to 9999.
    public var created: Timestamp
    /// Milliseconds after `created` at which it expires, 0 to 2^53 − 1.
    public var lifetime: Int64
    /// Milliseconds that it has lived. A frame carries whole seconds, rounded up, 0 to 2^31 − 1 of them.
    public var age: Int64
    public var priority: PriorityClass

    public init(
        kind: Kind, body: [UInt8], created: Timestamp, lifetime: Int64 = Message.defaultLifetime, age: Int64 = 0,
        priority: PriorityClass
    ) {
        self.kind = kind
        self.body = body
        self.created = created
        self.lifetime = lifetime
        self.age = age
        self.priority = priority
    }
}
