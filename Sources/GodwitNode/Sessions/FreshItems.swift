import GodwitSpool
import Synchronization

/// What was queued for a device since its socket looked last, as far as it is at hand. If that becomes too much, nothing of
/// it is, and the socket reads the spool.
final class FreshItems: Sendable {
    static let bytesMax = 1_048_576

    private struct State {
        var items: [FreshItem] = []
        var bytes = 0
    }
    private let state = Mutex(State())

    func add(_ items: [FreshItem]) {
        state.withLock { state in
            state.bytes += items.reduce(0) { $0 + $1.item.body.count }
            guard state.bytes <= Self.bytesMax else { return state.items = [] }
            state.items += items
        }
    }

    func take() -> [FreshItem] {
        state.withLock { state in
            defer { state = State() }
            return state.items
        }
    }
}
