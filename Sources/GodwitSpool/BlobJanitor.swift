import Synchronization

/// Removes files of bodies that no row names any more, once no reader can still see such a row.
///
/// Files are removed only between transactions on the writer's queue, so none can vanish under a new row.
final class BlobJanitor: Sendable {
    private struct State {
        var nextTicket: UInt64 = 0
        var readers: Set<UInt64> = []
        /// Digests that may have become orphans, with the ticket that the next reader would have had then.
        var candidates: [(ticket: UInt64, digest: [UInt8])] = []
    }

    private let state = Mutex(State())

    /// Call before a snapshot is taken; give the ticket to `readerLeft`.
    func readerCame() -> UInt64 {
        state.withLock { state in
            let ticket = state.nextTicket
            state.nextTicket += 1
            state.readers.insert(ticket)
            return ticket
        }
    }

    func readerLeft(_ ticket: UInt64) {
        state.withLock { state in _ = state.readers.remove(ticket) }
    }

    /// Call after the commit, or the roll-back, that left these without a row.
    func note(_ digests: [[UInt8]]) {
        guard !digests.isEmpty else { return }
        state.withLock { state in
            let ticket = state.nextTicket
            state.candidates += digests.map { (ticket, $0) }
        }
    }

    /// What awaits removal.
    var pending: [[UInt8]] { state.withLock { $0.candidates.map(\.digest) } }

    /// Takes out what no present reader can see.
    func due() -> [[UInt8]] {
        state.withLock { state in
            let horizon = state.readers.min() ?? .max
            let due = state.candidates.filter { $0.ticket <= horizon }
            state.candidates.removeAll { $0.ticket <= horizon }
            return due.map(\.digest)
        }
    }
}
