import GodwitNode
import Synchronization

/// How many connections each address has. Those of this machine are not counted: a proxy may stand here for all.
final class ConnectionPlaces: Sendable {
    private let perSourceMax: Int
    /// At most as many keys as there are connections, for one with none is forgotten.
    private let counts = Mutex<[SourceAddress: Int]>([:])

    init(perSourceMax: Int) { self.perSourceMax = perSourceMax }

    /// False: the address has its share. Else a place is taken until `leave`.
    func enter(_ source: SourceAddress) -> Bool {
        counts.withLock { counts in
            let count = counts[source, default: 0]
            guard count < perSourceMax else { return false }
            counts[source] = count + 1
            return true
        }
    }

    func leave(_ source: SourceAddress) {
        counts.withLock { counts in
            guard let count = counts[source] else { return }
            counts[source] = count > 1 ? count - 1 : nil
        }
    }

    /// Addresses that are counted now.
    var sources: Int { counts.withLock { $0.count } }
}
