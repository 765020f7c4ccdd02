import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Logging
import Synchronization

typealias NodeCaller = ContactCaller<SQLiteSpool, NodeReceiver>
typealias NodeIntake = FrameIntake<SQLiteSpool, NodeReceiver>
typealias NodeOutlet = FrameOutlet<SQLiteSpool>

/// The link to one peer that this node calls: asks the contact machine what to do, and does it.
actor PeerLink {
    let core: NodeCore
    let peer: Peer
    let key: PeerKey
    let profile: Profile
    private let caller: NodeCaller
    let carrier: MeteredCarrier
    private(set) var machine: ContactMachine
    private(set) var tierUp: TierTracker
    private(set) var tierDown: TierTracker
    let budget: LinkBudget
    /// What waits did not fit into what the budget leaves: until it renews, or something else waits.
    private var curbed: (until: Timestamp?, queued: Int)?
    private var random = SystemRandomNumberGenerator()
    private(set) var total = ContactReport()
    private(set) var contacts = 0
    private(set) var lastContact: Timestamp?
    private(set) var nextContact: Duration?
    private(set) var lastError: ProtocolError?
    private let bell = Doorbell()
    /// The peer said that something waits there.
    private let announcement = Notice()

    init(
        core: NodeCore, peer: Peer, profile: Profile, ledger: BudgetLedger, caller: NodeCaller, carrier: any Carrier
    ) throws {
        self.core = core
        self.peer = peer
        self.profile = profile
        self.caller = caller
        let budget = LinkBudget(core: core, peer: peer.descriptor.id, profile: profile, ledger: ledger)
        self.budget = budget
        self.carrier = MeteredCarrier(carrier: carrier, budget: budget, time: core.time)
        key = try PeerKey(peer)
        machine = ContactMachine(ContactMachine.Policy(profile), at: core.time.uptime())
        tierUp = TierTracker(rate: profile.bandwidthUp, override: profile.tierUp)
        tierDown = TierTracker(rate: profile.bandwidthDown, override: profile.tierDown)
    }

    /// Runs until the task is cancelled.
    func run() async {
        let bell = bell
        let watch = core.notifier.watch(key.party) { bell.ring() }
        defer { core.notifier.stop(watch, for: key.party) }
        listen()
        while !Task.isCancelled {
            await report()
            nextContact = nil
            switch machine.next(at: core.time.uptime()) {
            case .startContact: await contact()
            case .waitUntil(let time):
                nextContact = time
                await bell.wait(atMost: time - core.time.uptime())
            case .idle: await bell.wait(atMost: .seconds(60))
            }
        }
    }

    /// Where the peer can say that it has something, it is given a link over which it can.
    private func listen() {
        let (bell, announcement) = (bell, announcement)
        let isHeard = (carrier.carrier as? any AnnouncedCarrier)?.onAnnouncement {
            announcement.give()
            bell.ring()
        }
        if isHeard ?? false { machine.contactRequested() }
    }

    /// Somebody asked for a contact now.
    func request() {
        machine.resume()
        machine.contactRequested()
        bell.ring()
    }

    /// Tells the machine what waits and whether window and budget allow a contact.
    private func report() async {
        if announcement.take() { machine.contactRequested() }
        let party = key.party
        let queues = (try? await core.spool.read { try $0.queues(for: party) }) ?? [:]
        let now = core.time.uptime()
        let wall = core.time.now()
        let bytes = queues.values.reduce(ByteCount.zero) { $0 + $1.bytes }
        let urgent = queues.keys.contains { $0.isUrgent }
        machine.itemsWaiting(urgent: urgent, bytes: bytes, at: now)
        if profile.contactPlan.isOpen(at: wall) {
            machine.windowOpened()
        } else {
            let opens = profile.contactPlan.opens(after: wall).map { $0.milliseconds - wall.milliseconds }
            machine.windowClosed(until: opens.map { now + .milliseconds($0) })
        }
        await reportBudget(queued: queues.values.reduce(0) { $0 + $1.count }, at: now, wall)
    }

    private func reportBudget(queued: Int, at now: Duration, _ wall: Timestamp) async {
        if let until = curbed?.until, until <= wall { curbed = nil }
        if let before = curbed?.queued, before != queued { curbed = nil }
        guard await budget.allows(.bulk), curbed == nil else {
            let renews = await budget.renews().map { max($0.milliseconds - wall.milliseconds, 0) }
            let sparesUrgent = await budget.allows(.control)
            return machine.budgetSpent(
                until: renews.map { now + .milliseconds($0) }, sparesUrgent: sparesUrgent && curbed == nil)
        }
        machine.budgetRenewed()
    }

    private func contact() async {
        contacts += 1
        lastContact = core.time.now()
        let latest = Mutex(ContactReport())
        let began = core.time.uptime()
        do {
            let (limits, budget) = (exchangeLimits, budget)
            // Asked before: a day that ends meanwhile renews what was kept back in it.
            let renews = await budget.renews()
            let report = try await caller.contact(
                with: key, over: carrier, limits: { await budget.limits(limits) }, exchangesMax: Self.exchangesMax
            ) { report in
                latest.withLock { $0 = report }
            }
            lastError = nil
            await noteCurb(report, until: renews)
            ended(.success(useful: report.wasUseful, more: report.more), report)
        } catch {
            let failure = error as? ProtocolError ?? ProtocolError(.internalError, "The contact failed on this node.")
            lastError = failure
            core.logger.info(
                "a contact ended early",
                metadata: ["peer": "\(peer.descriptor.id)", "code": "\(failure.code.name)"])
            let outcome = ContactMachine.Outcome.failure(
                failure.code.retry == .userIntervention ? failure.code : .nodeUnreachable,
                retryAfter: failure.retryAfter.map { .seconds($0) })
            ended(outcome, broken(latest.withLock { $0 }, by: failure, after: core.time.uptime() - began))
        }
    }

    private func noteCurb(_ report: ContactReport, until renews: Timestamp?) async {
        guard report.isCurbed else { return curbed = nil }
        let party = key.party
        let queues = (try? await core.spool.read { try $0.queues(for: party) }) ?? [:]
        curbed = (renews, queues.values.reduce(0) { $0 + $1.count })
    }

    /// Exchanges of one contact before others get their turn.
    private static var exchangesMax: Int { 64 }

    /// What goes out before the peer is heard again: four frames.
    private var exchangeLimits: OutletLimits {
        let frame = FrameSizing.payload(up: profile)
        return OutletLimits(frame: frame, exchange: ByteCount(frame.bytes * 4), runs: tierUp.tier.savesSignatures)
    }

    /// What a contact that broke has cost: what came, what went before, and the last request, for nobody knows how far
    /// it got; nothing of it where the carrier says so.
    private func broken(_ report: ContactReport, by failure: ProtocolError, after time: Duration) -> ContactReport {
        var report = report
        if !failure.sentNothing { report.sent += report.underWay }
        report.underWay = .zero
        report.duration = max(0, time.milliseconds)
        return report
    }

    private func ended(_ outcome: ContactMachine.Outcome, _ report: ContactReport) {
        total.add(report)
        machine.contactEnded(outcome, at: core.time.uptime(), using: &random)
    }

    static func name(_ phase: ContactMachine.Phase) -> String {
        switch phase {
        case .idle: "idle"
        case .waiting: "waiting"
        case .inContact: "in_contact"
        case .backoff: "backoff"
        case .windowClosed: "window_closed"
        case .budgetSpent: "budget_spent"
        case .halted: "halted"
        }
    }
}
