import GodwitContact
import GodwitCrypto
import Synchronization

/// Hints of all keys that are known, so that a frame costs one look-up. Bounded by the number of devices and peers.
final class HintCache: Sendable {
    private let known = Mutex<[FrameHint: [PeerKey]]>([:])

    func find(_ hint: FrameHint) -> [PeerKey]? { known.withLock { $0[hint] } }

    func fill(_ keys: [PeerKey], towards own: AgreementPublicKey) {
        let hints = Dictionary(grouping: keys) { FrameHint(sender: $0.noiseKey, receiver: own) }
        known.withLock { $0 = hints }
    }

    func clear() { known.withLock { $0 = [:] } }
}
