import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// All links of the node: outlets for peers that call, running links to peers that are called.
actor LinkBoard {
    private let core: NodeCore
    private let identity: ContactIdentity
    let intake: NodeIntake
    private let configuration: NodeConfiguration
    private let carrier: HomeNode.CarrierFactory?
    private let lines: HomeNode.LineSetter?
    private var outlets: [Party: (NodeOutlet, OutletLimits)] = [:]
    private var links: [NodeID: PeerLink] = [:]
    private var tasks: [NodeID: Task<Void, Never>] = [:]
    private var isRunning = false

    init(
        core: NodeCore, identity: ContactIdentity, intake: NodeIntake, configuration: NodeConfiguration,
        carrier: HomeNode.CarrierFactory?, lines: HomeNode.LineSetter?
    ) {
        self.core = core
        self.identity = identity
        self.intake = intake
        self.configuration = configuration
        self.carrier = carrier
        self.lines = lines
    }

    /// The outlet towards a party that calls, with what one answer may hold.
    func outlet(for party: Party) async -> (NodeOutlet, OutletLimits) {
        if let known = outlets[party] { return known }
        let profile = (try? await self.profile(for: party)) ?? .preset(.broadband)
        // Another call may have made it meanwhile.
        if let known = outlets[party] { return known }
        let frame = FrameSizing.payload(rate: profile.bandwidthUp, seconds: profile.frameSeconds)
        let made = (
            NodeOutlet(
                spool: core.spool, identity: identity, weights: profile.weights,
                rules: Self.rules(to: party, over: profile)),
            OutletLimits(frame: frame, exchange: ByteCount(frame.bytes * 4), runs: Self.runs(to: party, over: profile))
        )
        outlets[party] = made
        return made
    }

    /// Devices are the end of the way, so they get runs under one signature over any link; other nodes where bytes are
    /// dear (D-5).
    private static func runs(to party: Party, over profile: Profile) -> Bool {
        guard case .node = party else { return true }
        return TierTracker(rate: profile.bandwidthUp, override: profile.tierUp).tier.savesSignatures
    }

    /// What goes to other nodes is held to the tier of the link to them. Devices are on their user's own link, which is
    /// not this one, and ask for what they can take (G-79).
    private static func rules(to party: Party, over profile: Profile) -> TierRules? {
        guard case .node = party else { return nil }
        return profile.rulesUp
    }

    private func profile(for party: Party) async throws -> Profile {
        guard case .node(let id) = party else { return try configuration.profile(configuration.localProfile) }
        let peers = try await core.read { try $0.peers() }
        return try configuration.profile(peers.first { $0.descriptor.id == id }?.profile ?? configuration.localProfile)
    }

    /// Starts the links of all peers that this node calls; returns when the task is cancelled.
    func run() async throws {
        isRunning = true
        for peer in try await core.read({ try $0.peers() }) { try await start(peer) }
        let (forever, _) = AsyncStream.makeStream(of: Never.self, bufferingPolicy: .bufferingNewest(1))
        for await _ in forever {}
        isRunning = false
        for task in tasks.values { task.cancel() }
        for task in tasks.values { await task.value }
        tasks = [:]
    }

    /// A peer was added or changed.
    func changed(_ peer: Peer) async throws {
        outlets[.node(peer.descriptor.id)] = nil
        core.directoryCache.clear()
        tasks.removeValue(forKey: peer.descriptor.id)?.cancel()
        links[peer.descriptor.id] = nil
        if isRunning { try await start(peer) }
    }

    private func start(_ peer: Peer) async throws {
        lines?(peer.trust == .blocked ? nil : peer.serial, peer.descriptor.id)
        guard peer.calls, peer.trust != .blocked, let carrier else { return }
        let profile = try configuration.profile(peer.profile)
        let (outlet, _) = await outlet(for: .node(peer.descriptor.id))
        let name = peer.descriptor.id.text
        let saved = try await core.read { try $0.ledger(for: name) }
        let now = core.time.now()
        let ledger =
            try saved.map {
                try BudgetLedger(budget: profile.budget, costPerMegabyte: profile.costPerMegabyte, saved: $0)
            } ?? BudgetLedger(profile, at: now)
        let measure = try await LinkMeasure.restored(core: core, peer: peer.descriptor.id, profile: profile)
        let link = try PeerLink(
            core: core, peer: peer, profile: profile, ledger: ledger,
            caller: NodeCaller(intake: intake, outlet: outlet), outlet: outlet, measure: measure,
            carrier: carrier(peer, profile))
        links[peer.descriptor.id] = link
        tasks[peer.descriptor.id] = Task { await link.run() }
    }

    /// Asks for a contact now. False if no such link runs.
    func request(_ node: NodeID) async -> Bool {
        guard let link = links[node] else { return false }
        await link.request()
        return true
    }

    func link(to node: NodeID) -> PeerLink? { links[node] }

    /// Measures a link now.
    /// - Throws: `ProtocolError` 3000 if no such link runs; see `PeerLink.probe`.
    func probe(_ node: NodeID, up: Int, down: Int) async throws -> JSONObject {
        guard let link = links[node] else {
            throw ProtocolError(
                .nodeUnreachable, "This node does not call the node.",
                hint: "Only links that are called can be probed: see `godwit link status`.")
        }
        return try await link.probe(up: up, down: down)
    }

    func status() async throws -> [LinkStatus] {
        var all: [LinkStatus] = []
        for peer in try await core.read({ try $0.peers() }) {
            if let link = links[peer.descriptor.id] {
                all.append(try await link.status())
            } else {
                all.append(try await answering(peer))
            }
        }
        return all
    }

    private func answering(_ peer: Peer) async throws -> LinkStatus {
        let profile = try configuration.profile(peer.profile)
        let party = Party.node(peer.descriptor.id)
        let (queues, heads) = try await core.spool.read {
            try (QueueHead.queues(for: party, in: $0), QueueHead.all(for: party, in: $0))
        }
        let isBlocked = peer.trust == .blocked
        let tierHold = await outlet(for: party).0.tierHold(queues)
        var status = LinkStatus(
            peer: peer.descriptor.id, profile: peer.profile,
            tierUp: TierTracker(rate: profile.bandwidthUp, override: profile.tierUp).tier.rawValue,
            tierDown: TierTracker(rate: profile.bandwidthDown, override: profile.tierDown).tier.rawValue,
            phase: isBlocked ? "blocked" : "answers", lastError: nil, nextContact: nil, contacts: 0,
            total: ContactReport(),
            queues: QueueReport.all(
                queues, heads, frame: FrameSizing.payload(up: profile), at: core.time.now(), outlook: { _ in nil }),
            forecast: nil, holds: [isBlocked ? .blocked : .peerCalls] + (tierHold.map { [$0] } ?? []))
        if profile.tierUp != nil { status.tierSources.up = "override" }
        if profile.tierDown != nil { status.tierSources.down = "override" }
        return status
    }

    /// What holds up items for a node, and what is to be expected.
    func outlook(for node: NodeID, urgent: Bool) async throws -> LinkOutlook {
        if let link = links[node] { return await link.outlook(urgent: urgent) }
        guard let peer = try await core.read({ try $0.peers() }).first(where: { $0.descriptor.id == node }) else {
            return LinkOutlook(profile: .preset(.broadband), holds: [.noPeer])
        }
        let profile = try configuration.profile(peer.profile)
        let hold: HoldReport = peer.trust == .blocked ? .blocked : peer.calls ? .notRunning : .peerCalls
        return LinkOutlook(profile: profile, holds: [hold])
    }

    /// Why the tier of the link keeps an item back; nil: it does not.
    func tierHold(_ item: SpoolItem) async -> HoldReport? {
        guard let held = await outlet(for: item.destination).0.holding(item) else { return nil }
        return .tier(held.rules, item.priority, sealed: held.sealed)
    }

    /// How frames go to a party, and which of its items fit none.
    func passesOver(_ row: Int64, for party: Party) async -> Bool { await outlet(for: party).0.passesOver(row) }
}

extension LinkBoard {
    /// Takes in one record that came by hand.
    func take(_ record: [UInt8]) async throws -> TakenFrame { try await intake.take(record) }
}
