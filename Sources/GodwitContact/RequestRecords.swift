import GodwitBatch
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// The records of one request: the loose frame, frames that were not acknowledged, and new ones up to the limits. Each is
/// made when the carrier asks for it, of what waits then; so an urgent item goes with the next frame that is made, ahead of
/// bulk that goes again, and waits for no more than the frame before it (D-20).
///
/// Keeps besides what comes of the answer but is not whole.
actor RequestRecords<Store: Spool, Receiver: ItemReceiver>: RecordSource
where Store.Transaction == Receiver.Transaction {
    private enum Step { case loose, rest, done }

    private let intake: FrameIntake<Store, Receiver>
    private let outlet: FrameOutlet<Store>
    private let peer: PeerKey
    /// What is left.
    private var limits: OutletLimits
    private let isGreeting: Bool
    private let handsOver: @Sendable (ByteCount) -> Void
    private var step = Step.loose
    private var held: ArraySlice<FrameOutlet<Store>.Held> = []
    /// So many of them, the last, may be overtaken by what has become urgent.
    private var overtakable = 0
    private var bytes = 0
    /// Numbered frames that were handed over.
    private(set) var frames = 0
    /// The limits kept something back.
    private(set) var isCurbed = false
    /// The last record of the answer that was accepted.
    private var taken: TakenFrame?
    /// A rest of the answer could not be joined: what goes on from that frame comes again behind it.
    private var hasGap = false

    /// - Parameters:
    ///   - limits: nil: only the loose frame goes.
    ///   - handsOver: called with the size of each record before the carrier has it.
    init(
        _ intake: FrameIntake<Store, Receiver>, _ outlet: FrameOutlet<Store>, to peer: PeerKey, _ limits: OutletLimits?,
        handsOver: @escaping @Sendable (ByteCount) -> Void
    ) {
        self.intake = intake
        self.outlet = outlet
        self.peer = peer
        self.limits = limits ?? OutletLimits(frame: .zero, exchange: .zero)
        isGreeting = limits == nil
        self.handsOver = handsOver
    }

    func next() async throws -> [UInt8]? {
        guard let record = try await advance() else {
            step = .done
            return nil
        }
        handsOver(ByteCount(record.count))
        return record
    }

    func heard(_ taken: TakenFrame) async {
        var taken = taken
        // What could not be joined says nothing of who sent it.
        if taken.isUnjoined { hasGap = true } else { self.taken = taken }
        if hasGap { taken.isForgotten = false }
        await outlet.heard(taken)
    }

    func keep(_ beginning: [UInt8]) {
        if let taken { _ = intake.keep(beginning, after: taken) }
    }

    private func advance() async throws -> [UInt8]? {
        switch step {
        case .loose:
            // What follows is not known yet, and whoever answers goes by what comes.
            let record = try await outlet.loose(
                to: peer, hasMore: false, partials: intake.partials(of: peer.party))
            // It goes in any case.
            _ = limits.take(record.count, urgent: true)
            step = isGreeting ? .done : .rest
            guard !isGreeting else { return record }
            held = try await outlet.held(for: peer)[...]
            overtakable = FrameOutlet<Store>.overtakable(Array(held))
            return record
        case .rest:
            if let record = try await repeated() { return record }
            return try await fresh()
        case .done: return nil
        }
    }

    /// The next frame that goes again, or an urgent one before it.
    private func repeated() async throws -> [UInt8]? {
        while let next = held.first {
            // What overtakes frames cannot go on from them.
            if held.count <= overtakable, let record = try await new(urgentOnly: true, isOrdered: false) {
                return record
            }
            held.removeFirst()
            let record = try await outlet.sealed(next.frame, to: peer)
            guard limits.take(record.count, urgent: next.isUrgent) else {
                isCurbed = true
                continue
            }
            return counted(record)
        }
        return nil
    }

    /// Beyond the limit of the exchange only what is urgent goes, up to twice the limit: it should not have to wait for
    /// the whole answer.
    private func fresh() async throws -> [UInt8]? {
        guard bytes < limits.exchange.bytes else {
            return bytes < limits.exchange.bytes * 2 ? try await new(urgentOnly: true) : nil
        }
        if let record = try await new(urgentOnly: false) { return record }
        if limits.most != nil, try await outlet.hasWaiting(for: peer.party) { isCurbed = true }
        return nil
    }

    private func new(urgentOnly: Bool, isOrdered: Bool = true) async throws -> [UInt8]? {
        var limits = limits
        limits.isOrdered = isOrdered
        guard let record = try await outlet.next(to: peer, limits, urgentOnly: urgentOnly) else { return nil }
        _ = self.limits.take(record.count, urgent: true)
        return counted(record)
    }

    private func counted(_ record: [UInt8]) -> [UInt8] {
        bytes += record.count
        frames += 1
        return record
    }
}
