import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

extension PeerLink {
    /// What can be said of the near future, for urgent items or for others.
    func outlook(urgent: Bool) -> LinkOutlook {
        let (now, wall) = (core.time.uptime(), core.time.now())
        func clock(_ time: Duration) -> Timestamp { wall.adding(milliseconds: (time - now).milliseconds) }
        return LinkOutlook(
            profile: measure.real,
            holds: machine.holds(urgent: urgent, at: now).map { HoldReport($0, error: lastError, clock) },
            departure: machine.departure(urgent: urgent, at: now).map { $0 - now }, lastContact: lastContact)
    }

    func status() async throws -> LinkStatus {
        let (party, classes, path) = (key.party, classes, path)
        let (queues, heads, travelling) = try await core.spool.read {
            try (
                QueueHead.queues(for: party, of: classes, in: $0), QueueHead.all(for: party, of: classes, in: $0),
                PathLoad(path.name, try $0.inFlight(to: party))
            )
        }
        let now = core.time.uptime()
        let wall = core.time.now()
        let waiting = queues.values.reduce(ByteCount.zero) { $0 + $1.bytes }
        let outlooks = (urgent: outlook(urgent: true), others: outlook(urgent: false))
        let next = nextContact.map { max(0, ($0 - now).milliseconds) }
        let (tiers, sources, real) = (measure.tiers, measure.tierSources, measure.real)
        let rules = TierRules.of(tiers.up)
        let tierHold = await outlet.tierHold(queues)
        var status = LinkStatus(
            peer: peer.descriptor.id, profile: path.profile, tierUp: tiers.up.rawValue,
            tierDown: tiers.down.rawValue, phase: Self.name(machine.phase(at: now)), lastError: lastError,
            nextContact: next, contacts: contacts, total: total,
            queues: QueueReport.all(queues, heads, frame: FrameSizing.payload(up: real), at: wall) {
                guard rules.allows($0) else { return nil }
                return $0.isUrgent ? outlooks.urgent : outlooks.others
            },
            forecast: LinkForecast(real).secondsUntilSent(waiting, behind: .zero),
            ways: (carrier.carrier as? any WayReporting)?.wayReports ?? [],
            nextContactAt: next.map { wall.adding(milliseconds: $0) },
            holds: (tierHold.map { [$0] } ?? []) + outlooks.others.holds, window: window(at: wall),
            budget: await budgetObject())
        (status.path, status.classes, status.travelling) = (path.name, classes, travelling)
        status.rates = measure.object
        status.tierSources = sources
        status.cover = cover?.object ?? [:]
        return status
    }

    private func window(at wall: Timestamp) -> JSONObject {
        let plan = profile.contactPlan
        let isOpen = plan.isOpen(at: wall)
        return [
            "open": .bool(isOpen),
            "closes": plan.closes(after: wall).map { .string($0.description) } ?? .null,
            "opens": isOpen ? .null : plan.opens(after: wall).map { .string($0.description) } ?? .null,
        ]
    }

    private func budgetObject() async -> JSONObject {
        let state = await budget.state
        let limits = profile.budget
        func left(_ remaining: BudgetLedger.Remaining) -> JSONValue {
            [
                "bytes": remaining.bytes.map { .integer(Int64($0.bytes)) } ?? .null,
                "airtime_ms": remaining.airtime.map { .integer($0.milliseconds) } ?? .null,
            ]
        }
        return [
            "bytes_today": .integer(Int64(state.usage.bytesToday.bytes)),
            "bytes_month": .integer(Int64(state.usage.bytesThisMonth.bytes)),
            "money_month": .rounded(state.usage.moneyThisMonth), "currency": .string(limits.currency),
            "airtime_ms_hour": .integer(state.usage.airtime.milliseconds),
            "bytes_per_day": limits.bytesPerDay.map { .integer(Int64($0.bytes)) } ?? .null,
            "bytes_per_month": limits.bytesPerMonth.map { .integer(Int64($0.bytes)) } ?? .null,
            "money_per_month": limits.moneyPerMonth.map { .rounded($0) } ?? .null,
            "duty_cycle": limits.dutyCycle.map { .rounded($0) } ?? .null,
            "urgent_reserve": .rounded(limits.urgentReserve),
            "left": ["urgent": left(state.urgent), "others": left(state.others)],
            "renews": await budget.renews().map { .string($0.description) } ?? .null,
        ]
    }
}
