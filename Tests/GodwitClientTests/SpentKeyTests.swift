import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// The first form of a message may come after the one that was sealed again (docs/protocol.md §7).
@Suite("Keys of messages that were read sealed again")
struct SpentKeyTests {
    @Test(
        "a message that comes after it was read sealed again uses up its key, also one for several devices (E2E-04)",
        arguments: [1, 2])
    func late(devices: Int) async throws {
        let families = try await Families(amina: 1, layla: devices)
        let (amina, layla, hub) = (families.amina[0], families.layla[0], families.hub)
        try await amina.send(text: "zero", to: .user(layla.userID))
        try await families.settle()
        try await layla.send(text: "heard", to: .user(amina.userID))
        try await families.settle()
        var late: [BatchItem] = []
        for text in ["one", "two"] {
            try await amina.send(text: text, to: .user(layla.userID))
            try await hub.collect(from: amina)
            // The first of them takes a long way.
            if late.isEmpty { late = await hub.drain(layla.party) }
        }
        try await families.settle()
        hub.time.advance(ClientTransaction.wantPatience)
        try await layla.prepareContact()
        try await families.settle()
        #expect(try await layla.inbox().map(\.late?.reason) == [nil, "missing", nil])
        func kept() async throws -> Int {
            try await layla.store.read { transaction in
                try transaction.rows("SELECT state FROM client_session").map { row in
                    try Session(decoding: row.blob("state")).ratchet.skippedCount
                }.reduce(0, +)
            }
        }
        #expect(try await kept() == 1)
        try await layla.deliver(late)
        #expect(try await kept() == 0)
        #expect(try await layla.texts(from: amina.userID) == ["zero", "one", "two"])
        #expect(try await layla.codes() == [])
    }
}
