import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Dummy messages on links that cost nothing (SEC-14, COVER-01, G-73).
@Suite("Dummy messages (SEC-14)")
struct CoverTests {
    /// Counts the exchanges that bring something, and what was in them.
    private final class Watched: Carrier {
        let service: any ExchangeService & Sendable
        let requests = Mutex<[[Int]]>([])
        init(_ service: any ExchangeService) { self.service = service }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            let counted = Counted(request)
            let statistics = try await InProcess(service: service).exchange(counted, receive: receive)
            let sizes = counted.sizes.withLock { $0 }
            requests.withLock { $0.append(sizes) }
            return statistics
        }

        final class Counted: RecordSource {
            let source: any RecordSource
            let sizes = Mutex<[Int]>([])
            init(_ source: any RecordSource) { self.source = source }

            func next() async throws -> [UInt8]? {
                let record = try await source.next()
                if let record { sizes.withLock { $0.append(record.count) } }
                return record
            }
        }
    }

    private static let mean = Duration.seconds(30)

    private static func linked(
        _ change: (inout Profile) -> Void = { _ in },
        _ body: (TestNode, TestNode, PeerLink, Watched) async throws -> Void
    ) async throws {
        let other = try await TestNode(name: "other")
        let carrier = Watched(other.node.exchange)
        var profile = Profile.preset(.broadband)
        profile.name = "covered"
        profile.poll = nil
        profile.cover = mean
        change(&profile)
        let one = try await TestNode(name: "one", profiles: ["covered": profile], carrier: { _, _ in carrier })
        try await one.add(other, calls: true, profile: "covered")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        try await eventually("the link") { await one.node.links.link(to: other.id) != nil }
        try await body(one, other, try #require(await one.node.links.link(to: other.id)), carrier)
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("pauses have the mean that was asked for, no memory, and an end")
    func pauses() {
        var random = SeededGenerator(seed: 5)
        var (clock, now, pauses) = (CoverClock(mean: Self.mean, at: .zero, using: &random), Duration.zero, [Double]())
        for _ in 0..<4_000 {
            #expect(!clock.isDue(at: clock.next - .milliseconds(1), using: &random))
            pauses.append((clock.next - now).inSeconds)
            now = clock.next
            #expect(clock.isDue(at: now, using: &random))
        }
        let mean = pauses.reduce(0, +) / Double(pauses.count)
        #expect((28.0...32.0).contains(mean), "\(mean)")
        // Who has waited for a mean waits for as long again as who has just begun: a share of 1/e does each time.
        let (longer, twice) = (pauses.filter { $0 > 30 }.count, pauses.filter { $0 > 60 }.count)
        #expect(
            (0.33...0.41).contains(Double(longer) / 4_000) && (0.33...0.41).contains(Double(twice) / Double(longer)))
        #expect(pauses.allSatisfy { $0 > 0 && $0 <= 300.1 })
    }

    @Test("one that is due goes as a frame like others, is dropped there, and leaves nothing anywhere")
    func goes() async throws {
        try await Self.linked { one, other, link, carrier in
            var sizes: Set<Int> = []
            for turn in 1...12 {
                one.time.advance(milliseconds: 301_000)
                await link.coverIfDue()
                try await eventually("dummy message \(turn)") {
                    try await one.queue(for: .node(other.id)).isEmpty && carrier.requests.withLock { $0.count } >= turn
                }
                // Not due again yet.
                await link.coverIfDue()
            }
            for request in carrier.requests.withLock({ $0 }) { sizes.formUnion(request.dropFirst()) }
            #expect(sizes.count >= 8 && sizes.allSatisfy { (150...900).contains($0) }, "sizes differ: \(sizes)")
            let status = try await one.control(["request": "links"]).array?.first?.object
            #expect(status?["cover"]?.object?["sent"] == 12 && status?["cover"]?.object?["mean_seconds"]?.number == 30)
            #expect(try await other.count("node_message") == 0)
            for node in [one, other] { #expect(try await node.count("spool_item") == 0) }
        }
    }

    @Test("none is made where something real waits, the link is slow, its window is closed, or none was asked for")
    func none() async throws {
        func made(_ change: @escaping (inout Profile) -> Void) async throws -> JSONValue? {
            let sent = Mutex<JSONValue?>(nil)
            try await Self.linked(change) { one, other, link, _ in
                one.time.advance(milliseconds: 301_000)
                await link.coverIfDue()
                let status = try await one.control(["request": "links"]).array?.first?.object
                sent.withLock { $0 = status?["cover"]?.object?["sent"] }
            }
            return sent.withLock { $0 }
        }
        #expect(try await made { _ in } == 1)
        #expect(try await made { $0.cover = nil } == nil)
        #expect(try await made { $0.tierUp = .low } == 0)
        #expect(try await made { $0.tierDown = .low } == 0)
        // The clock stands at 10:00 or so.
        let closed = ContactPlan(windows: [ContactPlan.Window(from: 22 * 60, to: 23 * 60)])
        #expect(try await made { $0.contactPlan = closed } == 0)
    }

    @Test("where something real waits none is made")
    func waiting() async throws {
        try await Self.linked({ $0.batchDelay = .seconds(60) }) { one, other, link, _ in
            one.time.advance(milliseconds: 301_000)
            // Not urgent: it waits for company.
            try await one.node.core.write { transaction in
                try transaction.enqueue(
                    NewItem(
                        id: ItemID([UInt8](repeating: 1, count: 32)), kind: .object, body: Array("{}".utf8),
                        destination: .node(other.id), priority: .bulk, created: one.time.now(), lifetime: 600_000))
            }
            await link.coverIfDue()
            let status = try await one.control(["request": "links"]).array?.first?.object
            #expect(status?["cover"]?.object?["sent"] == 0)
            #expect(try await one.queue(for: .node(other.id)).count == 1)
        }
    }

    @Test("one that could not go in a minute is forgotten, and nobody is told")
    func expires() async throws {
        let one = try await TestNode(name: "one")
        let other = try await TestNode(name: "other")
        try await one.add(other)
        let body = CoverTraffic(padding: [1, 2, 3]).object
        try await one.node.core.write { transaction in
            _ = try transaction.enqueueAnew(body, to: .node(other.id), lifetime: 60_000)
        }
        #expect(try await one.queue(for: .node(other.id)) == [body])
        try await one.node.expire(elapsed: 61_000)
        #expect(try await one.count("spool_item") == 0)
        one.remove()
        other.remove()
    }

    @Test("padding of 1 to 2,048 bytes is a dummy message, other lengths are none")
    func limits() throws {
        for (count, isGood) in [(0, false), (1, true), (2_048, true), (2_049, false)] {
            let object = CoverTraffic(padding: [UInt8](repeating: 9, count: count)).object
            let parsed = try? ProtocolObject(object)
            #expect((parsed != nil) == isGood)
            if let parsed { #expect(parsed.object == object) }
        }
    }
}
