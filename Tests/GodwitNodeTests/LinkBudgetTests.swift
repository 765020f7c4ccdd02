import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Contacts that break cost what they cost (D-20).
@Suite("Budgets of links")
struct LinkBudgetTests {
    /// Carries a request whole, brings the first record of the answer, and breaks.
    private struct Breaking: Carrier {
        let service: any ExchangeService

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            let session = await service.openExchange()
            while let record = try await request.next() { try await session.receive(record) }
            if let record = try await session.next() { try await receive(record) }
            throw ProtocolError(.nodeUnreachable, "The link broke.")
        }
    }

    @Test("bytes of a contact that broke are booked, in the link's total and in its ledger")
    func broken() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(name: "one", carrier: { _, _ in Breaking(service: other.node.exchange) })
        try await one.add(other, calls: true)
        try await other.add(one)
        let running = Task { try await one.node.run() }
        func link() async throws -> JSONObject {
            try await one.control(["request": "links"]).array?.first?.object ?? [:]
        }
        try await eventually("a contact that failed") {
            one.time.advance(milliseconds: 1_000)
            _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
            return try await link()["last_error"]?.object != nil
        }
        let status = try await link()
        let (sent, received) = (status["bytes_sent"]?.integer ?? 0, status["bytes_received"]?.integer ?? 0)
        #expect(sent > 48 && received > 48)
        let name = other.id.text
        try await eventually("the ledger") {
            let ledger = try await one.node.core.read { try $0.ledger(for: name) }
            let spent = ledger?.object?["bytes_today"]?.integer ?? 0
            return spent > 96
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    /// Tells when an exchange is under way, and waits for leave to go on.
    private final class Halting: Carrier {
        let request = Mutex<Int?>(nil)
        let mayGo = Mutex(false)
        private let service: any ExchangeService
        init(service: any ExchangeService) { self.service = service }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            var records: [[UInt8]] = []
            while let record = try await request.next() { records.append(record) }
            let bytes = records.reduce(0) { $0 + $1.count }
            self.request.withLock { $0 = bytes }
            while !mayGo.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
            return try await InProcess(service: service).exchange(records, receive: receive)
        }
    }

    private static func limited(_ bytes: Int, reserve: Double = 0.1) -> [String: Profile] {
        var profile = Profile.preset(.satellite)
        profile.packetLoss = 0
        // What the tier lets go is not what is tested here.
        profile.tierUp = .medium
        profile.budget = Budget(bytesPerDay: ByteCount(bytes), urgentReserve: reserve)
        profile.name = "limited"
        return ["limited": profile]
    }

    @Test("what an exchange may cost is in the store before its first byte goes, and put right when it has ended")
    func reservedFirst() async throws {
        let other = try await TestNode(name: "other")
        let carrier = Halting(service: other.node.exchange)
        let one = try await TestNode(name: "one", profiles: Self.limited(1_000_000), carrier: { _, _ in carrier })
        try await one.add(other, calls: true, profile: "limited")
        try await other.add(one)
        let running = Task { try await one.node.run() }
        try await eventually("an exchange") {
            one.time.advance(milliseconds: 1_000)
            return carrier.request.withLock { $0 } != nil
        }
        let name = other.id.text
        func spent() async throws -> Int64 {
            let ledger = try await one.node.core.read { try $0.ledger(for: name) }
            return ledger?.object?["bytes_today"]?.integer ?? 0
        }
        // Whoever pulled the plug now would find it there.
        let reserved = try await spent()
        #expect(reserved >= Int64(carrier.request.withLock { $0 } ?? 0))
        carrier.mayGo.withLock { $0 = true }
        try await eventually("the settled ledger") {
            let now = try await spent()
            return now > 0 && now < reserved
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("an exchange that the budget does not cover is refused before anything goes; one that sent nothing is free")
    func refused() async throws {
        let node = try await TestNode(name: "node")
        let profile = try #require(Self.limited(20_000)["limited"])
        func budget() -> LinkBudget {
            LinkBudget(
                core: node.node.core, peer: node.id, profile: profile,
                ledger: BudgetLedger(profile, at: node.time.now()))
        }
        struct Failing: Carrier {
            var sentNothing: Bool
            func exchange(
                _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
            ) async throws -> ExchangeStatistics {
                while try await request.next() != nil {}
                var error = ProtocolError(.nodeUnreachable, "The link broke.")
                error.sentNothing = sentNothing
                throw error
            }
        }
        for (sentNothing, least, most) in [(true, 0, 0), (false, 5_000, 5_000 + 512)] {
            let budget = budget()
            let metered = MeteredCarrier(
                carrier: Failing(sentNothing: sentNothing), budget: budget, time: node.time,
                measure: LinkMeasure(core: node.node.core, account: node.id.text, profile: profile))
            await #expect(throws: ProtocolError.self) {
                _ = try await metered.exchange([[UInt8](repeating: 1, count: 5_000)]) { _ in }
            }
            let used = await budget.state.usage.bytesToday.bytes
            #expect((least...most).contains(used))
        }
        let budget = budget()
        let booking = await budget.open()
        await #expect(throws: ProtocolError.self) {
            _ = try await budget.reserve(request: ByteCount(19_489), as: booking)
        }
        #expect(await budget.state.usage.bytesToday == .zero)
        _ = try await budget.reserve(request: ByteCount(19_488), as: booking)
        #expect(await budget.state.urgent.bytes == .zero)
        node.remove()
    }

    @Test("a request that grows is booked and durable record by record, and ends where an early answer took its place")
    func grows() async throws {
        let node = try await TestNode(name: "node")
        let profile = try #require(Self.limited(20_000)["limited"])
        let budget = LinkBudget(
            core: node.node.core, peer: node.id, profile: profile, ledger: BudgetLedger(profile, at: node.time.now()))
        let name = node.id.text
        let seen = Mutex<[Int64]>([])
        /// Looks into the store before it takes each record; answers 4,000 bytes after the second.
        struct Looking: Carrier {
            let look: @Sendable () async throws -> Void
            func exchange(
                _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
            ) async throws -> ExchangeStatistics {
                var count = 0
                while let record = try await request.next() {
                    count += 1
                    try await look()
                    if count == 2 { try await receive([UInt8](repeating: 2, count: 4_000)) }
                    #expect(record.count == 4_000)
                }
                #expect(count == 3, "the fourth has no room beside what came")
                return ExchangeStatistics(
                    sent: ByteCount(12_000), received: ByteCount(4_000), duration: 1, reusedConnection: true)
            }
        }
        let metered = MeteredCarrier(
            carrier: Looking {
                let ledger = try await node.node.core.read { try $0.ledger(for: name) }
                seen.withLock { $0.append(ledger?.object?["bytes_today"]?.integer ?? 0) }
            }, budget: budget, time: node.time,
            measure: LinkMeasure(core: node.node.core, account: name, profile: profile))
        _ = try await metered.exchange(Array(repeating: [UInt8](repeating: 1, count: 4_000), count: 5)) { _ in }
        let booked = seen.withLock { $0 }
        #expect(booked.count == 3 && zip(booked, 1...).allSatisfy { $0 >= Int64(4_000 * $1 + 512) })
        #expect(booked.allSatisfy { $0 <= 20_000 })
        #expect(await budget.state.usage.bytesToday == ByteCount(16_000), "and settled by what it took")
        node.remove()
    }

    @Test("what came of a record that was not whole passes the meter")
    func beginnings() async throws {
        actor Source: RecordSource {
            private(set) var kept: [[UInt8]] = []
            func next() async -> [UInt8]? { nil }
            func keep(_ beginning: [UInt8]) { kept.append(beginning) }
        }
        struct Cutting: Carrier {
            func exchange(
                _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
            ) async throws -> ExchangeStatistics {
                await request.keep([7, 8])
                throw ProtocolError(.nodeUnreachable, "The link broke.")
            }
        }
        let node = try await TestNode(name: "node")
        let profile = try #require(Self.limited(20_000)["limited"])
        let budget = LinkBudget(
            core: node.node.core, peer: node.id, profile: profile, ledger: BudgetLedger(profile, at: node.time.now()))
        let metered = MeteredCarrier(
            carrier: Cutting(), budget: budget, time: node.time,
            measure: LinkMeasure(core: node.node.core, account: node.id.text, profile: profile))
        let source = Source()
        await #expect(throws: ProtocolError.self) { _ = try await metered.exchange(source) { _ in } }
        #expect(await source.kept == [[7, 8]])
        node.remove()
    }

    @Test("a spent budget ends at what it allows: urgent items use the reserve, others wait for the next day")
    func neverOverspent() async throws {
        let (budget, day) = (30_000, Int64(86_400_000))
        let other = try await TestNode(name: "other")
        let one = try await TestNode(
            name: "one", profiles: Self.limited(budget), carrier: { _, _ in InProcess(service: other.node.exchange) })
        try await one.add(other, calls: true, profile: "limited")
        try await other.add(one)
        let party = Party.node(other.id)
        func enqueue(_ number: Int, _ priority: PriorityClass) async throws {
            let object: JSONObject = [
                "n": .integer(Int64(number)), "x": .string(Base64.encode(SystemRandom().bytes(1_500))),
            ]
            let body = object.canonicalBytes()
            try await one.node.core.write { transaction in
                try transaction.enqueue(
                    NewItem(
                        id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: party,
                        priority: priority, created: one.time.now(), lifetime: 30 * day))
            }
        }
        for number in 0..<40 { try await enqueue(number, .bulk) }
        let running = Task { try await one.node.run() }
        func link() async throws -> JSONObject {
            try await one.control(["request": "links"]).array?.first?.object ?? [:]
        }
        try await eventually("a spent budget") {
            one.time.advance(milliseconds: 1_000)
            return try await link()["phase"]?.string == "budget_spent"
        }
        func used() async throws -> Int64 {
            try await link()["budget"]?.object?["bytes_today"]?.integer ?? 0
        }
        let bulk = try await used()
        #expect(bulk <= Int64(budget) * 9 / 10 && bulk > Int64(budget) / 2)
        #expect(try await link()["holds"]?.array?.first?.object?["reason"]?.string == "budget")
        try await enqueue(1_000, .directText)
        let left = try await one.node.core.spool.read { try $0.queues(for: party)[.directText]?.count ?? 0 }
        #expect(left <= 1)
        try await eventually("the urgent item") {
            one.time.advance(milliseconds: 1_000)
            return try await one.node.core.spool.read { try $0.queues(for: party)[.directText] == nil }
        }
        #expect(try await used() <= Int64(budget))
        one.time.advance(milliseconds: day)
        try await eventually("the next day's bytes") {
            one.time.advance(milliseconds: 1_000)
            // The clock jumped, so the link has to be woken.
            _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
            return try await used() > 10_000
        }
        #expect(try await used() <= Int64(budget), "what is reserved counts in")
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }

    @Test("an answer beyond the budget is not read to its end, and comes on the next day")
    func answer() async throws {
        let (budget, day) = (20_000, Int64(86_400_000))
        let other = try await TestNode(name: "other")
        let one = try await TestNode(
            name: "one", profiles: Self.limited(budget), carrier: { _, _ in InProcess(service: other.node.exchange) })
        try await one.add(other, calls: true, profile: "limited")
        try await other.add(one)
        let party = Party.node(one.id)
        for _ in 0..<60 {
            let object: JSONObject = ["x": .string(Base64.encode(SystemRandom().bytes(1_500)))]
            let body = object.canonicalBytes()
            try await other.node.core.write { transaction in
                try transaction.enqueue(
                    NewItem(
                        id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: party,
                        priority: .channelText, created: other.time.now(), lifetime: 30 * day))
            }
        }
        let running = Task { try await one.node.run() }
        func link() async throws -> JSONObject {
            try await one.control(["request": "links"]).array?.first?.object ?? [:]
        }
        func wake() async throws {
            one.time.advance(milliseconds: 1_000)
            _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
        }
        try await eventually("a spent budget") {
            try await wake()
            return try await link()["phase"]?.string == "budget_spent"
        }
        let frame = FrameSizing.payload(up: .preset(.satellite)).bytes
        let used = try await link()["budget"]?.object?["bytes_today"]?.integer ?? 0
        #expect(used > 10_000 && used <= Int64(budget + frame + 1_024), "at most the record that was on its way")
        let received = try await link()["bytes_received"]?.integer ?? 0
        one.time.advance(milliseconds: day)
        try await eventually("more of it") {
            try await wake()
            return try await link()["bytes_received"]?.integer ?? 0 > received + 10_000
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }
}
