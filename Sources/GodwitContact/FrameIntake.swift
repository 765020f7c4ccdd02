public import GodwitBatch
import GodwitCrypto
import GodwitProtocol
public import GodwitSpool
import Synchronization

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
    /// It goes on from frames that are not known here, and was not committed.
    public var isForgotten = false
    /// Of the sender.
    public var incarnation: UInt32
    /// A loose frame only: its floor lies below what its sender had settled before, so the sender may have lost its
    /// memory (`FrameOutlet.heard`).
    public var isBehind: Bool?
    /// A loose frame only: frames of this end of which its sender has the beginning.
    public var partials: [PartialFrame]?
    /// Frames of this end that it acknowledged.
    public var settled: [FrameNumber] = []
    /// The rest of a frame whose beginning is not here: nothing of it was believed, and the frame comes whole.
    public var isUnjoined = false
}

/// Opens frames, commits what they hold and applies their acknowledgements: one transaction a frame (D-8).
///
/// Order: seal, then decoding, then the store. Nothing is parsed that no known key has sealed.
public struct FrameIntake<Store: Spool, Receiver: ItemReceiver>: Sendable
where Store.Transaction == Receiver.Transaction {
    private let spool: Store
    private let receiver: Receiver
    let identity: ContactIdentity
    private let directory: any PeerDirectory
    let shelf: PartialShelf

    /// - Parameter partials: shared by all that take frames for the identity, as long as the process lives.
    public init(
        spool: Store, receiver: Receiver, identity: ContactIdentity, directory: any PeerDirectory,
        partials: PartialShelf = PartialShelf()
    ) {
        shelf = partials
        self.spool = spool
        self.receiver = receiver
        self.identity = identity
        self.directory = directory
    }

    /// Takes a sealed frame, or the rest of one whose beginning is here.
    ///
    /// - Parameter expected: the only peer that may have sealed it; nil: whoever the directory knows.
    /// - Throws: `ProtocolError` 1000 when no known key opens it, 2000 when it is malformed, 3001 when its number was
    ///   used for other bytes; what the store throws.
    public func take(_ record: [UInt8], from expected: PeerKey? = nil) async throws -> TakenFrame {
        if record.first == FrameContinuation.kind { return try await takeRest(record, from: expected) }
        let sealed = try Self.parse(record)
        let (peer, payload) = try await open(sealed, expected)
        return try await take(payload, sealed.header, from: peer)
    }

    func take(_ payload: [UInt8], _ header: FrameHeader, from peer: PeerKey) async throws -> TakenFrame {
        let opened = try FrameCodec.open(payload, number: header.number)
        let content = try await read(opened, header, from: peer.party)
        let frame = opened.frame
        let digest = SHA256Digest.of(payload)
        let receiver = receiver
        let keepsContexts = opened.hasRuns && peer.party.keepsContexts && identity.party.keepsContexts
        let taken = try await spool.write { transaction in
            let (released, settled) = try apply(frame.acknowledgements, from: peer.party, in: transaction)
            try Self.renew(frame.forgotten, towards: peer.party, in: transaction)
            let isBehind = try Self.isBehind(frame, header, from: peer.party, in: transaction)
            if frame.floor > 0 {
                try transaction.settleInbound(
                    below: frame.floor, incarnation: header.incarnation, from: peer.party)
            }
            var taken = TakenFrame(
                peer: peer, items: 0, isRepeat: false, hasMore: frame.hasMore, released: released,
                incarnation: header.incarnation, isBehind: isBehind)
            taken.settled = settled
            guard header.number > 0 else {
                taken.partials = frame.partials
                return taken
            }
            guard let content else {
                taken.isRepeat = try Self.isCommitted(header, from: peer.party, in: transaction)
                taken.isForgotten = !taken.isRepeat
                return taken
            }
            let number = FrameNumber(incarnation: header.incarnation, number: header.number)
            switch try transaction.commitInbound(number, from: peer.party, digest: digest) {
            case .fresh:
                try receiver.commit(content.items, from: peer.party, in: transaction)
                if keepsContexts, let bytes = content.contexts.bytes {
                    try transaction.keepContexts(bytes, of: number, from: peer.party)
                }
                taken.items = content.items.count
            case .repeated: taken.isRepeat = true
            case .conflict:
                throw ProtocolError(
                    .federationError, "A frame's number was used before for other bytes.",
                    hint: "The sender has lost its memory; it must draw a new incarnation.")
            }
            return taken
        }
        shelf.records.withLock { $0.heard(header, floor: frame.floor, from: peer.party) }
        if taken.items > 0 || taken.released > 0 { await receiver.committed(from: peer.party) }
        return taken
    }

    /// The items, read with what earlier frames of the peer left behind; nil if that is not there. Only frames of this
    /// peer change it, and they come one after the other.
    private func read(
        _ opened: OpenedFrame, _ header: FrameHeader, from peer: Party
    ) async throws -> (items: [BatchItem], contexts: FrameContexts)? {
        guard !opened.references.isEmpty else { return try opened.read(with: [:]) }
        let kept = try await spool.read { transaction in
            try transaction.contexts(from: peer, incarnation: header.incarnation, numbers: opened.references)
        }
        guard kept.count == opened.references.count else { return nil }
        return try opened.read(with: kept.mapValues { try FrameContexts(parsing: $0) })
    }

    private static func isCommitted(
        _ header: FrameHeader, from peer: Party, in transaction: Store.Transaction
    ) throws -> Bool {
        let state = try transaction.inbound(from: peer).first { $0.incarnation == header.incarnation }
        guard let state else { return false }
        return header.number < state.floor || state.ranges.contains { $0.contains(header.number) }
    }

    /// The peer lost what frames of this sender went on from: a new incarnation starts without, and what was in flight
    /// waits again.
    private static func renew(
        _ forgotten: [UInt32], towards peer: Party, in transaction: Store.Transaction
    ) throws {
        guard !forgotten.isEmpty else { return }
        let present = try transaction.nextFrame(to: peer).incarnation
        guard forgotten.contains(present) else { return }
        try transaction.renewIncarnation(to: peer, incarnation: incarnation(besides: present))
    }

    private static func parse(_ record: [UInt8]) throws(ProtocolError) -> SealedFrame {
        do { return try SealedFrame(record) } catch { throw noFrame }
    }

    static var noFrame: ProtocolError {
        ProtocolError(
            .invalidMessageFormat, "The record is no sealed frame.",
            hint: "It was cut, altered or is of another version.")
    }

    func open(_ sealed: SealedFrame, _ expected: PeerKey?) async throws -> (PeerKey, [UInt8]) {
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

    /// Applies acknowledgements of frames sent to `peer`; says how many items and which frames they released.
    ///
    /// One that this store cannot have caused shows that the store is older than its frames, or the peer's memory is of
    /// another store: a new incarnation is drawn, what was in flight waits again, and readers know items by their hash.
    private func apply(
        _ acknowledgements: [Acknowledgement], from peer: Party, in transaction: Store.Transaction
    ) throws -> (released: Int, frames: [FrameNumber]) {
        var (released, frames) = (0, [FrameNumber]())
        for acknowledgement in acknowledgements {
            let next = try transaction.nextFrame(to: peer)
            guard acknowledgement.incarnation == next.incarnation, let last = acknowledgement.ranges.last
            else { continue }
            guard last.upperBound < next.number else {
                try renewCopied(besides: next.incarnation, towards: peer, in: transaction)
                continue
            }
            let acknowledged = try transaction.unacknowledged(to: peer, numbers: acknowledgement.ranges)
            guard !acknowledged.isEmpty else { continue }
            let settled = try transaction.settledDigests(to: peer, numbers: acknowledgement.ranges)
            guard Self.isSound(acknowledgement, of: acknowledged, settled) else {
                try renewCopied(besides: next.incarnation, towards: peer, in: transaction)
                continue
            }
            released += try transaction.acknowledge(
                from: peer, incarnation: acknowledgement.incarnation, numbers: acknowledgement.ranges
            ).count
            frames += acknowledged.map(\.number)
        }
        return (released, frames)
    }

    private func renewCopied(
        besides present: UInt32, towards peer: Party, in transaction: Store.Transaction
    ) throws {
        try transaction.renewIncarnation(to: peer, incarnation: Self.incarnation(besides: present))
        try receiver.foundCopy(by: peer, in: transaction)
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
