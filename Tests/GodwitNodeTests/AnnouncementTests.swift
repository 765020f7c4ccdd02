import GodwitBatch
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Links over which the peer can say that it has something need not ask (docs/protocol.md §8.6).
@Suite("Announcements")
struct AnnouncementTests {
    /// Carries exchanges inside the process, counts them, and announces when told.
    private final class Announcing: AnnouncedCarrier {
        let inner: InProcess
        let exchanges = Mutex(0)
        let notice = Mutex<(@Sendable () -> Void)?>(nil)
        init(_ service: any ExchangeService) { inner = InProcess(service: service) }

        func onAnnouncement(_ notice: @escaping @Sendable () -> Void) -> Bool {
            self.notice.withLock { $0 = notice }
            return true
        }
        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            exchanges.withLock { $0 += 1 }
            return try await inner.exchange(request, receive: receive)
        }
        var count: Int { exchanges.withLock { $0 } }
    }

    @Test("without any poll a link is made once at the start, and a contact follows each announcement")
    func contacts() async throws {
        let other = try await TestNode(name: "other")
        let carrier = Announcing(other.node.exchange)
        var profile = Profile.preset(.broadband)
        profile.poll = nil
        profile.name = "quiet"
        let one = try await TestNode(name: "one", profiles: ["quiet": profile], carrier: { _, _ in carrier })
        try await one.add(other, calls: true, profile: "quiet")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        try await eventually("the first contact") {
            one.time.advance(milliseconds: 1_000)
            return carrier.count > 0
        }
        // What the two nodes have to say to each other at the beginning is said.
        var settled = 0
        try await eventually("rest") {
            one.time.advance(milliseconds: 60_000)
            defer { settled = carrier.count }
            try await Task.sleep(for: .milliseconds(200))
            return settled == carrier.count
        }
        for round in 1...3 {
            carrier.notice.withLock { $0 }?()
            try await eventually("a contact after announcement \(round)") {
                one.time.advance(milliseconds: 1_000)
                return carrier.count >= settled + round
            }
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("a node tells whoever watches a peer's queue when something was put into it")
    func watches() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(name: "one")
        try await one.add(other)
        let party = Party.node(other.id)
        let notices = Mutex(0)
        let watch = one.node.watch(party) { notices.withLock { $0 += 1 } }
        let before = notices.withLock { $0 }
        let body = (["n": 1] as JSONObject).canonicalBytes()
        try await one.node.core.write { transaction in
            try transaction.enqueue(
                NewItem(
                    id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: party,
                    priority: .directText, created: one.time.now(), lifetime: 86_400_000))
        }
        try await eventually("the notice") { notices.withLock { $0 } > before }
        #expect(await one.node.hasWaiting(for: party))
        #expect(await !one.node.hasWaiting(for: .node(one.id)))
        one.node.stop(watch, for: party)
        one.remove()
        other.remove()
    }
}
