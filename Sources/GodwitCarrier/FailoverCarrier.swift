public import GodwitBatch
public import GodwitLink
public import GodwitProtocol
import Synchronization

/// Several carriers to one peer, best first: an exchange goes over the best that works (`CarrierChoice` decides).
///
/// Where a way breaks in the middle, the records that it was given go over the next one, then what follows them. Frames
/// are numbered, so nothing is taken twice by whoever gets them twice; per way that fails at most the records of one
/// exchange cross again.
public final class FailoverCarrier: AnnouncedCarrier, WayReporting, PaceFollowing, LinkProbing {
    /// One way, and its carrier or why there is none.
    public struct Way: Sendable {
        public var endpoint: String
        public var carrier: Result<any Carrier, ProtocolError>

        public init(endpoint: String, carrier: Result<any Carrier, ProtocolError>) {
            self.endpoint = endpoint
            self.carrier = carrier
        }
    }

    private struct State {
        var choice: CarrierChoice
        var random: any RandomNumberGenerator & Sendable
    }
    /// What the receiver of records threw is no failure of the way.
    private final class Refusal: Sendable { let isMade = Mutex(false) }

    private let ways: [Way]
    private let now: @Sendable () -> Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - ways: best first, at least one.
    ///   - now: a clock that does not run backwards.
    /// - Throws: `ProtocolError` 3000 without any way.
    public init(
        _ ways: [Way], random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        now: @escaping @Sendable () -> Duration = FailoverCarrier.uptime
    ) throws(ProtocolError) {
        guard !ways.isEmpty else {
            throw ProtocolError(.nodeUnreachable, "The peer has no endpoint.", hint: "Ask its operator for one.")
        }
        self.ways = ways
        self.now = now
        state = Mutex(State(choice: CarrierChoice(count: ways.count), random: random))
    }

    private static let start = ContinuousClock.now
    /// Time since this process first asked.
    @Sendable public static func uptime() -> Duration { ContinuousClock.now - start }

    public func onAnnouncement(_ notice: @escaping @Sendable () -> Void) -> Bool {
        let heard = ways.map { way in
            ((try? way.carrier.get()) as? any AnnouncedCarrier)?.onAnnouncement(notice) ?? false
        }
        return heard.contains(true)
    }

    public var wayReports: [WayReport] {
        let (choice, now) = (state.withLock { $0.choice }, now())
        return ways.indices.map { index in
            let standing = choice.standings[index]
            var error = standing.error
            if case .failure(let reason) = ways[index].carrier { error = reason }
            let wait = standing.heldUntil - now
            return WayReport(
                endpoint: ways[index].endpoint, isLastUsed: choice.lastUsed == index, failures: standing.failures,
                error: error, retry: standing.failures > 0 && wait > .zero ? wait.inMillisecondsRoundedUp : nil)
        }
    }

    /// Over the first way that can; the others have other rates.
    public func probe(_ record: [UInt8], up: Int, down: Int) async throws -> ExchangeStatistics {
        for way in state.withLock({ $0.choice.candidates(at: now()) }) {
            guard let prober = (try? ways[way].carrier.get()) as? any LinkProbing else { continue }
            return try await prober.probe(record, up: up, down: down)
        }
        var error = ProtocolError(
            .nodeUnreachable, "No way to the peer can be probed.",
            hint: "Probes go over HTTPS; datagrams and serial lines are measured by what they carry.")
        error.sentNothing = true
        throw error
    }

    /// Whether one of the ways can be probed.
    public var canProbe: Bool { ways.contains { (try? $0.carrier.get()) is any LinkProbing } }

    public func follow(up: BitRate, down: BitRate) {
        for way in ways { ((try? way.carrier.get()) as? any PaceFollowing)?.follow(up: up, down: down) }
    }

    /// One round trip over the best way that works. The statistics hold what the ways that failed may have cost.
    ///
    /// - Throws: what the last way threw where none leads to the peer; the peer's own error from the first that does;
    ///   whatever `receive` threw.
    public func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let remembered = RememberedRecords(request)
        var failure: ProtocolError?
        var lost = ByteCount.zero
        for way in state.withLock({ $0.choice.candidates(at: now()) }) {
            let carrier: any Carrier
            switch ways[way].carrier {
            case .success(let usable): carrier = usable
            case .failure(let reason):
                failure = failure ?? reason
                continue
            }
            let began = now()
            let refusal = Refusal()
            let records = remembered.reader()
            do {
                var statistics = try await carrier.exchange(records) { record in
                    do { try await receive(record) } catch {
                        refusal.isMade.withLock { $0 = true }
                        throw error
                    }
                }
                state.withLock { $0.choice.reached(way) }
                statistics.sent += lost
                return statistics
            } catch var error as ProtocolError where !refusal.isMade.withLock({ $0 }) {
                let took = now() - began
                guard CarrierChoice.isUnreachable(error) else {
                    // A refusal is an answer; without a byte sent there was nobody who could.
                    if !error.sentNothing { state.withLock { $0.choice.reached(way) } }
                    error.sentNothing = error.sentNothing && lost == .zero
                    throw error
                }
                let reason = error
                state.withLock { $0.choice.failed(way, reason, after: took, at: now(), using: &$0.random) }
                // Nobody knows how far it got.
                if !error.sentNothing { lost += await records.bytes }
                failure = error
                try Task.checkCancellation()
            }
        }
        var error = failure ?? ProtocolError(.nodeUnreachable, "No way leads to the peer.", hint: "It is retried.")
        error.sentNothing = lost == .zero
        throw error
    }
}
