import GodwitContact
import GodwitCrypto
import Synchronization

/// Hints of all keys that are known, so that a frame costs one look-up. Bounded by the number of devices and peers.
final class HintCache: Sendable {
    private struct State {
        var known: [FrameHint: [PeerKey]] = [:]
        var clearings = 0
    }
    private let state = Mutex(State())

    func find(_ hint: FrameHint) -> [PeerKey]? { state.withLock { $0.known[hint] } }

    /// How often the cache was cleared: to be asked for before the keys are read from the store.
    var clearings: Int { state.withLock { $0.clearings } }

    /// Keeps keys, unless the cache was cleared since they were read: then one of them may be revoked.
    /// - Returns: those with the hint.
    func fill(
        _ keys: [PeerKey], readAt clearings: Int, towards own: AgreementPublicKey, finding hint: FrameHint
    ) -> [PeerKey] {
        let hints = Dictionary(grouping: keys) { FrameHint(sender: $0.noiseKey, receiver: own) }
        state.withLock { if $0.clearings == clearings { $0.known = hints } }
        return hints[hint] ?? []
    }

    func clear() {
        state.withLock {
            $0.known = [:]
            $0.clearings += 1
        }
    }
}
