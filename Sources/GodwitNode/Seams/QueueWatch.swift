public import GodwitProtocol

/// Tells when something waits for a peer, so that one that keeps a live link to this node need not ask.
public protocol QueueWatch: Sendable {
    /// - Parameter notice: called from any thread soon after something was queued for the party; returns at once.
    /// - Returns: for `stop`.
    func watch(_ party: Party, notice: @escaping @Sendable () -> Void) -> Int
    func stop(_ watch: Int, for party: Party)
    func hasWaiting(for party: Party) async -> Bool
}
