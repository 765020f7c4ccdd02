import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Contact windows of a running link, and what may go outside of them (GW-04, GW-07).
@Suite("Windows of links")
struct WindowTests {
    /// The tests' clock begins on a Saturday, 2025-09-06 at 10:30:00.123 UTC.
    private static func window(_ from: Int, _ to: Int) -> ContactPlan {
        ContactPlan(windows: [ContactPlan.Window(from: from, to: to)])
    }

    private static func satellite(_ plan: ContactPlan, _ wake: WakeRule = .inWindow) -> Profile {
        var profile = Profile.preset(.satellite)
        profile.name = "dial"
        profile.contactPlan = plan
        profile.wakeOnUrgent = wake
        profile.packetLoss = 0
        return profile
    }

    private final class Counting: Carrier {
        let count = Mutex(0)
        private let service: any ExchangeService
        init(_ service: any ExchangeService) { self.service = service }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            count.withLock { $0 += 1 }
            return try await InProcess(service: service).exchange(request, receive: receive)
        }
    }

    private static func enqueue(_ node: TestNode, for other: TestNode, _ priority: PriorityClass) async throws -> ItemID
    {
        let object: JSONObject = ["noise": .string(Base64.encode(SystemRandom().bytes(300)))]
        let (body, party) = (object.canonicalBytes(), Party.node(other.id))
        let id = ItemID(SHA256Digest.of(body))
        let item = NewItem(
            id: id, kind: .object, body: body, destination: party, priority: priority, created: TestTime.start,
            lifetime: 1_000_000_000)
        try await node.node.core.write { try $0.enqueue(item) }
        return id
    }

    private static func run(
        _ profile: Profile, late: Int64 = 0, _ body: (TestNode, TestNode, Counting) async throws -> Void
    ) async throws {
        let other = try await TestNode(name: "other")
        let carrier = Counting(other.node.exchange)
        let one = try await TestNode(name: "one", profiles: ["dial": profile], carrier: { _, _ in carrier })
        one.time.advance(milliseconds: late)
        try await one.add(other, calls: true, profile: "dial")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        try await body(one, other, carrier)
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    private static func state(_ node: TestNode, _ id: ItemID) async throws -> CustodyState? {
        try await node.node.core.spool.read { try $0.custody(of: id).first?.state }
    }

    private static func phase(_ node: TestNode) async throws -> String? {
        try await node.control(["request": "links"]).array?.first?.object?["phase"]?.string
    }

    @Test("an urgent item opens a closed window where the profile dials, alone; the others go when it opens")
    func dialled() async throws {
        try await Self.run(Self.satellite(Self.window(22 * 60, 23 * 60), .always)) { one, other, _ in
            let channel = try await Self.enqueue(one, for: other, .channelText)
            let direct = try await Self.enqueue(one, for: other, .directText)
            try await eventually("the urgent one has gone") { try await Self.state(one, direct) == .forwarded }
            #expect(try await Self.state(one, channel) == .waiting)
            try await eventually("the link rests") { try await Self.phase(one) == "window_closed" }
            #expect(try await Self.state(one, channel) == .waiting)
            one.time.advance(milliseconds: 12 * 3_600_000)
            try await eventually("the window has opened") {
                _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
                return try await Self.state(one, channel) == .forwarded
            }
        }
    }

    @Test("no contact is begun in the last seconds of a window, in which no exchange can end")
    func closing() async throws {
        let profile = Self.satellite(Self.window(10 * 60, 10 * 60 + 31))
        // 4.9 s are left: a round trip and the peer's frame take 5.6.
        try await Self.run(profile, late: 55_000) { one, other, carrier in
            _ = try await Self.enqueue(one, for: other, .directText)
            try await eventually("the link rests") { try await Self.phase(one) == "window_closed" }
            #expect(carrier.count.withLock { $0 } == 0)
        }
        // With 9.9 s it goes.
        try await Self.run(profile, late: 50_000) { one, other, _ in
            let direct = try await Self.enqueue(one, for: other, .directText)
            try await eventually("the item has gone") { try await Self.state(one, direct) == .forwarded }
        }
    }

    @Test("less than a worthwhile batch waits, and the hold says for what and until when")
    func batch() async throws {
        var profile = Self.satellite(.always, .never)
        profile.minBatch = ByteCount(2_000)
        profile.maxWait = .seconds(7_200)
        profile.poll = nil
        try await Self.run(profile) { one, other, carrier in
            let direct = try await Self.enqueue(one, for: other, .directText)
            func holds() async throws -> [JSONObject] {
                let why = try await one.control([
                    "request": "spool_why", "item": .string(Hex.encode(direct.bytes)),
                ])
                return why.object?["copies"]?.array?.first?.object?["holds"]?.array?.compactMap(\.object) ?? []
            }
            try await eventually("the hold") { try await holds().first?["reason"] == "batching" }
            #expect(try await holds().first?["words"]?.string?.contains("2000 bytes") == true)
            let until = one.time.now().adding(milliseconds: 7_200_000).description
            #expect(try await holds().first?["until"]?.string == until)
            #expect(carrier.count.withLock { $0 } == 0)
            for _ in 0..<30 { _ = try await Self.enqueue(one, for: other, .channelText) }
            try await eventually("the batch has gone") {
                one.node.core.notifier.notify([.node(other.id)])
                return try await Self.state(one, direct) == .forwarded
            }
        }
    }

    @Test("limits shrink with the window, and what they leave fits into it", arguments: 1...40)
    func limits(_ seed: Int64) throws {
        var profile = Self.satellite(Self.window(10 * 60, 10 * 60 + 40))
        profile.bandwidthUp = BitRate(bitsPerSecond: Int(300 * seed))
        profile.bandwidthDown = BitRate(bitsPerSecond: Int(9_600 / (seed % 4 + 1)))
        profile.packetLoss = Double(seed % 5) / 10
        let window = ContactWindow(profile)
        let plain = OutletLimits(frame: ByteCount(900), exchange: ByteCount(3_600))
        let end = try #require(profile.contactPlan.closes(after: TestTime.start))
        var before = Int.max
        for left in stride(from: Int64(590), to: 0, by: -7) {
            let now = end.adding(milliseconds: -left * 1_000)
            let limits = window.limits(plain, at: now)
            let most = try #require(limits.most?.bytes)
            #expect(most <= before)
            before = most
            #expect(limits.isOver == !window.allows(at: now) && limits.isOver == (most < ContactWindow.least.bytes))
            let sending = Double(most) * 8 / (Double(profile.bandwidthUp.bitsPerSecond) * (1 - profile.packetLoss))
            #expect(limits.isOver || sending + profile.latency.inSeconds <= Double(left))
            // A budget that leaves less stays what it is.
            var dear = plain
            dear.most = ByteCount(300)
            #expect(window.limits(dear, at: now).most?.bytes == min(300, most))
        }
        #expect(window.allows(at: end) == false && window.limits(plain, at: end).isOver)
        #expect(window.opens(after: end.adding(milliseconds: -1)) == profile.contactPlan.opens(after: end))
    }
}
