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
    let path: LinkPath
    /// What it carries.
    let classes: Set<PriorityClass>
    let key: PeerKey
    let profile: Profile
    private let caller: NodeCaller
    let carrier: MeteredCarrier
    private(set) var machine: ContactMachine
    var outlet: NodeOutlet { caller.outlet }
    let measure: LinkMeasure
    let budget: LinkBudget
    private let window: ContactWindow
    var lastProbe: Duration
    /// What waits did not fit into what the budget leaves: until it renews, or something else waits.
    private var curbed: (until: Timestamp?, queued: Int)?
    var random = SystemRandomNumberGenerator()
    private(set) var total = ContactReport()
    private(set) var contacts = 0
    private(set) var lastContact: Timestamp?
    private(set) var nextContact: Duration?
    private(set) var lastError: ProtocolError?
    /// Nil: no dummy messages.
    var cover: CoverClock?
    private let bell = Doorbell()
    /// The peer said that something waits there.
    private let announcement = Notice()

    init(
        core: NodeCore, peer: Peer, path: LinkPath, profile: Profile, ledger: BudgetLedger, caller: NodeCaller,
        measure: LinkMeasure, carrier: any Carrier
    ) throws {
        self.core = core
        self.peer = peer
        self.path = path
        classes = LinkPath.carried(by: peer.paths)[path.name] ?? []
        self.profile = profile
        self.caller = caller
        self.measure = measure
        let budget = LinkBudget(core: core, peer: peer.descriptor.id, path: path, profile: profile, ledger: ledger)
        self.budget = budget
        self.carrier = MeteredCarrier(carrier: carrier, budget: budget, time: core.time, measure: measure)
        window = ContactWindow(profile)
        key = try PeerKey(peer)
        lastProbe = core.time.uptime()
        machine = ContactMachine(ContactMachine.Policy(profile), at: core.time.uptime())
        if let mean = profile.cover { cover = CoverClock(mean: mean, at: core.time.uptime(), using: &random) }
    }

    /// Runs until the task is cancelled.
    func run() async {
        let bell = bell
        let watch = core.notifier.watch(key.party) { bell.ring() }
        defer { core.notifier.stop(watch, for: key.party) }
        listen()
        while !Task.isCancelled {
            await coverIfDue()
            await report()
            nextContact = nil
            switch machine.next(at: core.time.uptime()) {
            case .startContact: await contact()
            case .waitUntil(let time):
                nextContact = time
                await probeIfDue()
                await bell.wait(atMost: min(time, cover?.next ?? time) - core.time.uptime())
            case .idle:
                await probeIfDue()
                let pause = cover.map { $0.next - core.time.uptime() } ?? .seconds(60)
                await bell.wait(atMost: min(pause, .seconds(60)))
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
        let queues = await queues()
        let now = core.time.uptime()
        let wall = core.time.now()
        let goes = await applyTier()
        let bytes = goes ? queues.values.reduce(ByteCount.zero) { $0 + $1.bytes } : .zero
        let urgent = goes && queues.keys.contains { $0.isUrgent }
        let wire = profile.minBatch > .zero ? await outlet.expected(bytes) : nil
        machine.itemsWaiting(urgent: urgent, bytes: bytes, wire: wire, at: now)
        if window.allows(at: wall) {
            machine.windowOpened()
        } else {
            let opens = window.opens(after: wall).map { $0.milliseconds - wall.milliseconds }
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
        let paced = measure.paced
        (carrier.carrier as? any PaceFollowing)?.follow(up: paced.up, down: paced.down)
        do {
            let (limits, budget, window, time) = (exchangeLimits, budget, window, core.time)
            let isShort = Mutex(false)
            // Asked before: a day that ends meanwhile renews what was kept back in it.
            let renews = await budget.renews()
            let report = try await caller.contact(
                with: key, over: carrier,
                limits: {
                    let afforded = await budget.limits(limits)
                    let limits = window.limits(afforded, at: time.now())
                    isShort.withLock { $0 = limits.keepsBack(besides: afforded) }
                    return limits
                }, exchangesMax: Self.exchangesMax
            ) { report in
                latest.withLock { $0 = report }
            }
            lastError = nil
            // What a window keeps back is no matter of the budget: the window's gate holds it.
            if !isShort.withLock({ $0 }) { await noteCurb(report, until: renews) }
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
        await measure.save()
    }

    private func noteCurb(_ report: ContactReport, until renews: Timestamp?) async {
        guard report.isCurbed else { return curbed = nil }
        curbed = (renews, await queues().values.reduce(0) { $0 + $1.count })
    }

    /// What waits for this link.
    func queues() async -> [PriorityClass: QueueSummary] {
        let (party, classes) = (key.party, classes)
        return (try? await core.spool.read { try QueueHead.queues(for: party, of: classes, in: $0) }) ?? [:]
    }

    /// Exchanges of one contact before others get their turn.
    private static var exchangesMax: Int { 64 }

    /// What goes out before the peer is heard again: four frames.
    private var exchangeLimits: OutletLimits {
        let frame = FrameSizing.payload(up: measure.paced.sizing)
        return OutletLimits(
            frame: frame, exchange: ByteCount(frame.bytes * 4), runs: measure.tiers.up.savesSignatures)
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
