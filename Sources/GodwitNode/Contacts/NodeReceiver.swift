import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Logging
import Synchronization

/// Takes over what frames bring to the node.
final class NodeReceiver: ItemReceiver {
    private let context: NodeContext
    private let time: any TimeSource
    private let handler: AftermathHandler
    private let gate: Gatekeeper
    private let logger: Logger
    // What follows from the frames of a party; carried out once they are durable.
    private let aftermaths = Mutex<[Party: Aftermath]>([:])

    init(context: NodeContext, time: any TimeSource, handler: AftermathHandler, gate: Gatekeeper, logger: Logger) {
        self.context = context
        self.time = time
        self.handler = handler
        self.gate = gate
        self.logger = logger
    }

    func commit(_ items: [BatchItem], from peer: Party, in spool: SQLiteTransaction) throws {
        let transaction = NodeTransaction(spool, context: context, now: time.now())
        transaction.gate = gate
        for item in items { try transaction.take(item, from: peer) }
        for refused in try transaction.finish() {
            try transaction.refuse(refused.join.item, of: refused.author, because: refused.error)
        }
        let aftermath = transaction.aftermath
        aftermaths.withLock { $0[peer, default: Aftermath()].add(aftermath) }
    }

    func committed(from peer: Party) async {
        guard let aftermath = aftermaths.withLock({ $0.removeValue(forKey: peer) }) else { return }
        await handler.carryOut(aftermath)
    }

    func foundCopy(by peer: Party, in spool: SQLiteTransaction) throws {
        // Users stay out of the log.
        let name = if case .node(let node) = peer { node.text } else { "a device" }
        logger.error(
            """
            a peer has had frames that this spool did not send: it was put back by hand, its disk has lost the last moments, \
            or a copy of this node runs
            """,
            metadata: ["peer": "\(name)", "hint": "put nodes back with godwit node restore only"])
    }
}
