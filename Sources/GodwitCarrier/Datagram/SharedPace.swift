import Synchronization

/// When a link is free on which several exchanges send, so that together they do not send faster than it is. Whoever
/// has waited longest goes first.
///
/// Times are those of the exchanges' common clock.
final class SharedPace: Sendable {
    private struct State {
        var freeAt = Duration.zero
        var turns = 0
        /// Number of each sender's last turn.
        var lastTurn: [ObjectIdentifier: Int] = [:]
        var waiting: Set<ObjectIdentifier> = []
    }

    /// How much later a sender tries than one that has waited longer: more than timers differ by.
    static let courtesy = Duration.milliseconds(3)

    private let bytesPerSecond: Double
    private let state = Mutex(State())

    init(bytesPerSecond: Double) { self.bytesPerSecond = bytesPerSecond }

    /// From when on a sender may take the link.
    func freeAt(for sender: ObjectIdentifier) -> Duration {
        state.withLock { state in
            let own = state.lastTurn[sender] ?? 0
            let before = state.waiting.count { $0 != sender && (state.lastTurn[$0] ?? 0) < own }
            return state.freeAt + Self.courtesy * before
        }
    }

    /// A sender has taken the link for so many bytes.
    func charge(_ bytes: Int, to sender: ObjectIdentifier, at now: Duration) {
        state.withLock { state in
            state.freeAt = max(state.freeAt, now) + .seconds(Double(bytes) / bytesPerSecond)
            state.turns += 1
            state.lastTurn[sender] = state.turns
        }
    }

    func note(_ sender: ObjectIdentifier, isWaiting: Bool) {
        state.withLock { state in
            if isWaiting { state.waiting.insert(sender) } else { state.waiting.remove(sender) }
        }
    }

    /// The sender is gone.
    func forget(_ sender: ObjectIdentifier) {
        state.withLock { state in
            state.waiting.remove(sender)
            state.lastTurn[sender] = nil
        }
    }
}
