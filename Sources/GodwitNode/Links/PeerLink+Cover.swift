import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// When dummy messages go: at random, without memory, so that none says when the next one will (SEC-14, G-73).
struct CoverClock {
    private let mean: Duration
    private(set) var next: Duration
    private(set) var sent: Int64 = 0

    init(mean: Duration, at now: Duration, using random: inout some RandomNumberGenerator) {
        self.mean = mean
        next = now + Self.pause(mean, using: &random)
    }

    /// Whether one is due; then the next one is drawn.
    mutating func isDue(at now: Duration, using random: inout some RandomNumberGenerator) -> Bool {
        guard now >= next else { return false }
        next = now + Self.pause(mean, using: &random)
        return true
    }

    mutating func went() { sent += 1 }

    /// In each tenth of a second one goes with the same chance, whatever was before; after ten times the mean in any case.
    private static func pause(_ mean: Duration, using random: inout some RandomNumberGenerator) -> Duration {
        let chance = step.inSeconds / mean.inSeconds
        var pause = step
        while pause < mean * 10, Double.random(in: 0..<1, using: &random) >= chance { pause += step }
        return pause
    }

    private static let step = Duration.milliseconds(100)

    var object: JSONObject { ["mean_seconds": .double(mean.inSeconds), "sent": .integer(sent)] }
}

extension PeerLink {
    /// Bytes of padding: what short texts take in columns, with all that belongs to them.
    private static let coverSizes = 96...416
    /// Milliseconds: one that did not go by then says nothing more.
    private static let coverLifetime: Int64 = 60_000

    /// Queues a dummy message where one is due, the link is open and fast enough, and nothing else waits: a real message
    /// hides as well as any.
    func coverIfDue() async {
        guard cover?.isDue(at: core.time.uptime(), using: &random) ?? false,
            profile.contactPlan.isOpen(at: core.time.now()),
            min(measure.tiers.up, measure.tiers.down) >= Profile.coveredFrom,
            await queues().isEmpty
        else { return }
        let object = CoverTraffic(padding: SystemRandom().bytes(Int.random(in: Self.coverSizes, using: &random))).object
        let body = object.canonicalBytes()
        let item = NewItem(
            id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: key.party,
            priority: .directText, created: core.time.now(), lifetime: Self.coverLifetime)
        // A full spool needs its room for messages.
        guard (try? await core.write({ try $0.enqueue(item) })) != nil else { return }
        cover?.went()
    }
}
