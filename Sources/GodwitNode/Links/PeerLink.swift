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
    private let core: NodeCore
    private let peer: Peer
    private let key: PeerKey
    private let profile: Profile
    private let caller: NodeCaller
    private let carrier: any Carrier
    private var machine: ContactMachine
    private var tierUp: TierTracker
    private var tierDown: TierTracker
    private var ledger: BudgetLedger
    private var random = SystemRandomNumberGenerator()
    private var total = ContactReport()
    private var contacts = 0
    private var nextContact: Duration?
    private var lastError: ProtocolError?
    private let bell = Doorbell()

    init(
        core: NodeCore, peer: Peer, profile: Profile, ledger: BudgetLedger, caller: NodeCaller, carrier: any Carrier
    ) throws {
        self.core = core
        self.peer = peer
        self.profile = profile
        self.caller = caller
        self.carrier = carrier
        self.ledger = ledger
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

    /// Somebody asked for a contact now.
    func request() {
        machine.resume()
        machine.contactRequested()
        bell.ring()
    }

    /// Tells the machine what waits and whether window and budget allow a contact.
    private func report() async {
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
        if ledger.maySend(ByteCount(1), airtime: .zero, of: .bulk, at: wall) {
            machine.budgetRenewed()
        } else {
            let renews = ledger.renews(after: wall).map { $0.milliseconds - wall.milliseconds }
            machine.budgetSpent(
                until: renews.map { now + .milliseconds($0) },
                sparesUrgent: ledger.maySend(ByteCount(1), airtime: .zero, of: .control, at: wall))
        }
    }

    private func contact() async {
        contacts += 1
        let latest = Mutex(ContactReport())
        let began = core.time.uptime()
        do {
            let limits = OutletLimits(
                frame: FrameSizing.payload(up: profile), exchange: exchangeLimit(), runs: tierUp.tier.savesSignatures)
            let report = try await caller.contact(
                with: key, over: carrier, limits: limits, exchangesMax: Self.exchangesMax
            ) { report in
                latest.withLock { $0 = report }
            }
            lastError = nil
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
            ended(outcome, broken(latest.withLock { $0 }, after: core.time.uptime() - began))
        }
        try? await saveLedger()
    }

    /// Exchanges of one contact before others get their turn.
    private static var exchangesMax: Int { 64 }

    /// What goes out before the peer is heard again: four frames, and what the budget leaves.
    private func exchangeLimit() -> ByteCount {
        let frame = FrameSizing.payload(up: profile).bytes
        let left = ledger.remaining(for: .control, at: core.time.now()).bytes
        return min(ByteCount(frame * 4), left ?? ByteCount(frame * 4))
    }

    /// What a contact that broke has cost: what came, what went before, and of the last request as much as the link
    /// carries in the time that it took, for nobody knows how far it got.
    private func broken(_ report: ContactReport, after time: Duration) -> ContactReport {
        var report = report
        // Both are bounded, so that the product cannot overflow: 24 days at two gigabits.
        let passed = min(max(0, time.milliseconds), 1 << 31)
        let carried = passed * Int64(min(profile.bandwidthUp.bitsPerSecond, 1 << 31)) / 8_000
        report.sent += min(report.underWay, ByteCount(Int(clamping: carried)))
        report.underWay = .zero
        report.duration = min(
            passed, Self.airtime(of: report.sent + report.received, at: profile.bandwidthUp))
        return report
    }

    /// Milliseconds, rounded up.
    private static func airtime(of bytes: ByteCount, at rate: BitRate) -> Int64 {
        guard rate.bitsPerSecond > 0 else { return 0 }
        return Int64((Double(bytes.bytes) * 8_000 / Double(rate.bitsPerSecond)).rounded(.up))
    }

    private func ended(_ outcome: ContactMachine.Outcome, _ report: ContactReport) {
        total.add(report)
        let wall = core.time.now()
        ledger.spend(
            report.sent + report.received, airtime: .milliseconds(report.duration), at: wall)
        machine.contactEnded(outcome, at: core.time.uptime(), using: &random)
    }

    private func saveLedger() async throws {
        let (node, saved) = (peer.descriptor.id.text, ledger.saved.canonicalText)
        try await core.write { transaction in
            try transaction.saveLedger(saved, for: node)
        }
    }

    func status() async throws -> LinkStatus {
        let party = key.party
        let queues = try await core.spool.read { try $0.queues(for: party) }
        let now = core.time.uptime()
        let waiting = queues.values.reduce(ByteCount.zero) { $0 + $1.bytes }
        return LinkStatus(
            peer: peer.descriptor.id, profile: peer.profile, tierUp: tierUp.tier.rawValue,
            tierDown: tierDown.tier.rawValue, phase: Self.name(machine.phase(at: now)), lastError: lastError,
            nextContact: nextContact.map { max(0, ($0 - now).milliseconds) }, contacts: contacts, total: total,
            queues: queues.sorted { $0.key < $1.key }.map { ($0.key.name, $0.value.count, $0.value.bytes.bytes) },
            forecast: LinkForecast(profile).secondsUntilSent(waiting, behind: .zero))
    }

    private static func name(_ phase: ContactMachine.Phase) -> String {
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
