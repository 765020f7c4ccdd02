import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import Logging
import Synchronization

/// What is measured of one link, and what follows from it: rates in force, pace, tiers. Kept in the node's store.
final class LinkMeasure: Sendable {
    private struct State {
        var estimator: LinkEstimator
        var tierUp: TierTracker
        var tierDown: TierTracker
        /// Not saved yet; at most `pendingMax`, the oldest are dropped.
        var hours: [LinkHour] = []
        var isChanged = false
    }

    static let pendingMax = 48

    let profile: Profile
    private let core: NodeCore
    private let peer: String
    private let state: Mutex<State>

    /// - Parameter account: name of the link in the node's tables.
    init(core: NodeCore, account: String, profile: Profile, estimator: LinkEstimator = LinkEstimator()) {
        self.core = core
        peer = account
        self.profile = profile
        state = Mutex(
            State(
                estimator: estimator, tierUp: TierTracker(rate: profile.bandwidthUp, override: profile.tierUp),
                tierDown: TierTracker(rate: profile.bandwidthDown, override: profile.tierDown)))
    }

    /// With what was known before the node stopped. What does not read back is measured anew.
    static func restored(core: NodeCore, account name: String, profile: Profile) async throws -> LinkMeasure {
        let saved = try await core.read { try $0.estimate(for: name) }
        guard let saved else { return LinkMeasure(core: core, account: name, profile: profile) }
        let estimator = (try? JSONValue.parse(saved)).flatMap { try? LinkEstimator(saved: $0) }
        if estimator == nil {
            core.logger.warning("a link's estimate does not read back", metadata: ["peer": "\(name)"])
        }
        return LinkMeasure(core: core, account: name, profile: profile, estimator: estimator ?? LinkEstimator())
    }

    // MARK: In

    /// Takes in what an exchange showed.
    func take(_ statistics: ExchangeStatistics) {
        let sample = LinkSample(
            at: core.time.now(), up: statistics.up.map(LinkSample.Flow.init),
            down: statistics.down.map(LinkSample.Flow.init), roundTrip: statistics.roundTrip,
            datagramsSent: statistics.datagramsSent ?? 0, datagramsLost: statistics.datagramsLost ?? 0,
            sent: statistics.sent, received: statistics.received)
        state.withLock { state in
            state.estimator.take(sample, over: profile)
            if state.hours.last?.hour != LinkHour.hour(of: sample.at) {
                state.hours.append(LinkHour(at: sample.at))
                state.hours.removeFirst(max(state.hours.count - Self.pendingMax, 0))
            }
            state.hours[state.hours.count - 1].add(sample, over: profile)
            state.isChanged = true
        }
    }

    /// Makes durable what was learned. What is lost with the power was only a measurement.
    func save() async {
        let taken = state.withLock { state -> (String, [LinkHour])? in
            guard state.isChanged else { return nil }
            defer { (state.hours, state.isChanged) = ([], false) }
            return (state.estimator.saved.canonicalText, state.hours)
        }
        guard let (estimate, hours) = taken else { return }
        let peer = peer
        do {
            try await core.write { transaction in try transaction.save(estimate, hours, for: peer) }
        } catch {
            core.logger.warning("a link's measurements could not be saved", metadata: ["peer": "\(peer)"])
        }
    }

    // MARK: Out

    /// The profile with what was measured in the place of what was expected.
    var real: Profile { state.withLock { $0.estimator.applied(to: profile, at: core.time.now()) } }

    /// For pace and frame sizes of the next contact.
    var paced: (sizing: Profile, up: BitRate, down: BitRate) {
        state.withLock { $0.estimator.paced(profile, at: core.time.now()) }
    }

    /// The tiers in force; both follow the rates in force.
    var tiers: (up: Tier, down: Tier) {
        let now = core.time.now()
        return state.withLock { state in
            let real = state.estimator.applied(to: profile, at: now)
            return (state.tierUp.measured(real.bandwidthUp), state.tierDown.measured(real.bandwidthDown))
        }
    }

    /// Values of the profile, what was measured, what is in force and whence, for people.
    var object: JSONObject {
        let now = core.time.now()
        let (estimator, real) = (state.withLock { $0.estimator }, real)
        func entry(
            _ configured: JSONValue, _ inForce: JSONValue, _ estimate: LinkEstimator.Estimate?, _ factor: Double = 1,
            unit: Double = 1
        ) -> JSONValue {
            let source = !profile.measures ? "override" : estimate == nil ? "profile" : "measured"
            return [
                "profile": configured, "in_force": inForce, "source": .string(source),
                "measured": estimate.map { .rounded($0.value * factor, by: unit) } ?? .null,
                "confidence": estimate.map { .rounded($0.confidence, by: 100) } ?? .null,
                "samples": .integer(Int64(estimate?.samples ?? 0)),
                "age_ms": estimate.map { .integer($0.age) } ?? .null,
                "at_least": .bool(estimate?.isAtLeast ?? false),
            ]
        }
        func rate(_ rate: BitRate) -> JSONValue { .integer(Int64(rate.bitsPerSecond)) }
        return [
            "bandwidth_up": entry(rate(profile.bandwidthUp), rate(real.bandwidthUp), estimator.rate(.up, at: now)),
            "bandwidth_down": entry(
                rate(profile.bandwidthDown), rate(real.bandwidthDown), estimator.rate(.down, at: now)),
            "latency_ms": entry(
                .integer(profile.latency.milliseconds), .integer(real.latency.milliseconds),
                estimator.roundTrip(at: now), 1_000),
            "packet_loss": entry(
                .rounded(profile.packetLoss), .rounded(real.packetLoss), estimator.loss(over: profile, at: now),
                unit: 1e4),
        ]
    }

    /// Both rates are known as well as they can be.
    var isSure: Bool {
        let now = core.time.now()
        let estimator = state.withLock { $0.estimator }
        return LinkSample.Direction.allCases.allSatisfy { estimator.rate($0, at: now)?.confidence == 1 }
    }

    /// Whence the tiers come: `override` by the operator, `measured` or `profile`.
    var tierSources: (up: String, down: String) {
        let now = core.time.now()
        let estimator = state.withLock { $0.estimator }
        func source(_ override: Tier?, _ direction: LinkSample.Direction) -> String {
            if override != nil { return "override" }
            return profile.measures && estimator.rate(direction, at: now) != nil ? "measured" : "profile"
        }
        return (source(profile.tierUp, .up), source(profile.tierDown, .down))
    }
}

extension LinkSample.Flow {
    fileprivate init(_ flow: ExchangeStatistics.Flow) {
        self.init(
            bytes: flow.bytes, time: flow.time, includesRoundTrip: flow.includesRoundTrip, pace: flow.pace)
    }
}
