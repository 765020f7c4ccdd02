public import GodwitProtocol

/// Name of an item: a message's hash, or SHA-256 of the body of another object. 32 bytes.
public struct ItemID: Hashable, Sendable {
    public let bytes: [UInt8]

    /// - Precondition: 32 bytes.
    public init(_ bytes: [UInt8]) {
        precondition(bytes.count == 32, "an item id has 32 bytes")
        self.bytes = bytes
    }
}

/// What an item's body is.
public enum ItemKind: Int, Sendable, CaseIterable {
    /// A signed message in canonical JSON.
    case message = 1
    /// Any other protocol object in canonical JSON (membership, epoch, command, lookup …).
    case object = 2
    /// A receipt about items (D-12), in canonical JSON.
    case receipt = 3
}

/// An item on its way into the spool.
public struct NewItem: Sendable {
    public var id: ItemID
    public var kind: ItemKind
    public var body: [UInt8]
    public var destination: Party
    public var priority: PriorityClass
    /// When its author made it.
    public var created: Timestamp
    /// Milliseconds after `created` at which it expires.
    public var lifetime: Int64
    /// Milliseconds that it had lived when it arrived here.
    public var age: Int64
    /// Whose quota it counts against; nil: none.
    public var owner: Party?

    public init(
        id: ItemID, kind: ItemKind, body: [UInt8], destination: Party, priority: PriorityClass, created: Timestamp,
        lifetime: Int64, age: Int64 = 0, owner: Party? = nil
    ) {
        self.id = id
        self.kind = kind
        self.body = body
        self.destination = destination
        self.priority = priority
        self.created = created
        self.lifetime = lifetime
        self.age = age
        self.owner = owner
    }
}

/// An item in custody.
public struct SpoolItem: Sendable, Hashable {
    /// Row of the spool: also the order of arrival.
    public var row: Int64
    public var id: ItemID
    public var kind: ItemKind
    public var body: [UInt8]
    public var destination: Party
    public var priority: PriorityClass
    public var created: Timestamp
    public var lifetime: Int64
    /// Milliseconds lived so far, as far as this box knows.
    public var age: Int64
    public var state: CustodyState
    public var owner: Party?

    public init(
        row: Int64, id: ItemID, kind: ItemKind, body: [UInt8], destination: Party, priority: PriorityClass,
        created: Timestamp, lifetime: Int64, age: Int64, state: CustodyState, owner: Party?
    ) {
        self.row = row
        self.id = id
        self.kind = kind
        self.body = body
        self.destination = destination
        self.priority = priority
        self.created = created
        self.lifetime = lifetime
        self.age = age
        self.state = state
        self.owner = owner
    }
}

/// An item in custody as lists show it, without its body.
public struct ItemSummary: Sendable, Hashable {
    public var id: ItemID
    public var kind: ItemKind
    /// Of the body.
    public var size: ByteCount
    public var destination: Party
    public var priority: PriorityClass
    public var created: Timestamp
    public var lifetime: Int64
    /// Milliseconds lived so far, as far as this box knows.
    public var age: Int64
    public var state: CustodyState

    public init(
        id: ItemID, kind: ItemKind, size: ByteCount, destination: Party, priority: PriorityClass, created: Timestamp,
        lifetime: Int64, age: Int64, state: CustodyState
    ) {
        self.id = id
        self.kind = kind
        self.size = size
        self.destination = destination
        self.priority = priority
        self.created = created
        self.lifetime = lifetime
        self.age = age
        self.state = state
    }
}

/// Where a copy is on its way over one hop.
public enum CustodyState: String, Sendable, CaseIterable {
    case waiting
    /// In a frame that the peer has not acknowledged.
    case framed
    /// Handed over and acknowledged (kept as a mark for the duplicate-detection time, without its body).
    case forwarded
    case expired
}

/// One destination's copy of an item.
public struct Custody: Sendable, Hashable {
    public var destination: Party
    public var state: CustodyState
    public init(destination: Party, state: CustodyState) {
        self.destination = destination
        self.state = state
    }
}

public enum EnqueueOutcome: Sendable, Hashable {
    /// In custody, as this row; `after` is the row of the item that came last for the same destination, nil if that is not
    /// known. Whoever has all up to that one lacks nothing but this item.
    case accepted(row: Int64, after: Int64? = nil)
    case duplicate
}

/// What waits in one class for one destination.
public struct QueueSummary: Sendable, Hashable {
    public var count: Int
    public var bytes: ByteCount
    /// Milliseconds lived by the oldest.
    public var oldestAge: Int64
    /// Milliseconds until the first of them expires.
    public var firstExpiry: Int64
    public init(count: Int, bytes: ByteCount, oldestAge: Int64, firstExpiry: Int64) {
        self.count = count
        self.bytes = bytes
        self.oldestAge = oldestAge
        self.firstExpiry = firstExpiry
    }
}

/// Number of a frame within an incarnation of its sender (D-8). Numbers start at 1.
public struct FrameNumber: Sendable, Hashable {
    public var incarnation: UInt32
    public var number: UInt64
    public init(incarnation: UInt32, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }
}

/// A frame that was built for a peer. Number and bytes never change once recorded.
public struct OutboundFrame: Sendable, Hashable {
    /// The only path of most peers.
    public static let mainPath = "main"

    public var peer: Party
    public var number: FrameNumber
    /// The frame before sealing.
    public var bytes: [UInt8]
    /// Rows of the items in it.
    public var items: [Int64]
    /// The link that carries it and sends it again; 1 to 32 characters.
    public var path: String
    public init(
        peer: Party, number: FrameNumber, bytes: [UInt8], items: [Int64], path: String = OutboundFrame.mainPath
    ) {
        self.peer = peer
        self.number = number
        self.bytes = bytes
        self.items = items
        self.path = path
    }
}

/// A frame that is not acknowledged, without what is in it.
public struct FrameSummary: Sendable, Hashable {
    public var number: FrameNumber
    public var path: String
    /// Of the frame before sealing.
    public var size: ByteCount
    /// Milliseconds of uptime since it was built.
    public var age: Int64
    public init(number: FrameNumber, path: String, size: ByteCount, age: Int64) {
        self.number = number
        self.path = path
        self.size = size
        self.age = age
    }
}

public enum InboundOutcome: Sendable, Hashable {
    case fresh
    /// Committed before, same digest: acknowledge it again.
    case repeated
    /// The number was used for other bytes: the sender lost its memory. Nothing was committed.
    case conflict
}

/// What has been committed from one incarnation of a peer.
public struct InboundState: Sendable, Hashable {
    public var incarnation: UInt32
    /// Committed numbers; what lies below `floor` is left out.
    public var ranges: [ClosedRange<UInt64>]
    public var floor: UInt64
    /// 32-byte digests of the committed frames from `floor` up, in number order.
    public var digests: [[UInt8]]
    public init(incarnation: UInt32, ranges: [ClosedRange<UInt64>], floor: UInt64, digests: [[UInt8]]) {
        self.incarnation = incarnation
        self.ranges = ranges
        self.floor = floor
        self.digests = digests
    }
}
