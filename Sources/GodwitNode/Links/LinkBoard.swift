import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// All links of the node: outlets for peers that call, running links to peers that are called.
actor LinkBoard {
    let core: NodeCore
    private let identity: ContactIdentity
    let intake: NodeIntake
    private var configuration: NodeConfiguration
    private let carrier: HomeNode.CarrierFactory?
    private let lines: HomeNode.LineSetter?
    private struct OutletKey: Hashable {
        var party: Party
        var path: String
    }
    private struct LinkKey: Hashable {
        var node: NodeID
        var path: String
    }
    private var outlets: [OutletKey: (NodeOutlet, OutletLimits)] = [:]
    private var links: [LinkKey: PeerLink] = [:]
    private var tasks: [LinkKey: Task<Void, Never>] = [:]
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

    /// The outlet towards a party, with what one answer may hold. A party that calls is answered on its main link.
    func outlet(for party: Party, path name: String = LinkPath.mainName) async -> (NodeOutlet, OutletLimits) {
        let key = OutletKey(party: party, path: name)
        if let known = outlets[key] { return known }
        let (profile, path, isByHand) = (try? await route(to: party, over: name)) ?? (.preset(.broadband), .main, false)
        // Another call may have made it meanwhile.
        if let known = outlets[key] { return known }
        // On a stick a frame takes no time, and a large one costs the fewest bytes.
        let frame = isByHand ? FrameSizing.payloadMax : FrameSizing.payload(up: profile)
        let made = (
            NodeOutlet(
                spool: core.spool, identity: identity, weights: profile.weights, path: path,
                rules: isByHand ? nil : Self.rules(to: party, over: profile)),
            OutletLimits(frame: frame, exchange: ByteCount(frame.bytes * 4), runs: Self.runs(to: party, over: profile))
        )
        outlets[key] = made
        return made
    }

    /// Devices are the end of the way, so they get runs under one signature over any link; other nodes where bytes are
    /// dear (D-5).
    private static func runs(to party: Party, over profile: Profile) -> Bool {
        guard case .node = party else { return true }
        return TierTracker(rate: profile.bandwidthUp, override: profile.tierUp).tier.savesSignatures
    }

    private func route(to party: Party, over name: String) async throws -> (Profile, OutletPath, isByHand: Bool) {
        guard case .node(let id) = party, let peer = try await peer(id),
            let path = peer.paths.first(where: { $0.name == name })
        else { return (try configuration.profile(configuration.localProfile), .main, false) }
        return (
            (try? configuration.profile(path.profile)) ?? .preset(.broadband),
            OutletPath(name: name, classes: LinkPath.carried(by: peer.paths)[name] ?? []), path.isByHand
        )
    }

    private func peer(_ id: NodeID) async throws -> Peer? {
        try await core.read { try $0.peers() }.first { $0.descriptor.id == id }
    }

    /// What goes to other nodes is held to the tier of the link to them. Devices are on their user's own link, which is
    /// not this one, and ask for what they can take (G-79).
    private static func rules(to party: Party, over profile: Profile) -> TierRules? {
        guard case .node = party else { return nil }
        return profile.rulesUp
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

    /// A peer or one of its links was added or changed.
    func changed(_ node: NodeID) async throws {
        for key in outlets.keys where key.party == .node(node) { outlets[key] = nil }
        core.directoryCache.clear()
        for key in tasks.keys where key.node == node { tasks.removeValue(forKey: key)?.cancel() }
        for key in links.keys where key.node == node { links[key] = nil }
        if isRunning, let peer = try await peer(node) { try await start(peer) }
    }

    /// Goes on with other profiles: links whose profile is another now begin anew.
    func use(_ next: NodeConfiguration) async throws {
        let before = configuration
        configuration = next
        func differs(_ name: String) -> Bool { before.profiles[name] != next.profiles[name] }
        if differs(next.localProfile) || before.localProfile != next.localProfile {
            for key in outlets.keys { if case .device = key.party { outlets[key] = nil } }
        }
        var failure: (any Error)?
        for peer in try await core.read({ try $0.peers() }) where peer.paths.contains(where: { differs($0.profile) }) {
            // One that cannot go on leaves no other on its old profile.
            do { try await changed(peer.descriptor.id) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func start(_ peer: Peer) async throws {
        lines?(peer.trust == .blocked ? nil : peer.serial, peer.descriptor.id)
        guard peer.trust != .blocked, let carrier else { return }
        for path in peer.paths where !path.isByHand && (peer.calls || path.name != LinkPath.mainName) {
            try await start(path, to: peer, carrier)
        }
    }

    private func start(_ path: LinkPath, to peer: Peer, _ carrier: HomeNode.CarrierFactory) async throws {
        let profile = try configuration.profile(path.profile)
        let peer = peer.meaning(path)
        // A newer descriptor may have lost the ways that a link names; the other links go on.
        guard path.name == LinkPath.mainName || !peer.ways(over: profile).isEmpty else { return }
        let (outlet, _) = await outlet(for: .node(peer.descriptor.id), path: path.name)
        let name = path.account(of: peer.descriptor.id)
        let saved = try await core.read { try $0.ledger(for: name) }
        let now = core.time.now()
        let ledger =
            try saved.map {
                try BudgetLedger(budget: profile.budget, costPerMegabyte: profile.costPerMegabyte, saved: $0)
            } ?? BudgetLedger(profile, at: now)
        let measure = try await LinkMeasure.restored(core: core, account: name, profile: profile)
        let link = try PeerLink(
            core: core, peer: peer, path: path, profile: profile, ledger: ledger,
            caller: NodeCaller(intake: intake, outlet: outlet), measure: measure, carrier: carrier(peer, profile))
        let key = LinkKey(node: peer.descriptor.id, path: path.name)
        // A change that came meanwhile may have started it.
        tasks[key]?.cancel()
        links[key] = link
        tasks[key] = Task { await link.run() }
    }

    /// Asks for a contact now, over all links or one. False if no such link runs.
    @discardableResult
    func request(_ node: NodeID, path: String? = nil) async -> Bool {
        let asked = links.filter { $0.key.node == node && path ?? $0.key.path == $0.key.path }.values
        for link in asked { await link.request() }
        return !asked.isEmpty
    }

    func link(to node: NodeID, path: String = LinkPath.mainName) -> PeerLink? {
        links[LinkKey(node: node, path: path)]
    }

    /// Measures a link now.
    /// - Throws: `ProtocolError` 3000 if no such link runs; see `PeerLink.probe`.
    func probe(_ node: NodeID, path: String, up: Int, down: Int) async throws -> JSONObject {
        guard let link = link(to: node, path: path) else {
            throw ProtocolError(
                .nodeUnreachable, "This node does not call the node.",
                hint: "Only links that are called can be probed: see `godwit link status`.")
        }
        return try await link.probe(up: up, down: down)
    }

    func status() async throws -> [LinkStatus] {
        var all: [LinkStatus] = []
        for peer in try await core.read({ try $0.peers() }) {
            for path in peer.paths {
                if let link = links[LinkKey(node: peer.descriptor.id, path: path.name)] {
                    all.append(try await link.status())
                } else {
                    all.append(try await resting(path, to: peer))
                }
            }
        }
        return all
    }

    /// A link over which this node does not call.
    private func resting(_ path: LinkPath, to peer: Peer) async throws -> LinkStatus {
        let profile = try configuration.profile(path.profile)
        let party = Party.node(peer.descriptor.id)
        let classes = LinkPath.carried(by: peer.paths)[path.name] ?? []
        let (queues, heads, travelling) = try await core.spool.read {
            try (
                QueueHead.queues(for: party, of: classes, in: $0), QueueHead.all(for: party, of: classes, in: $0),
                PathLoad(path.name, try $0.inFlight(to: party))
            )
        }
        let tierHold = path.isByHand ? nil : await outlet(for: party, path: path.name).0.tierHold(queues)
        var status = LinkStatus(
            peer: peer.descriptor.id, profile: path.profile,
            tierUp: TierTracker(rate: profile.bandwidthUp, override: profile.tierUp).tier.rawValue,
            tierDown: TierTracker(rate: profile.bandwidthDown, override: profile.tierDown).tier.rawValue,
            phase: Self.phase(of: path, to: peer), lastError: nil, nextContact: nil, contacts: 0,
            total: ContactReport(),
            queues: QueueReport.all(
                queues, heads, frame: FrameSizing.payload(up: profile), at: core.time.now(), outlook: { _ in nil }),
            forecast: nil, holds: [hold(of: path, to: peer)] + (tierHold.map { [$0] } ?? []))
        (status.path, status.classes, status.travelling) = (path.name, classes, travelling)
        if profile.tierUp != nil { status.tierSources.up = "override" }
        if profile.tierDown != nil { status.tierSources.down = "override" }
        return status
    }

    private static func phase(of path: LinkPath, to peer: Peer) -> String {
        if peer.trust == .blocked { return "blocked" }
        if path.isByHand { return "by_hand" }
        return path.name == LinkPath.mainName ? "answers" : "stopped"
    }

    /// Why nothing goes over a link that does not run.
    private func hold(of path: LinkPath, to peer: Peer) -> HoldReport {
        if peer.trust == .blocked { return .blocked }
        if path.isByHand { return .byHand(path.name, to: peer.descriptor.id) }
        guard path.name == LinkPath.mainName else { return isRunning ? .noWay : .notRunning }
        return peer.calls ? .notRunning : .peerCalls
    }

    /// What holds up items for a node on each of its links, and what is to be expected.
    func outlooks(for node: NodeID, urgent: Bool) async throws -> [PathOutlook] {
        guard let peer = try await peer(node) else {
            let none = LinkOutlook(profile: .preset(.broadband), holds: [.noPeer])
            return [PathOutlook(path: LinkPath.mainName, classes: Set(PriorityClass.allCases), outlook: none)]
        }
        let carried = LinkPath.carried(by: peer.paths)
        var all: [PathOutlook] = []
        for path in peer.paths {
            let outlook: LinkOutlook
            if let link = links[LinkKey(node: node, path: path.name)] {
                outlook = await link.outlook(urgent: urgent)
            } else {
                outlook = LinkOutlook(
                    profile: try configuration.profile(path.profile), holds: [hold(of: path, to: peer)])
            }
            all.append(
                PathOutlook(
                    path: path.name, classes: carried[path.name] ?? [], outlook: outlook, isByHand: path.isByHand))
        }
        return all
    }

    /// Why the tier of a link keeps an item back; nil: it does not.
    func tierHold(_ item: SpoolItem, path: String) async -> HoldReport? {
        guard let held = await outlet(for: item.destination, path: path).0.holding(item) else { return nil }
        return .tier(held.rules, item.priority, sealed: held.sealed)
    }

    /// Whether an item fits no frame of a link.
    func passesOver(_ row: Int64, for party: Party, path: String) async -> Bool {
        await outlet(for: party, path: path).0.passesOver(row)
    }

    /// Lets the main links take over what other links have not delivered in the time that they are given.
    func takeOver() async throws {
        for peer in try await core.read({ try $0.peers() }) {
            let node = peer.descriptor.id
            for path in peer.links {
                guard let limit = path.alsoAfter?.inMillisecondsRoundedUp else { continue }
                let isOverdue: @Sendable (FrameSummary) -> Bool = { $0.path == path.name && $0.age >= limit }
                // Nothing is written where nothing is overdue.
                guard try await core.spool.read({ try $0.inFlight(to: .node(node)).contains(where: isOverdue) })
                else { continue }
                let moved = try await core.write { transaction in
                    try transaction.move(of: node, to: LinkPath.mainName, where: isOverdue)
                }
                if !moved.isEmpty { await request(node, path: LinkPath.mainName) }
            }
        }
    }
}

extension LinkBoard {
    /// Takes in one record that came by hand.
    func take(_ record: [UInt8]) async throws -> TakenFrame {
        let taken = try await intake.take(record)
        _ = await outlet(for: taken.peer.party)
        for (key, outlet) in outlets where key.party == taken.peer.party { await outlet.0.heard(taken) }
        return taken
    }
}
