public import GodwitBatch
import GodwitCrypto
public import GodwitProtocol
public import GodwitSpool

/// The answering end of exchanges.
///
/// The first record must be sealed by a known peer; all records of an exchange must come from the same one. The answer
/// is a loose frame, frames that were never acknowledged, then new ones up to the limits for that peer. Where it began
/// before the request had ended, another loose frame at its end acknowledges what came meanwhile.
public struct ContactAnswerer<Store: Spool, Receiver: ItemReceiver>: ExchangeService
where Store.Transaction == Receiver.Transaction {
    private let intake: FrameIntake<Store, Receiver>
    private let outlet: @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)

    /// - Parameter outlet: the outlet towards a peer, and how much goes out to it in one answer.
    public init(
        intake: FrameIntake<Store, Receiver>,
        outlet: @escaping @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)
    ) {
        self.intake = intake
        self.outlet = outlet
    }

    public func openExchange() async -> any ExchangeSession {
        AnswerSession(intake: intake, outlet: outlet)
    }
}

/// One exchange, answered. Calls come one after the other, only `nextEarly` beside `receive`.
actor AnswerSession<Store: Spool, Receiver: ItemReceiver>: ExchangeSession
where Store.Transaction == Receiver.Transaction {
    private enum Step { case loose, resend([FrameOutlet<Store>.Held], overtakable: Int), fresh(bytes: Int), done }

    private let intake: FrameIntake<Store, Receiver>
    private let outlets: @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)
    private var peer: PeerKey?
    private var step = Step.loose
    /// A record came after the last loose frame was built.
    private var hasUntold = false
    /// The last record that was accepted.
    private var taken: TakenFrame?
    /// The frame of which only the beginning has come in this exchange.
    private var coming: FrameHeader?
    /// A rest could not be joined: what goes on from that frame is not lost, it comes again behind it.
    private var hasGap = false

    init(
        intake: FrameIntake<Store, Receiver>,
        outlet: @escaping @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)
    ) {
        self.intake = intake
        outlets = outlet
    }

    var party: Party? { peer?.party }

    func receive(_ record: [UInt8]) async throws {
        coming = nil
        var taken = try await intake.take(record, from: peer)
        peer = taken.peer
        // What could not be joined says nothing of who sent it.
        if taken.isUnjoined { hasGap = true } else { self.taken = taken }
        if hasGap { taken.isForgotten = false }
        await outlets(taken.peer.party).0.heard(taken)
        hasUntold = true
    }

    func keep(_ beginning: [UInt8]) {
        if let taken { coming = intake.keep(beginning, after: taken) }
    }

    func next() async throws -> [UInt8]? {
        guard let peer else {
            throw ProtocolError(
                .invalidMessageFormat, "An exchange needs at least one frame.",
                hint: "A caller with nothing to say sends a loose frame.")
        }
        if let record = try await advance(peer) { return record }
        guard hasUntold else { return nil }
        // What was sent in this answer is not more, though nobody has acknowledged it yet.
        return try await loose(to: peer, hasMore: try await outlets(peer.party).0.hasWaiting(for: peer.party))
    }

    /// With nothing to send there is nothing that could go early: acknowledgements are for the end.
    func nextEarly() async throws -> [UInt8]? {
        guard let peer else { return nil }
        if case .loose = step, try await !outlets(peer.party).0.isBusy(for: peer.party) { return nil }
        return try await advance(peer)
    }

    private func loose(to peer: PeerKey, hasMore: Bool) async throws -> [UInt8] {
        hasUntold = false
        return try await outlets(peer.party).0.loose(
            to: peer, hasMore: hasMore, partials: intake.partials(of: peer.party, except: coming))
    }

    private func advance(_ peer: PeerKey) async throws -> [UInt8]? {
        let (outlet, limits) = await outlets(peer.party)
        switch step {
        case .loose:
            let held = try await outlet.held(for: peer)
            let overtakable = FrameOutlet<Store>.overtakable(held)
            step = held.isEmpty ? .fresh(bytes: 0) : .resend(held, overtakable: overtakable)
            return try await loose(to: peer, hasMore: try await outlet.isBusy(for: peer.party))
        case .resend(let held, let overtakable):
            // However much bulk goes again, what has become urgent does not wait for all of it.
            // It overtakes frames, so it cannot go on from them.
            var alone = limits
            alone.isOrdered = false
            if held.count <= overtakable, let record = try await outlet.next(to: peer, alone, urgentOnly: true) {
                return record
            }
            step = held.count > 1 ? .resend(Array(held.dropFirst()), overtakable: overtakable) : .done
            guard let next = held.first else { return nil }
            return try await outlet.sealed(next.frame, to: peer)
        case .fresh(let bytes):
            guard bytes < limits.exchange.bytes, let record = try await outlet.next(to: peer, limits)
            else { return nil }
            step = .fresh(bytes: bytes + record.count)
            return record
        case .done: return nil
        }
    }
}
