public import GodwitCrypto
public import GodwitProtocol

/// Who the node is, for everything that it decides inside a transaction.
public struct NodeContext: Sendable {
    public var id: NodeID
    public var signingKey: SigningKey
    /// Most items that are kept until what they need has come; beyond it the oldest is refused.
    public var heldMax: Int
    /// Most member devices of a channel of this node.
    public var membersMax: Int
    /// A newer item takes the place of an older one that still waits and that it makes needless (`Supersession`).
    public var compacts: Bool
    /// For how long messages are kept for history at most.
    public var retention: Retention
    /// For how long messages to a user who has moved away are delivered to the old devices, in uptime.
    public var forwardsMoved: Retention
    let journalKeys = JournalKeys()

    public init(
        id: NodeID, signingKey: SigningKey, heldMax: Int = 4096, membersMax: Int = MemberList.membersMax,
        compacts: Bool = true, retention: Retention = .usual, forwardsMoved: Retention = .moved
    ) {
        self.id = id
        self.signingKey = signingKey
        self.heldMax = heldMax
        self.membersMax = membersMax
        self.compacts = compacts
        self.retention = retention
        self.forwardsMoved = forwardsMoved
    }
}
