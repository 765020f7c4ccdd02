import GodwitContact
import GodwitProtocol
import GodwitSpool
import Logging

/// What every part of the node shares.
struct NodeCore: Sendable {
    let spool: SQLiteSpool
    let context: NodeContext
    let time: any TimeSource
    let aftermath: AftermathHandler
    let logger: Logger
    let gate: Gatekeeper

    /// Runs node logic in one durable transaction, then carries out what follows from it.
    ///
    /// - Throws: also for a join that cannot be carried out; nothing is written then.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value
    ) async throws -> Value {
        let (value, aftermath) = try await withCheckedThrowingContinuation { continuation in
            submit(body) { continuation.resume(with: $0) }
        }
        await self.aftermath.carryOut(aftermath)
        return value
    }

    /// Lines up a `write`; calls are carried out in their order, and so are their completions.
    ///
    /// - Parameter completion: has to see to it that what follows is carried out (`AftermathHandler.carryOut`). Must return
    ///   at once.
    func submit<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<(Value, Aftermath), any Error>) -> Void
    ) {
        let (context, now) = (context, time.now())
        spool.submit(
            { transaction in
                let node = NodeTransaction(transaction, context: context, now: now)
                let value = try body(node)
                if let refused = try node.finish().first { throw refused.error }
                return (value, node.aftermath)
            }, completion: completion)
    }

    var notifier: QueueNotifier { aftermath.notifier }
    var directoryCache: HintCache { aftermath.cache }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value
    ) async throws -> Value {
        let (context, now) = (context, time.now())
        return try await spool.read { try body(NodeTransaction($0, context: context, now: now)) }
    }
}
