public import GodwitBatch
import GodwitCrypto
public import GodwitLink
public import GodwitProtocol
public import GodwitSpool

/// How much goes out in one exchange.
public struct OutletLimits: Sendable, Hashable {
    /// Payload of one frame.
    public var frame: ByteCount
    /// Sealed bytes of all new frames of one exchange; at least one frame goes.
    public var exchange: ByteCount
    /// One signature for messages of an author that follow each other (D-5).
    public var runs: Bool
    /// Sealed bytes that one exchange may take in all, repeats and the loose frame included; nil: no limit (D-20).
    public var most: ByteCount?
    /// As `most`, for frames that hold anything that is not urgent; nil: no limit but `most`.
    public var mostForOthers: ByteCount?
    /// What is left of the contact window is too short for another exchange.
    public var isOver = false
    /// Frames arrive in the order of their numbers, or not at all. False for files and broadcasts: then each frame can be
    /// read without others.
    public var isOrdered = true
    /// The frames go another way than over the link whose tier the outlet keeps to.
    public var ignoresTier = false

    /// Frames cut runs, so it pays to put messages of a chain next to each other.
    var groupsChains: Bool { runs }

    public init(
        frame: ByteCount, exchange: ByteCount, runs: Bool = false, most: ByteCount? = nil,
        mostForOthers: ByteCount? = nil
    ) {
        self.frame = frame
        self.exchange = exchange
        self.runs = runs
        self.most = most
        self.mostForOthers = mostForOthers
    }
}

/// Builds the records of one exchange: first a loose frame with floor and acknowledgements, then frames that were sent
/// before and never acknowledged, then new ones filled by the scheduler. Number and bytes are durable before a record
/// is handed out (D-8).
public actor FrameOutlet<Store: Spool> {
    private let spool: Store
    private let identity: ContactIdentity
    private let path: OutletPath
    private var scheduler: Scheduler
    private var stretch = FrameStretch()
    /// Rows of items that fit no frame.
    private var unfit: Set<Int64> = []
    var gate: TierGate
    /// Peers that seem to have forgotten frames which they had settled.
    private var forgetful: Set<Party> = []
    /// Incarnations of peers whose frames go on from what is not known here.
    private var lacking: [Party: UInt32] = [:]
    private var memory: ContextMemory?
    private var keys = EphemeralKeys()
    /// Frames of which peers have the beginning, as the last loose frame of each said.
    private var begun: [Party: [PartialFrame]] = [:]

    /// - Parameters:
    ///   - path: the link that it builds frames for; there is one outlet for each path to a peer.
    ///   - rules: what the tier of the link lets go; nil: everything.
    public init(
        spool: Store, identity: ContactIdentity, weights: ClassWeights, path: OutletPath = .main,
        rules: TierRules? = nil
    ) {
        gate = TierGate(rules)
        self.spool = spool
        self.identity = identity
        self.path = path
        scheduler = Scheduler(weights: weights)
    }

    /// Notes what a frame of the peer said of the peer's memory. A peer that goes on below what it had settled is told
    /// in the following loose frames which numbers it has used, so that it draws a new incarnation; else its new
    /// frames would count as repeats.
    ///
    /// A peer whose frames go on from ones that are not known here is told so, until it has a new incarnation.
    ///
    /// A loose frame says besides of which frames the peer has the beginning: of those only the rest goes again.
    public func heard(_ taken: TakenFrame) {
        // Nobody knows yet who made it.
        guard !taken.isUnjoined else { return }
        let party = taken.peer.party
        keys.forget(taken.settled, to: party)
        if let partials = taken.partials { begun[party] = partials.isEmpty ? nil : partials }
        if taken.isForgotten {
            lacking[party] = taken.incarnation
        } else if lacking[party] != taken.incarnation {
            lacking[party] = nil
        }
        guard let isBehind = taken.isBehind else { return }
        if isBehind { forgetful.insert(taken.peer.party) } else { forgetful.remove(taken.peer.party) }
    }

    /// The loose frame of an exchange: acknowledgements and floor, nothing to commit.
    ///
    /// - Parameter partials: frames of the peer whose beginning is here.
    public func loose(
        to peer: PeerKey, hasMore: Bool, partials: [PartialFrame] = []
    ) async throws -> [UInt8] {
        // The first frame to a peer draws this store's incarnation, so this may write; later it does not.
        let reminds = forgetful.contains(peer.party)
        let forgotten = lacking[peer.party].map { [$0] } ?? []
        let (frame, next, held) = try await spool.write { transaction in
            let next = try transaction.nextFrame(to: peer.party)
            let held = try transaction.inFlight(to: peer.party).map(\.number)
            let frame = Frame(
                floor: held.first?.number ?? next.number,
                acknowledgements: try Self.acknowledgements(for: peer.party, in: transaction, reminds: reminds),
                hasMore: hasMore, forgotten: forgotten, partials: partials)
            return (frame, next, held)
        }
        keys.keep(held, before: next, to: peer.party)
        return try seal(
            try FrameCodec.encode(frame), FrameNumber(incarnation: next.incarnation, number: 0), to: peer)
    }

    /// Frames of this path that the peer has not acknowledged, sealed again; their bytes inside are the same as before.
    public func unacknowledged(to peer: PeerKey) async throws -> [[UInt8]] {
        let path = path.name
        let held = try await spool.read { try $0.unacknowledged(to: peer.party, path: path) }
        var records: [[UInt8]] = []
        for frame in held { records.append(try seal(frame.bytes, frame.number, to: peer)) }
        return records
    }

    private enum Attempt: Sendable {
        case built(Built)
        case nothing
        /// The first item fits no frame.
        case unfit(row: Int64)
    }

    /// A frame as it was recorded, with the items in it.
    private struct Built: Sendable {
        var frame: OutboundFrame
        var packed: [SpoolItem]
        /// For the frame after it.
        var memory: ContextMemory?
    }

    /// The next new frame, or nil if nothing waits.
    ///
    /// - Parameter urgentOnly: of what is urgent alone.
    public func next(
        to peer: PeerKey, _ limits: OutletLimits, urgentOnly: Bool = false
    ) async throws -> [UInt8]? {
        let (path, gate) = (path, limits.ignoresTier ? TierGate(nil) : gate)
        if gate.restricts, try await !hasWaiting(for: peer.party) { return nil }
        let waiting = try await spool.read { path.carried(try $0.queues(for: peer.party)) }
            .filter { gate.allows($0.key) && ($0.key.isUrgent || !urgentOnly) }
        guard !waiting.isEmpty, let (queues, limits) = limits.affording(waiting) else { return nil }
        let limit = limits.frame
        let room = stretch.room(of: limit)
        let shares = scheduler.plan(Self.classQueues(queues), frame: room)
        guard let built = try await build(shares, to: peer.party, limits) else { return nil }
        memory = built.memory
        var fill = FrameFill(shares, frame: room)
        for item in built.packed where !fill.take(ByteCount(item.body.count), of: item.priority) { break }
        scheduler.settle(fill)
        stretch.learn(
            bodies: built.packed.reduce(.zero) { $0 + ByteCount($1.body.count) },
            frame: ByteCount(built.frame.bytes.count))
        return try seal(built.frame.bytes, built.frame.number, to: peer)
    }

    /// A frame that was not acknowledged.
    struct Held: Sendable {
        var frame: OutboundFrame
        /// Something in it is urgent.
        var hasUrgent: Bool
        /// Nothing else is in it.
        var isUrgent: Bool
    }

    /// Frames of this path that the peer has not acknowledged, as they were recorded.
    func held(for peer: PeerKey) async throws -> [Held] {
        let path = path.name
        return try await spool.read { transaction in
            try transaction.unacknowledged(to: peer.party, path: path).map { frame in
                let opened = try FrameCodec.open(frame.bytes, number: frame.number.number)
                let contexts = try transaction.contexts(to: peer.party, of: opened.references)
                let items = try opened.read(with: contexts).items
                return Held(
                    frame: frame, hasUrgent: items.contains(where: \.priority.isUrgent),
                    isUrgent: items.allSatisfy(\.priority.isUrgent))
            }
        }
    }

    /// Frames at the end of `held` in which nothing is urgent: new urgent items may go before them, but not before older
    /// ones that go again.
    static func overtakable(_ held: [Held]) -> Int {
        held.count - (held.lastIndex(where: \.hasUrgent).map { $0 + 1 } ?? 0)
    }

    /// Something of this path is not acknowledged.
    func holds(for peer: PeerKey) async throws -> Bool {
        let path = path.name
        return try await spool.read { try $0.inFlight(to: peer.party).contains { $0.path == path } }
    }

    /// Seals a recorded frame again, or says what follows the beginning that the peer has of it.
    func sealed(_ frame: OutboundFrame, to peer: PeerKey) throws -> [UInt8] {
        let whole = try seal(frame.bytes, frame.number, to: peer)
        let partial = begun[peer.party]?.first {
            $0.incarnation == frame.number.incarnation && $0.number == frame.number.number
        }
        // Other bytes: sealed before a restart, or not what was sent.
        guard let partial, PartialFrame.digest(of: whole.prefix(partial.count)) == partial.digest,
            let rest = try? FrameContinuation(of: whole, from: partial.count)
        else { return whole }
        return rest.bytes
    }

    /// What bodies are expected to become on the wire, by the frames before.
    public func expected(_ bodies: ByteCount) -> ByteCount { stretch.frame(of: bodies) }

    /// The item is passed over: it fits no frame.
    public func passesOver(_ row: Int64) -> Bool { unfit.contains(row) }

    /// Something waits for the peer, or is unacknowledged, on this path.
    public func isBusy(for peer: Party) async throws -> Bool {
        if try await hasWaiting(for: peer) { return true }
        let path = path
        return try await spool.read { try $0.inFlight(to: peer).contains { $0.path == path.name } }
    }

    /// Something waits for this path that no frame holds yet, and that may go.
    public func hasWaiting(for peer: Party) async throws -> Bool {
        let (unfit, path, before) = (unfit, path, gate)
        guard before.restricts else {
            return try await spool.read { try Self.somethingWaits(for: peer, on: path, passingOver: unfit, in: $0) }
        }
        let (waits, after) = try await spool.read { transaction in
            var gate = before
            let queues = path.carried(try transaction.queues(for: peer)).sorted { $0.key < $1.key }
            let waits = try queues.contains { priority, queue in
                try gate.somethingGoes(
                    of: priority, count: queue.count, to: peer, besides: unfit, in: transaction)
            }
            return (waits, gate)
        }
        gate.learn(after)
        return waits
    }

    /// What fits no frame does not count: it would keep a contact going for nothing.
    private static func somethingWaits(
        for peer: Party, on path: OutletPath, passingOver unfit: Set<Int64>, in transaction: Store.Transaction
    ) throws -> Bool {
        let count = try path.carried(transaction.queues(for: peer)).values.reduce(0) { $0 + $1.count }
        guard count > 0, count <= unfit.count else { return count > 0 }
        // Some of those passed over may have expired meanwhile, and others come.
        return try transaction.items(for: peer, limit: Self.lookedAtMax)
            .contains { $0.state == .waiting && path.classes.contains($0.priority) && !unfit.contains($0.row) }
    }

    /// Items that are looked at one by one where almost nothing but unfit ones waits.
    private static var lookedAtMax: Int { 4096 }

    private func seal(_ payload: [UInt8], _ number: FrameNumber, to peer: PeerKey) throws -> [UInt8] {
        try SealedFrame(
            sealing: payload, over: Hop(sender: identity.party, receiver: peer.party), senderKey: identity.noiseKey,
            receiverKey: peer.noiseKey, incarnation: number.incarnation, number: number.number,
            ephemeral: try keys.key(for: payload, number, to: peer)
        ).bytes
    }

    private static func classQueues(_ queues: [PriorityClass: QueueSummary]) -> [ClassQueue] {
        queues.map { priority, queue in
            ClassQueue(
                priority: priority, count: queue.count, bytes: queue.bytes, oldestAge: queue.oldestAge,
                firstExpiry: queue.firstExpiry)
        }
    }

    /// Builds the next frame; an item that fits no frame is passed over from now on. It stays in custody, is seen by
    /// `godwit spool list`, and is reported to its author when its lifetime ends.
    private func build(_ shares: [Share], to peer: Party, _ limits: OutletLimits) async throws -> Built? {
        // What does not fit into what a budget leaves is passed over this time only.
        var dear: Set<Int64> = []
        while dear.count <= Self.dearMax {
            let (passedOver, path) = (unfit.union(dear), path)
            let gate = limits.ignoresTier ? TierGate(nil) : gate
            let memory = limits.runs && peer.keepsContexts && identity.party.keepsContexts ? Optional(self.memory) : nil
            let attempt = try await spool.write { transaction in
                try Self.build(
                    shares, to: peer, on: path, limits, memory, passingOver: passedOver, gate, in: transaction)
            }
            switch attempt {
            case .built(let built): return built
            case .nothing: return nil
            case .unfit(let row): if limits.largest == nil { unfit.insert(row) } else { dear.insert(row) }
            }
        }
        return nil
    }

    /// Items that are too large for what a budget leaves and are tried for one frame.
    private static var dearMax: Int { 16 }

    /// - Parameter memory: nil: the peer keeps no contexts; nil within: none are at hand yet.
    private static func build(
        _ shares: [Share], to peer: Party, on path: OutletPath, _ limits: OutletLimits, _ memory: ContextMemory??,
        passingOver unfit: Set<Int64>, _ gate: TierGate, in transaction: Store.Transaction
    ) throws -> Attempt {
        let held = try transaction.inFlight(to: peer)
        let number = try transaction.nextFrame(to: peer)
        try transaction.move(path.overdue(among: held, next: number), to: path.name, of: peer)
        guard path.hasRoom(beside: held, next: number) else { return .nothing }
        var items: [SpoolItem] = []
        for share in shares {
            // Room for those that are passed over, so that they hide nothing behind them.
            let more = ByteCount(unfit.count * FrameLimits.objectMax + gate.bytes)
            let ahead = ByteCount(share.bytes.bytes * (limits.groupsChains ? groupedFrames : 1))
            let waiting = try transaction.waiting(
                for: peer, class: share.priority,
                count: FrameLimits.itemsMax - items.count + unfit.count + gate.count, bytes: ahead + more
            ).filter { !unfit.contains($0.row) && !gate.isTooLarge($0) }.prefix(FrameLimits.itemsMax - items.count)
            items += limits.groupsChains ? grouped(Array(waiting), upTo: share.bytes) : Array(waiting)
            if items.count >= FrameLimits.itemsMax { break }
        }
        guard let first = items.first else { return .nothing }
        let queues = try path.carried(transaction.queues(for: peer)).filter { gate.allows($0.key) }
        let queued = queues.values.reduce(0) { $0 + $1.count } - gate.count
        let content = Frame(
            floor: held.first?.number.number ?? number.number, items: items.map(batchItem),
            hasMore: queued > items.count + unfit.count)
        let contexts = try memory.map { try ContextMemory.current($0, for: number, to: peer, in: transaction) }
        let known = limits.isOrdered ? contexts?.known(number, beside: held, on: path, limits) : nil
        guard let packed = pack(content, limits, known, queued: queued), packed.count > 0 else {
            return .unfit(row: first.row)
        }
        let frame = OutboundFrame(
            peer: peer, number: number, bytes: packed.bytes, items: items.prefix(packed.count).map(\.row),
            path: path.name)
        try transaction.record(frame)
        let after = try contexts?.noting(packed.contexts, in: transaction)
        return .built(Built(frame: frame, packed: Array(items.prefix(packed.count)), memory: after))
    }

    /// Frames ahead in which messages are looked for that share a chain with the next ones; so a message waits at most
    /// so many frames longer than in the order of arrival.
    private static var groupedFrames: Int { 4 }

    /// Messages of one chain next to each other, as many as make `bytes`, at least one.
    private static func grouped(_ items: [SpoolItem], upTo bytes: ByteCount) -> [SpoolItem] {
        var chosen: [SpoolItem] = []
        var total = 0
        for item in RunOrder.order(of: items.map(batchItem)).map({ items[$0] }) {
            total += item.body.count
            guard chosen.isEmpty || total <= bytes.bytes else { break }
            chosen.append(item)
        }
        return chosen
    }

    /// As many items as fit; one that is larger than a frame of this link goes in a frame of its own. Nil if the first
    /// fits no frame at all, or cannot be written.
    private static func pack(
        _ content: Frame, _ limits: OutletLimits, _ known: KnownChains?, queued: Int
    ) -> FramePacker.Packed? {
        let packed = try? FramePacker.pack(content, limit: limits.frame, runs: limits.runs, known: known)
        if let packed, packed.count > 0 { return packed }
        let alone = Frame(floor: content.floor, items: Array(content.items.prefix(1)), hasMore: queued > 1)
        // With runs like any other, for the peer keeps contexts of such frames only.
        return try? FramePacker.pack(
            alone, limit: min(limits.largest ?? SealedFrame.payloadLimit, SealedFrame.payloadLimit), runs: limits.runs)
    }

    private static func batchItem(_ item: SpoolItem) -> BatchItem {
        let kind: BatchItem.Kind =
            switch item.kind {
            case .message: .message
            case .object: .object
            case .receipt: .receipt
            }
        return BatchItem(
            kind: kind, body: item.body, created: item.created, lifetime: item.lifetime, age: item.age,
            priority: item.priority)
    }

    /// One for each incarnation of the peer that is known, so that none is forgotten however late its frames came.
    ///
    /// - Parameter reminds: names also the last number below the floor.
    private static func acknowledgements(
        for peer: Party, in transaction: Store.Transaction, reminds: Bool
    ) throws -> [Acknowledgement] {
        try transaction.inbound(from: peer).compactMap { state in
            let ranges = Array(state.ranges.prefix(FrameLimits.rangesMax))
            let count = ranges.reduce(0) { $0 + Int($1.upperBound - $1.lowerBound) + 1 }
            let digest = Acknowledgement.digest(of: Array(state.digests.prefix(count)))
            let named = reminds && state.floor > 1 ? Self.joining(state.floor - 1, ranges) : ranges
            guard !named.isEmpty else { return nil }
            return Acknowledgement(incarnation: state.incarnation, ranges: named, digest: digest)
        }
    }

    private static func joining(_ settled: UInt64, _ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<UInt64>] {
        guard let first = ranges.first, first.lowerBound == settled + 1 else {
            return [settled...settled] + ranges.prefix(FrameLimits.rangesMax - 1)
        }
        return [settled...first.upperBound] + ranges.dropFirst()
    }
}

extension SealedFrame {
    /// The largest payload of a frame.
    static var payloadLimit: ByteCount { ByteCount(payloadMax) }
}
