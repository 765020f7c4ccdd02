import GodwitContact
import GodwitProtocol
import GodwitSpool
import Logging

/// What every part of the node shares.
struct NodeCore: Sendable {
    let spool: SQLiteSpool
    let context: NodeContext
    let time: any TimeSource
    let notifier: QueueNotifier
    let directoryCache: HintCache
    let logger: Logger

    /// Runs node logic in one durable transaction, then wakes whoever empties the queues that it filled.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value
    ) async throws -> Value {
        let (context, now) = (context, time.now())
        let (value, touched) = try await spool.write { transaction in
            let node = NodeTransaction(transaction, context: context, now: now)
            let value = try body(node)
            try node.finish()
            return (value, node.touched)
        }
        notifier.notify(touched)
        return value
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (NodeTransaction) throws -> Value
    ) async throws -> Value {
        let (context, now) = (context, time.now())
        return try await spool.read { try body(NodeTransaction($0, context: context, now: now)) }
    }
}
