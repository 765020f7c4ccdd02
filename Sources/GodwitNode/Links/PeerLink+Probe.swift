import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol

extension PeerLink {
    /// Least time between two probes that nobody ordered.
    static let probePause = Duration.seconds(3_600)
    /// Rates below are not probed unless ordered: there a probe would keep the link from others for long.
    static let probedFrom = Tier.medium

    /// Measures the link with padding, at the expense of its budget (NET-05).
    ///
    /// - Throws: `ProtocolError` 3000 where no way can be probed or the peer is not reached, 3002 while a contact runs, 3003
    ///   where the budget does not allow it; nothing was sent then. The peer's own error where it answered one.
    func probe(up: Int, down: Int) async throws -> JSONObject {
        try Probe.check(up: up, down: down)
        guard let prober = carrier.carrier as? any LinkProbing, prober.canProbe else {
            throw ProtocolError(
                .nodeUnreachable, "No way to the peer can be probed.",
                hint: "Probes go over HTTPS; datagrams and serial lines are measured by what they carry.")
        }
        guard !machine.isInContact else {
            throw ProtocolError(.rateLimited, "A contact is under way.", hint: "It measures the link by itself.")
        }
        let record = try await outlet.loose(to: key, hasMore: false)
        let request = ByteCount(record.count + up)
        let booking = await budget.open()
        _ = try await budget.reserve(request: request, answer: ByteCount(down) + LinkBudget.overhead, as: booking)
        let began = core.time.uptime()
        do {
            let statistics = try await prober.probe(record, up: up, down: down)
            await budget.settle(
                booking, sent: statistics.sent, received: statistics.received,
                duration: .milliseconds(statistics.duration))
            measure.take(statistics)
            await measure.save()
            return report(statistics)
        } catch {
            let isUnsent = (error as? ProtocolError)?.sentNothing ?? false
            await budget.settle(
                booking, sent: isUnsent ? .zero : request + LinkBudget.overhead,
                received: isUnsent ? .zero : ByteCount(down), duration: core.time.uptime() - began)
            throw error
        }
    }

    private func report(_ statistics: ExchangeStatistics) -> JSONObject {
        func rate(_ flow: ExchangeStatistics.Flow?) -> JSONValue {
            let trip = flow?.includesRoundTrip == true ? statistics.roundTrip ?? .zero : .zero
            guard let flow, flow.bytes > .zero, flow.time > trip else { return .null }
            return .integer(Int64(min(Double(flow.bytes.bytes) * 8 / (flow.time - trip).inSeconds, 1e12)))
        }
        return [
            "peer": .string(peer.descriptor.id.text), "bytes_sent": .integer(Int64(statistics.sent.bytes)),
            "bytes_received": .integer(Int64(statistics.received.bytes)),
            "duration_ms": .integer(statistics.duration),
            "round_trip_ms": statistics.roundTrip.map { .integer($0.inMillisecondsRoundedUp) } ?? .null,
            "rate_up": rate(statistics.up), "rate_down": rate(statistics.down), "rates": .object(measure.object),
        ]
    }

    /// Probes an idle link that costs nothing, where its transfers have not shown enough: at most once an hour, first an hour
    /// after the link's start.
    func probeIfDue() async {
        let now = core.time.uptime()
        guard now - lastProbe >= Self.probePause, profile.measures, profile.costPerMegabyte == 0,
            profile.budget.isUnlimited, profile.contactPlan.isOpen(at: core.time.now()), !measure.isSure,
            (carrier.carrier as? any LinkProbing)?.canProbe == true
        else { return }
        let real = measure.real
        guard Tier(rate: min(real.bandwidthUp, real.bandwidthDown)) >= Self.probedFrom else { return }
        lastProbe = now
        _ = try? await probe(up: Self.size(real.bandwidthUp, real), down: Self.size(real.bandwidthDown, real))
    }

    /// Two seconds of the link, or eight round trips.
    private static func size(_ rate: BitRate, _ profile: Profile) -> Int {
        let seconds = max(2, profile.latency.inSeconds * 8)
        return Int(min(Double(rate.bitsPerSecond) / 8 * seconds, Double(Probe.bytesMax)))
    }
}
