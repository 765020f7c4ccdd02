public import GodwitBatch
import GodwitCrypto
public import GodwitProtocol
public import GodwitSpool

/// The answering end of exchanges.
///
/// The first record must be sealed by a known peer; all records of an exchange must come from the same one. The answer
/// is a loose frame, frames that were never acknowledged, then new ones up to the limits for that peer.
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

/// One exchange, answered. Calls come one after the other.
actor AnswerSession<Store: Spool, Receiver: ItemReceiver>: ExchangeSession
where Store.Transaction == Receiver.Transaction {
    private enum Step { case loose, resend([[UInt8]]), fresh(bytes: Int), done }

    private let intake: FrameIntake<Store, Receiver>
    private let outlets: @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)
    private var peer: PeerKey?
    private var step = Step.loose

    init(
        intake: FrameIntake<Store, Receiver>,
        outlet: @escaping @Sendable (Party) async -> (FrameOutlet<Store>, OutletLimits)
    ) {
        self.intake = intake
        outlets = outlet
    }

    func receive(_ record: [UInt8]) async throws {
        let taken = try await intake.take(record, from: peer)
        peer = taken.peer
        await outlets(taken.peer.party).0.heard(taken)
    }

    func next() async throws -> [UInt8]? {
        guard let peer else {
            throw ProtocolError(
                .invalidMessageFormat, "An exchange needs at least one frame.",
                hint: "A caller with nothing to say sends a loose frame.")
        }
        let (outlet, limits) = await outlets(peer.party)
        switch step {
        case .loose:
            let resent = try await outlet.unacknowledged(to: peer)
            step = resent.isEmpty ? .fresh(bytes: 0) : .resend(resent)
            return try await outlet.loose(to: peer, hasMore: try await outlet.isBusy(for: peer.party))
        case .resend(let records):
            step = records.count > 1 ? .resend(Array(records.dropFirst())) : .done
            return records.first
        case .fresh(let bytes):
            guard bytes < limits.exchange.bytes, let record = try await outlet.next(to: peer, limits)
            else { return nil }
            step = .fresh(bytes: bytes + record.count)
            return record
        case .done: return nil
        }
    }
}
