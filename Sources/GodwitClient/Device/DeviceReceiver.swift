import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool

/// Takes over what frames of the home node bring to the device.
struct DeviceReceiver: ItemReceiver {
    let store: DeviceStore

    func commit(_ items: [BatchItem], from peer: Party, in spool: SQLiteTransaction) throws {
        let transaction = store.transaction(spool)
        for item in items { try transaction.take(item.kind, item.body) }
        try transaction.finish()
    }

    /// Nothing is left to do: who asks for the outbox settles it first.
    func committed(from peer: Party) async {}

    func foundCopy(by peer: Party, in spool: SQLiteTransaction) throws {
        try store.transaction(spool).warn(
            Rejected(
                .copied,
                "The home node has had more from this device than its store knows: the store was put back to an earlier "
                    + "state, its disk has lost the last moments, or somebody uses a copy of it.",
                hint:
                    "After a power cut nothing is to be done. Otherwise others may know its keys, or its state is too "
                    + "old to be told of what came since: remove this device with another one of yours "
                    + "(`godwit device remove`), and add it anew in an empty home (`godwit device add`)."),
            about: store.context.device.text)
    }
}

/// The device's store: the spool with the device's tables, and who the device is.
struct DeviceStore: Sendable {
    let spool: SQLiteSpool
    let context: DeviceContext
    let time: any TimeSource

    func transaction(_ spool: SQLiteTransaction) -> ClientTransaction {
        ClientTransaction(spool, context: context, now: time.now(), uptime: time.uptime().milliseconds)
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (ClientTransaction) throws -> Value
    ) async throws -> Value {
        try await spool.write { spool in
            let transaction = self.transaction(spool)
            let value = try body(transaction)
            try transaction.finish()
            return value
        }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (ClientTransaction) throws -> Value
    ) async throws -> Value {
        try await spool.read { try body(self.transaction($0)) }
    }
}
