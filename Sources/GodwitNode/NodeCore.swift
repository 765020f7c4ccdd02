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
        let (context, now) = (context, time.now())
        let (value, aftermath) = try await spool.write { transaction in
            let node = NodeTransaction(transaction, context: context, now: now)
            let value = try body(node)
            if let refused = try node.finish().first { throw refused.error }
            return (value, node.aftermath)
        }
        await self.aftermath.carryOut(aftermath)
        return value
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
