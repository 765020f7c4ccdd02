import GodwitProtocol
import Synchronization

/// Wakes whoever empties a party's queue. A call for a party that nobody watches is forgotten: queues are durable, and
/// watchers look into them when they start.
final class QueueNotifier: Sendable {
    private let watchers = Mutex<[Party: [Int: @Sendable () -> Void]]>([:])
    private let next = Mutex(0)

    /// - Parameter wake: called from any thread; must return at once.
    func watch(_ party: Party, wake: @escaping @Sendable () -> Void) -> Int {
        let key = next.withLock { value in
            value += 1
            return value
        }
        watchers.withLock { $0[party, default: [:]][key] = wake }
        return key
    }

    func stop(_ key: Int, for party: Party) {
        watchers.withLock { watchers in
            watchers[party]?[key] = nil
            if watchers[party]?.isEmpty ?? false { watchers[party] = nil }
        }
    }

    func notify(_ parties: Set<Party>) {
        // Called outside the lock, so that a watcher may stop itself.
        let woken = watchers.withLock { watchers in parties.flatMap { watchers[$0].map { Array($0.values) } ?? [] } }
        for wake in woken { wake() }
    }
}
