import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// The private keys with which frames in flight were sealed: what goes again is then the same, byte for byte, so that a
/// receiver which has the beginning needs only the rest. After a restart a frame gets another key and goes whole.
///
/// A key is given out again only for the same bytes, number, incarnation and receiver. It is wiped as soon as it is
/// forgotten.
struct EphemeralKeys: Sendable {
    /// As many as one link has frames in flight.
    static let keysMax = OutletPath.framesMax

    private struct Entry: Sendable {
        var number: FrameNumber
        var peer: PeerKey
        /// Of the frame's bytes before sealing.
        var digest: [UInt8]
        var key: AgreementKey
    }
    /// The newest last.
    private var entries: [Entry] = []

    var count: Int { entries.count }

    mutating func key(
        for payload: [UInt8], _ number: FrameNumber, to peer: PeerKey
    ) throws(CryptoError) -> AgreementKey {
        // Loose frames have one number and are never the same.
        guard number.number > 0 else { return try .generate() }
        let digest = SHA256Digest.of(payload)
        if let known = entries.first(where: { $0.number == number && $0.peer == peer && $0.digest == digest }) {
            return known.key
        }
        let key = try AgreementKey.generate()
        entries.removeAll { $0.number == number && $0.peer.party == peer.party }
        if entries.count >= Self.keysMax { entries.removeFirst() }
        entries.append(Entry(number: number, peer: peer, digest: digest, key: key))
        return key
    }

    /// Frames that were acknowledged.
    mutating func forget(_ numbers: [FrameNumber], to peer: Party) {
        guard !numbers.isEmpty else { return }
        entries.removeAll { $0.peer.party == peer && numbers.contains($0.number) }
    }

    /// Forgets all frames to a peer but those in flight, of those before `next`.
    mutating func keep(_ inFlight: [FrameNumber], before next: FrameNumber, to peer: Party) {
        guard !entries.isEmpty else { return }
        let kept = Set(inFlight)
        entries.removeAll { entry in
            guard entry.peer.party == peer, !kept.contains(entry.number) else { return false }
            return entry.number.incarnation != next.incarnation || entry.number.number < next.number
        }
    }
}
