import Synchronization

/// A spool that lives in memory, for simulation and tests: the same contract as `SQLiteSpool`, no durability.
public final class MemorySpool: Spool {
    private let store: Mutex<MemoryStore>

    public init(configuration: SpoolConfiguration = SpoolConfiguration()) {
        store = Mutex(MemoryStore(configuration: configuration))
    }

    /// Runs `body` at once, under a lock: it must not wait for anything.
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (MemoryTransaction) throws -> Value
    ) async throws -> Value {
        try store.withLock { store in
            store.undo = []
            do {
                return try body(MemoryTransaction(store: store))
            } catch {
                store.rollBack()
                throw error
            }
        }
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (MemoryTransaction) throws -> Value
    ) async throws -> Value {
        try store.withLock { store in
            store.undo = []
            defer { store.rollBack() }
            return try body(MemoryTransaction(store: store))
        }
    }
}
