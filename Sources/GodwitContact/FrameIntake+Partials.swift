import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Synchronization

/// Frames that come in two parts, because the exchange that brought the first of them broke.
extension FrameIntake {
    /// A rest proves nothing before it was joined, so it begins no exchange. Where it cannot be joined, or what it makes
    /// does not open, the beginning is dropped and the exchange goes on: the frame comes whole the next time.
    func takeRest(_ record: [UInt8], from expected: PeerKey?) async throws -> TakenFrame {
        guard let peer = expected, let continuation = try? FrameContinuation(record), !continuation.rest.isEmpty else {
            throw Self.noFrame
        }
        let header = continuation.header
        let whole = shelf.records.withLock { $0.joined(continuation, from: peer.party) }
        if let whole, let payload = try await opened(whole, from: peer) {
            return try await take(payload, header, from: peer)
        }
        shelf.records.withLock { $0.drop(header, from: peer.party) }
        var taken = TakenFrame(
            peer: peer, items: 0, isRepeat: false, hasMore: true, released: 0, incarnation: header.incarnation)
        taken.isUnjoined = true
        return taken
    }

    private func opened(_ joined: [UInt8], from peer: PeerKey) async throws -> [UInt8]? {
        guard let sealed = try? SealedFrame(joined) else { return nil }
        do { return try await open(sealed, peer).1 } catch let error as ProtocolError
            where error.code == .invalidCredentials
        { return nil }
    }

    /// Keeps the beginning of a record in case its exchange breaks.
    ///
    /// - Parameter taken: what the same exchange brought before.
    /// - Returns: the frame that is coming, where its beginning is kept.
    func keep(_ beginning: [UInt8], after taken: TakenFrame) -> FrameHeader? {
        let hint = FrameHint(sender: taken.peer.noiseKey, receiver: identity.noiseKey.publicKey)
        return shelf.records.withLock {
            $0.keep(beginning, from: taken.peer.party, hint: hint, incarnation: taken.incarnation)
        }
    }

    /// Frames of a peer whose beginning is here, for the next loose frame to it.
    ///
    /// - Parameter coming: a frame that is still coming in the same exchange, and is left out.
    func partials(of peer: Party, except coming: FrameHeader? = nil) -> [PartialFrame] {
        shelf.records.withLock { $0.told(to: peer, except: coming) }
    }
}
