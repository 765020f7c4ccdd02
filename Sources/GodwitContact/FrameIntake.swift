import GodwitBatch
import GodwitCrypto
import GodwitProtocol
public import GodwitSpool

/// What became of a frame that arrived.
public struct TakenFrame: Sendable, Hashable {
    public var peer: PeerKey
    /// Items committed now; 0 for a repeat or a loose frame.
    public var items: Int
    public var isRepeat: Bool
    /// The peer has more than it sent.
    public var hasMore: Bool
    /// Items whose custody ended by the frame's acknowledgements.
    public var released: Int
    /// A loose frame only: its floor lies below what its sender had settled before, so the sender may have lost its
    /// memory (`FrameOutlet.heard`).
    public var isBehind: Bool?
}

/// Opens frames, commits what they hold and applies their acknowledgements: one transaction a frame (D-8).
///
/// Order: seal, then decoding, then the store. Nothing is parsed that no known key has sealed.
public struct FrameIntake<Store: Spool, Receiver: ItemReceiver>: Sendable
where Store.Transaction == Receiver.Transaction {
    private let spool: Store
    private let receiver: Receiver
    private let identity: ContactIdentity
    private let directory: any PeerDirectory

    public init(spool: Store, receiver: Receiver, identity: ContactIdentity, directory: any PeerDirectory) {
        self.spool = spool
        self.receiver = receiver
        self.identity = identity
        self.directory = directory
    }

    /// - Parameter expected: the only peer that may have sealed it; nil: whoever the directory knows.
    /// - Throws: `ProtocolError` 1000 when no known key opens it, 2000 when it is malformed, 3001 when its number was
    ///   used for other bytes; what the store throws.
    public func take(_ record: [UInt8], from expected: PeerKey? = nil) async throws -> TakenFrame {
        let sealed = try Self.parse(record)
        let (peer, payload) = try await open(sealed, expected)
        let frame = try FrameCodec.decode(payload)
        let digest = SHA256Digest.of(payload)
        let header = sealed.header
        let receiver = receiver
        let taken = try await spool.write { transaction in
            let released = try Self.apply(frame.acknowledgements, from: peer.party, in: transaction)
            let isBehind = try Self.isBehind(frame, header, from: peer.party, in: transaction)
            if frame.floor > 0 {
                try transaction.settleInbound(
                    below: frame.floor, incarnation: header.incarnation, from: peer.party)
            }
            var taken = TakenFrame(
                peer: peer, items: 0, isRepeat: false, hasMore: frame.hasMore, released: released, isBehind: isBehind)
            guard header.number > 0 else { return taken }
            let number = FrameNumber(incarnation: header.incarnation, number: header.number)
            switch try transaction.commitInbound(number, from: peer.party, digest: digest) {
            case .fresh:
                try receiver.commit(frame.items, from: peer.party, in: transaction)
                taken.items = frame.items.count
            case .repeated: taken.isRepeat = true
            case .conflict:
                throw ProtocolError(
                    .federationError, "A frame's number was used before for other bytes.",
                    hint: "The sender has lost its memory; it must draw a new incarnation.")
            }
            return taken
        }
        if taken.items > 0 || taken.released > 0 { await receiver.committed(from: peer.party) }
        return taken
    }

    private static func parse(_ record: [UInt8]) throws(ProtocolError) -> SealedFrame {
        do {
            return try SealedFrame(record)
        } catch {
            throw ProtocolError(
                .invalidMessageFormat, "The record is no sealed frame.",
                hint: "It was cut, altered or is of another version.")
        }
    }

    private func open(_ sealed: SealedFrame, _ expected: PeerKey?) async throws -> (PeerKey, [UInt8]) {
        var candidates = try await directory.candidates(for: sealed.header.hint)
        if let expected { candidates = candidates.filter { $0 == expected } }
        for candidate in candidates {
            let hop = Hop(sender: candidate.party, receiver: identity.party)
            let payload = try? sealed.open(
                over: hop, receiverKey: identity.noiseKey, senderKey: candidate.noiseKey)
            if let payload { return (candidate, payload) }
        }
        throw ProtocolError(
            .invalidCredentials, "No known key opens the frame.",
            hint: "The sender is unknown here, the frame is for somebody else, or it was altered on the way.")
    }

    private static func isBehind(
        _ frame: Frame, _ header: FrameHeader, from peer: Party, in transaction: Store.Transaction
    ) throws -> Bool? {
        guard header.number == 0, frame.floor > 0 else { return nil }
        let known = try transaction.inbound(from: peer).first { $0.incarnation == header.incarnation }
        return known.map { frame.floor < $0.floor } ?? false
    }

    /// Applies acknowledgements of frames sent to `peer`.
    ///
    /// One that this store cannot have caused shows that the store is older than its frames, or the peer's memory is of
    /// another store: a new incarnation is drawn, what was in flight waits again, and readers know items by their hash.
    private static func apply(
        _ acknowledgements: [Acknowledgement], from peer: Party, in transaction: Store.Transaction
    ) throws -> Int {
        var released = 0
        for acknowledgement in acknowledgements {
            let next = try transaction.nextFrame(to: peer)
            guard acknowledgement.incarnation == next.incarnation, let last = acknowledgement.ranges.last
            else { continue }
            guard last.upperBound < next.number else {
                try transaction.renewIncarnation(to: peer, incarnation: incarnation(besides: next.incarnation))
                continue
            }
            let acknowledged = try transaction.unacknowledged(to: peer, numbers: acknowledgement.ranges)
            guard !acknowledged.isEmpty else { continue }
            let settled = try transaction.settledDigests(to: peer, numbers: acknowledgement.ranges)
            guard isSound(acknowledgement, of: acknowledged, settled) else {
                try transaction.renewIncarnation(to: peer, incarnation: incarnation(besides: next.incarnation))
                continue
            }
            released += try transaction.acknowledge(
                from: peer, incarnation: acknowledgement.incarnation, numbers: acknowledgement.ranges
            ).count
        }
        return released
    }

    /// Whether the peer has committed the bytes that were sent. The acknowledgement may name frames below all that still
    /// travel, which an earlier one released and whose digests are gone (it comes late); the digest covers them too and
    /// then cannot be compared.
    private static func isSound(
        _ acknowledgement: Acknowledgement, of frames: [OutboundFrame], _ settled: [UInt64: [UInt8]]
    ) -> Bool {
        let count = acknowledgement.ranges.reduce(UInt64(0)) { $0 + ($1.upperBound - $1.lowerBound) + 1 }
        var digests = settled
        for frame in frames { digests[frame.number.number] = SHA256Digest.of(frame.bytes) }
        guard count == UInt64(digests.count) else { return true }
        let inOrder = digests.sorted { $0.key < $1.key }.map(\.value)
        return Acknowledgement.digest(of: inOrder) == acknowledgement.digest
    }

    private static func incarnation(besides present: UInt32) -> UInt32 {
        var drawn = present
        while drawn == present { drawn = .random(in: 1 ... .max) }
        return drawn
    }
}
