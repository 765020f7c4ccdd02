import GodwitProtocol
import Synchronization

/// Wakes whoever empties a party's queue. A call for a party that nobody watches is forgotten: queues are durable, and
/// watchers look into them when they start.
final class QueueNotifier: Sendable {
    private let watchers = Mutex<[Party: [Int: @Sendable ([FreshItem]) -> Void]]>([:])
    private let next = Mutex(0)

    /// - Parameter wake: called from any thread; must return at once.
    func watch(_ party: Party, wake: @escaping @Sendable () -> Void) -> Int {
        watchItems(for: party) { _ in wake() }
    }

    /// - Parameter wake: gets what was queued for the device meanwhile, as far as it is at hand: it may be less than waits.
    func watchItems(for party: Party, wake: @escaping @Sendable ([FreshItem]) -> Void) -> Int {
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

    func notify(_ parties: Set<Party>, _ fresh: [FreshItem] = []) {
        // Called outside the lock, so that a watcher may stop itself.
        let woken = watchers.withLock { watchers in
            parties.compactMap { party in watchers[party].map { (party, Array($0.values)) } }
        }
        guard let first = woken.first else { return }
        guard woken.count > 1 else {
            return Self.wake(first.1, fresh.filter { $0.destination == first.0 })
        }
        let items = Dictionary(grouping: fresh, by: \.destination)
        for (party, watchers) in woken { Self.wake(watchers, items[party] ?? []) }
    }

    private static func wake(_ watchers: [@Sendable ([FreshItem]) -> Void], _ fresh: [FreshItem]) {
        for wake in watchers { wake(fresh) }
    }
}
