public import GodwitBatch
public import GodwitProtocol
public import GodwitSpool

/// Takes over what a frame held.
public protocol ItemReceiver: Sendable {
    associatedtype Transaction: SpoolTransaction

    /// Stores the items in the transaction that commits their frame. An item that is refused is no error here: it is
    /// answered. Throwing undoes the whole frame, which its sender then keeps (spool full, disk error).
    func commit(_ items: [BatchItem], from peer: Party, in transaction: Transaction) throws

    /// The transaction is durable.
    func committed(from peer: Party) async

    /// `peer` has had frames from this party that this store did not send: the store was put back to an earlier state, or
    /// another copy of it is in use. A new incarnation is drawn in the same transaction.
    func foundCopy(by peer: Party, in transaction: Transaction) throws
}

extension ItemReceiver {
    /// Nobody is to be told.
    public func foundCopy(by peer: Party, in transaction: Transaction) throws {}
}
