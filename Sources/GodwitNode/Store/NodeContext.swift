public import GodwitCrypto
public import GodwitProtocol

/// Who the node is, for everything that it decides inside a transaction.
public struct NodeContext: Sendable {
    public var id: NodeID
    public var signingKey: SigningKey
    /// Most items that are kept until their authors are introduced; beyond it the oldest is refused.
    public var heldMax: Int

    public init(id: NodeID, signingKey: SigningKey, heldMax: Int = 4096) {
        self.id = id
        self.signingKey = signingKey
        self.heldMax = heldMax
    }
}
