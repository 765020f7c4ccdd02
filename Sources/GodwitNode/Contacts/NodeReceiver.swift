import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Synchronization

/// Takes over what frames bring to the node.
final class NodeReceiver: ItemReceiver {
    private let context: NodeContext
    private let time: any TimeSource
    private let notifier: QueueNotifier
    // Parties for whom a frame's transaction queued something; told once it is durable.
    private let touched = Mutex<[Party: Set<Party>]>([:])

    init(context: NodeContext, time: any TimeSource, notifier: QueueNotifier) {
        self.context = context
        self.time = time
        self.notifier = notifier
    }

    func commit(_ items: [BatchItem], from peer: Party, in spool: SQLiteTransaction) throws {
        let transaction = NodeTransaction(spool, context: context, now: time.now())
        for item in items { try transaction.take(item, from: peer) }
        try transaction.finish()
        let parties = transaction.touched
        touched.withLock { $0[peer, default: []].formUnion(parties) }
    }

    func committed(from peer: Party) async {
        let parties = touched.withLock { $0.removeValue(forKey: peer) ?? [] }
        notifier.notify(parties)
    }
}
