import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Limits of the device's store (GW-09)")
struct LimitTests {
    @Test("1,000 warnings are kept; the oldest go first")
    func warnings() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        let item = BatchItem(kind: .object, body: Array("{}".utf8), created: hub.time.now(), priority: .control)
        try await device.deliver([BatchItem](repeating: item, count: 1_000))
        #expect(try await device.status().warnings == 1_000)
        #expect(try await device.warnings(limit: 1_001).last?.row == 1)
        try await device.deliver([item])
        #expect(try await device.status().warnings == 1_000)
        #expect(try await device.warnings(limit: 1_001).last?.row == 2)
    }

    @Test("a receipt names at most 1,024 messages; more make a second one (D-12)", arguments: [1_024, 1_025])
    func receipts(count: Int) async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let author = olena.party
        try await ines.store.write { transaction in
            transaction.delivered[author] = (0..<count).map { SHA256Digest.of(Array(String($0).utf8)) }
        }
        let sizes = try await ines.handOver().map { item in
            guard case .receipt(let receipt) = try ProtocolObject(parsing: item.body) else { return 0 }
            return receipt.items.count
        }
        #expect(sizes == (count == 1_024 ? [1_024] : [1_024, 1]))
    }

    @Test("an unanswered join is repeated after one minute, two, four, and so on up to an hour")
    func joinPatience() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        try await device.joinChannel(try hub.channelID("#silent"))
        #expect(try await device.handOver().count == 1)
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            hub.time.advance(minutes * 60_000 - 1)
            try await device.prepareContact()
            #expect(try await device.handOver().isEmpty)
            hub.time.advance(1)
            try await device.prepareContact()
            // While it waits to be handed over it is not repeated, however long that takes.
            hub.time.advance(7_200_000)
            try await device.prepareContact()
            #expect(try await device.handOver().count == 1)
            hub.time.advance(-7_200_000)
        }
    }
}
