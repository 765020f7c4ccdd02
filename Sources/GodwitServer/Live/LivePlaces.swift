import Synchronization

/// How many live links a node keeps: strangers are those of which no record was accepted yet.
final class LivePlaces: Sendable {
    private let linksMax: Int
    private let strangersMax: Int
    private let counts = Mutex((links: 0, strangers: 0))

    init(linksMax: Int, strangersMax: Int) {
        self.linksMax = linksMax
        self.strangersMax = strangersMax
    }

    /// False: there is no place. Else the link is a stranger until `accept`, and takes its place until `leave`.
    func enter() -> Bool {
        counts.withLock { counts in
            guard counts.links < linksMax, counts.strangers < strangersMax else { return false }
            counts.links += 1
            counts.strangers += 1
            return true
        }
    }

    func accept() { counts.withLock { $0.strangers -= 1 } }

    func leave(asStranger: Bool) {
        counts.withLock { counts in
            counts.links -= 1
            if asStranger { counts.strangers -= 1 }
        }
    }
}
