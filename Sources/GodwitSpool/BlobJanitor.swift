import Synchronization

/// Removes files of bodies that no row names any more, once no reader can still see such a row.
///
/// Files are removed only between transactions on the writer's queue, so none can vanish under a new row.
final class BlobJanitor: Sendable {
    private struct State {
        var nextTicket: UInt64 = 0
        var readers: Set<UInt64> = []
        /// Digests that may have become orphans, with the ticket that the next reader would have had when this was
        /// last noted. Only the last note counts: between two of them readers may have seen a row.
        var candidates: [[UInt8]: UInt64] = [:]
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
            for digest in digests { state.candidates[digest] = state.nextTicket }
        }
    }

    /// What awaits removal.
    var pending: [[UInt8]] { state.withLock { Array($0.candidates.keys) } }

    /// Takes out what no present reader can see.
    func due() -> [[UInt8]] {
        state.withLock { state in
            let horizon = state.readers.min() ?? .max
            let due = state.candidates.filter { $0.value <= horizon }.keys
            for digest in due { state.candidates[digest] = nil }
            return Array(due)
        }
    }
}
