import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitNode

/// Probes on order and by themselves (NET-05): what they cost, and who gets an answer.
@Suite("Probes of links")
struct ProbeTests {
    /// A carrier whose link has a rate of its own, and that counts its probes.
    private final class Probed: Carrier, LinkProbing {
        let service: any ExchangeService & Sendable
        let probes = Mutex<[(up: Int, down: Int)]>([])
        init(_ service: any ExchangeService) { self.service = service }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            try await InProcess(service: service).exchange(request, receive: receive)
        }

        func probe(_ record: [UInt8], up: Int, down: Int) async throws -> ExchangeStatistics {
            probes.withLock { $0.append((up, down)) }
            var statistics = ExchangeStatistics(
                sent: ByteCount(up + 200), received: ByteCount(down + 100), duration: 4_000, reusedConnection: false)
            statistics.roundTrip = .milliseconds(50)
            statistics.up = .init(bytes: ByteCount(up), time: .seconds(2))
            statistics.down = .init(bytes: ByteCount(down), time: .seconds(2))
            return statistics
        }
    }

    private static func linked(
        _ profile: Profile, _ body: (TestNode, TestNode, Probed) async throws -> Void
    ) async throws {
        let other = try await TestNode(name: "other")
        let carrier = Probed(other.node.exchange)
        var named = profile
        named.name = "probed"
        let one = try await TestNode(name: "one", profiles: ["probed": named], carrier: { _, _ in carrier })
        try await one.add(other, calls: true, profile: "probed")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        try await eventually("the link") {
            try await one.control(["request": "links"]).array?.first?.object?["phase"]?.string != "answers"
        }
        try await body(one, other, carrier)
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("on order a link is measured, and its budget pays")
    func ordered() async throws {
        var profile = Profile.preset(.mobile)
        profile.budget = Budget(bytesPerDay: ByteCount(200_000))
        // No contact in between.
        profile.poll = nil
        try await Self.linked(profile) { one, other, carrier in
            func ask(_ up: Int64, _ down: Int64) async throws -> JSONObject? {
                try await one.control([
                    "request": "link_probe", "node": .string(other.id.text), "up": .integer(up), "down": .integer(down),
                ]).object
            }
            var answer: JSONObject?
            try await eventually("a moment without a contact") {
                answer = try? await ask(50_000, 20_000)
                return answer != nil
            }
            #expect(answer?["rate_up"] == 200_000 && answer?["rate_down"] == 80_000 && answer?["round_trip_ms"] == 50)
            let link = try await one.control(["request": "links"]).array?.first?.object
            let spent = link?["budget"]?.object?["bytes_today"]?.integer ?? 0
            #expect(spent >= 70_300 && spent < 80_000)
            #expect(link?["rates"]?.object?["bandwidth_up"]?.object?["measured"] == 200_000)
            let before = carrier.probes.withLock { $0.count }
            let refused = await #expect(throws: ProtocolError.self) { _ = try await ask(100_000, 100_000) }
            #expect(refused?.code == .bandwidthExceeded)
            #expect(carrier.probes.withLock { $0.count } == before, "nothing went")
            for wrong in [Int64(-1), Int64(Probe.bytesMax) + 1] {
                await #expect(throws: ProtocolError.self) { _ = try await ask(wrong, 0) }
            }
        }
    }

    @Test("a link that is not called, or whose ways cannot be probed, is not")
    func impossible() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(name: "one")
        try await one.add(other)
        let error = await #expect(throws: ProtocolError.self) {
            _ = try await one.control(["request": "link_probe", "node": .string(other.id.text)])
        }
        #expect(error?.code == .nodeUnreachable)
        one.remove()
        other.remove()
    }

    @Test("by itself only a link that costs nothing and has no budget is probed, once an hour, from Tier 3 up")
    func automatic() async throws {
        func probes(_ change: (inout Profile) -> Void) async throws -> Int {
            var profile = Profile.preset(.broadband)
            profile.poll = nil
            change(&profile)
            let count = Mutex(0)
            try await Self.linked(profile) { one, other, carrier in
                let link = try #require(await one.node.links.link(to: other.id))
                await link.probeIfDue()
                one.time.advance(milliseconds: 3_599_000)
                await link.probeIfDue()
                #expect(carrier.probes.withLock { $0.isEmpty }, "not within the first hour")
                for _ in 0..<3 {
                    one.time.advance(milliseconds: 3_700_000)
                    await link.probeIfDue()
                    await link.probeIfDue()
                }
                count.withLock { $0 = carrier.probes.withLock { $0.count } }
            }
            return count.withLock { $0 }
        }
        #expect(try await probes { _ in } == 3)
        #expect(try await probes { $0.costPerMegabyte = 0.01 } == 0)
        #expect(try await probes { $0.budget.bytesPerMonth = ByteCount(1 << 40) } == 0)
        #expect(try await probes { $0.budget.dutyCycle = 0.5 } == 0)
        #expect(try await probes { $0.measures = false } == 0)
        #expect(try await probes { $0.bandwidthUp = BitRate(bitsPerSecond: 99_999) } == 0)
    }

    @Test("a peer gets one answer a minute, each by itself; a stranger none")
    func admitted() async throws {
        let gate = ProbeGate()
        let (one, other) = (Party.node(try NodeID("a7f3k9m2")), Party.node(try NodeID("b4n8p2x7")))
        try await gate.admit(one, at: .zero)
        let error = await #expect(throws: ProtocolError.self) { try await gate.admit(one, at: .milliseconds(59_999)) }
        #expect(error?.code == .rateLimited && error?.retryAfter == 1)
        try await gate.admit(other, at: .seconds(30))
        try await gate.admit(one, at: .seconds(60))
        try await TestNode.with { node in
            let stranger = await #expect(throws: ProtocolError.self) {
                try await node.node.admitProbe([UInt8](repeating: 3, count: 120))
            }
            #expect(stranger != nil)
        }
        let crowded = ProbeGate()
        for index in 0..<ProbeGate.partiesMax {
            let name = "aaaa" + String(repeating: "0", count: 4 - String(index).count) + String(index)
            try await crowded.admit(.node(try NodeID(name)), at: .zero)
        }
        await #expect(throws: ProtocolError.self) { try await crowded.admit(one, at: .seconds(59)) }
        try await crowded.admit(one, at: .seconds(60))
    }
}
