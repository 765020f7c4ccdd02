import GodwitContact
import GodwitCrypto
import GodwitProtocol

extension PeerKey {
    /// The key of a neighbour, from its descriptor.
    init(_ peer: Peer) throws {
        self.init(
            party: .node(peer.descriptor.id), noiseKey: try AgreementPublicKey(peer.descriptor.noiseKey))
    }
}
