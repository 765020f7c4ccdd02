import GodwitBatch
import GodwitLink
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitContact

/// What a budget leaves is all that goes (D-20): new frames, repeats and the loose frame together.
@Suite("Contacts within a budget")
struct BudgetLimitTests {
    /// Notes the sealed bytes of each exchange; loses every request where it is told to.
    private final class Scale: Carrier {
        let requests = Mutex<[Int]>([])
        let isBroken = Mutex(false)
        private let carrier: LoopCarrier
        init(_ carrier: LoopCarrier) { self.carrier = carrier }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            var records: [[UInt8]] = []
            while let record = try await request.next() { records.append(record) }
            let bytes = records.reduce(0) { $0 + $1.count }
            requests.withLock { $0.append(bytes) }
            guard !isBroken.withLock({ $0 }) else { throw ProtocolError(.nodeUnreachable, "The link broke.") }
            return try await carrier.exchange(records, receive: receive)
        }
    }

    private static func limits(_ most: Int, _ others: Int) -> OutletLimits {
        OutletLimits(
            frame: ByteCount(900), exchange: ByteCount(2_400), most: ByteCount(most), mostForOthers: ByteCount(others))
    }

    @Test(
        "no exchange takes more than is left, whatever waits and whatever is repeated",
        arguments: [300, 700, 1_500, 4_000])
    func cap(most: Int) async throws {
        try await Stores.memory.with { try await Self.cap($0, most) }
    }

    private static func cap(_ hop: some Ends, _ most: Int) async throws {
        for number in 0..<30 {
            try await hop.left.enqueue(number, to: hop.right.identity.party, size: 60 + number % 5 * 120)
        }
        let scale = Scale(
            LoopCarrier(hop.right.answerer(OutletLimits(frame: ByteCount(900), exchange: ByteCount(2_400)))))
        for turn in 0..<12 {
            scale.isBroken.withLock { $0 = turn % 3 == 1 }
            _ = try? await hop.left.caller.contact(
                with: hop.right.key, over: scale, limits: limits(most, most), exchangesMax: 1)
        }
        let requests = scale.requests.withLock { $0 }
        #expect(requests.allSatisfy { $0 <= most }, "\(requests)")
        #expect(requests.contains { $0 > most / 3 }, "and it is used")
        let received = hop.right.keeper.received.all
        #expect(Set(received).count == received.count && !received.isEmpty)
    }

    @Test("when the others have used their part only urgent items go, and the contact says that the rest is curbed")
    func reserve() async throws {
        try await Stores.memory.with { try await Self.reserve($0) }
    }

    private static func reserve(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        for number in 0..<8 { try await hop.left.enqueue(number, to: party, .bulk) }
        let urgent = try await hop.left.enqueue(100, to: party, .directText)
        let carrier = LoopCarrier(hop.right.answerer(OutletLimits(frame: ByteCount(900), exchange: ByteCount(2_400))))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits(5_000, 0), exchangesMax: 64)
        #expect(hop.right.keeper.received.all == [urgent])
        #expect(report.isCurbed && !report.more && report.exchanges < 4)
        #expect(try await hop.left.waiting(for: party) == 8)
        let rest = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits(9_000, 9_000), exchangesMax: 64)
        #expect(hop.right.keeper.received.all.count == 9 && !rest.isCurbed)
    }

    @Test("an item that is larger than what is left stays, smaller ones behind it go, and it goes when there is room")
    func tooDear() async throws {
        try await Stores.memory.with { try await Self.tooDear($0) }
    }

    private static func tooDear(_ hop: some Ends) async throws {
        let party = hop.right.identity.party
        let large = try await hop.left.enqueue(1, to: party, size: 6_000)
        let small = try await hop.left.enqueue(2, to: party, size: 80)
        let carrier = LoopCarrier(hop.right.answerer(OutletLimits(frame: ByteCount(900), exchange: ByteCount(2_400))))
        let curbed = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits(1_200, 1_200), exchangesMax: 8)
        #expect(hop.right.keeper.received.all == [small] && curbed.isCurbed)
        _ = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits(20_000, 20_000), exchangesMax: 8)
        #expect(hop.right.keeper.received.all == [small, large])
    }
}
