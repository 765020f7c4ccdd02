import GodwitProtocol
import Testing

@testable import GodwitSpool

/// What operators ask of a queue, and what a node takes out of it.
@Suite("Places in the SQLite spool")
struct SQLitePlaceTests {
    private func with(_ body: (SQLiteSpool) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        var configuration = SpoolConfiguration.test
        configuration.wallClock = { Timestamp(milliseconds: 1_800_000_000_000) }
        let spool = try SQLiteSpool(directory: directory.path, configuration: configuration)
        try await body(spool)
        #expect(try await spool.verify().isSound)
        try await spool.close()
    }

    /// The numbers of what waits, class by class in the order in which it goes.
    private static func order(_ transaction: SQLiteTransaction, for party: Party) throws -> [ItemID] {
        try PriorityClass.allCases.flatMap {
            try transaction.waiting(for: party, class: $0, count: 1_000, bytes: ByteCount(1 << 30)).map(\.id)
        }
    }

    @Test(
        "what is ahead of an item is what is more urgent, and what goes before it in its class",
        arguments: 0..<8 as Range<UInt64>)
    func ahead(seed: UInt64) async throws {
        try await with { spool in
            var random = SeededGenerator(seed: seed)
            let items = try (0..<60).map { number in
                Fixture.item(
                    number, to: try Fixture.alpha,
                    PriorityClass(rawValue: Int.random(in: 0..<8, using: &random)) ?? .bulk,
                    size: Int.random(in: 1...900, using: &random),
                    lifetime: Bool.random(using: &random)
                        ? 30 * 86_400_000 : Int64.random(in: 1_000...5_000_000, using: &random))
            }
            let framed = Int.random(in: 1...5, using: &random)
            try await spool.write { transaction in
                let rows = try items.compactMap { try transaction.enqueue($0).row }
                let frame = try transaction.frame(Array(rows.prefix(framed)), to: Fixture.alpha)
                for item in items.prefix(framed) {
                    let place = try transaction.queuePlace(of: item.id, for: Fixture.alpha)
                    #expect(place?.frame == frame.number && place?.itemsAhead == 0)
                }
                let order = try Self.order(transaction, for: Fixture.alpha)
                var bytes = 0
                for (index, id) in order.enumerated() {
                    let place = try transaction.queuePlace(of: id, for: Fixture.alpha)
                    #expect(place?.itemsAhead == index && place?.bytesAhead.bytes == bytes && place?.frame == nil)
                    bytes += items.first { $0.id == id }?.body.count ?? 0
                }
                #expect(try transaction.queuePlace(of: order[0], for: Fixture.bravo) == nil)
            }
        }
    }

    @Test("a newer item goes when the older would have gone; the older is known to have been superseded")
    func supersede() async throws {
        try await with { spool in
            try await spool.write { transaction in
                let alpha = try Fixture.alpha
                for number in 0..<4 { _ = try transaction.enqueue(Fixture.item(number, to: alpha)) }
                _ = try transaction.enqueue(Fixture.item(1, to: Fixture.bravo))
                #expect(try transaction.supersede(Fixture.id(1), by: Fixture.item(9, to: alpha, size: 50_000)))
                #expect(try Self.order(transaction, for: alpha) == [0, 9, 2, 3].map(Fixture.id))
                #expect(try Self.order(transaction, for: Fixture.bravo) == [Fixture.id(1)])
                let gone = try transaction.departures(of: Fixture.id(1))
                #expect(
                    gone == [
                        Departure(
                            destination: alpha, state: .forwarded, at: Timestamp(milliseconds: 1_800_000_000_000),
                            successor: Fixture.id(9))
                    ])
                #expect(try transaction.enqueue(Fixture.item(1, to: alpha)) == .duplicate)
                #expect(try transaction.enqueue(Fixture.item(9, to: alpha)) == .duplicate)
                #expect(try transaction.waitingItem(Fixture.id(9), for: alpha)?.body.count == 50_000)
                #expect(try transaction.summaries(of: Fixture.id(9)).count == 1)
                // The new one is handed over, known and expired as any other.
                let rows = try transaction.waiting(for: alpha, class: .channelText, count: 9, bytes: ByteCount(1 << 20))
                let frame = try transaction.frame(rows.map(\.row), to: alpha)
                let numbers = frame.number.number...frame.number.number
                let released = try transaction.acknowledge(
                    from: alpha, incarnation: frame.number.incarnation, numbers: [numbers])
                #expect(released.map(\.id) == [0, 9, 2, 3].map(Fixture.id))
                #expect(try transaction.departures(of: Fixture.id(9)).first?.successor == nil)
                #expect(try transaction.enqueue(Fixture.item(20, to: alpha)).row ?? 0 > 5)
            }
        }
    }

    @Test("a spool in which something was superseded and still waits is sound")
    func supersededIsSound() async throws {
        try await with { spool in
            try await spool.write { transaction in
                let alpha = try Fixture.alpha
                for number in 0..<3 { _ = try transaction.enqueue(Fixture.item(number, to: alpha)) }
                #expect(try transaction.supersede(Fixture.id(1), by: Fixture.item(9, to: alpha)))
                #expect(try transaction.supersede(Fixture.id(9), by: Fixture.item(10, to: alpha)))
            }
            #expect(try await spool.verify().problems.isEmpty)
        }
    }

    @Test("what is in a frame, unknown or too large for the spool supersedes nothing, and nothing is lost")
    func kept() async throws {
        try await with { spool in
            let alpha = try Fixture.alpha
            try await spool.write { transaction in
                for number in 0..<2 { _ = try transaction.enqueue(Fixture.item(number, to: alpha)) }
                _ = try transaction.frame([1], to: alpha)
                #expect(try !transaction.supersede(Fixture.id(0), by: Fixture.item(7, to: alpha)))
                #expect(try !transaction.supersede(Fixture.id(5), by: Fixture.item(7, to: alpha)))
                #expect(throws: ProtocolError.self) {
                    _ = try transaction.supersede(Fixture.id(1), by: Fixture.item(7, to: alpha, size: 17 << 20))
                }
                #expect(try Self.order(transaction, for: alpha) == [Fixture.id(1)])
                #expect(try transaction.departures(of: Fixture.id(1)).isEmpty)
            }
        }
    }

    @Test("a savepoint that is undone leaves nothing behind, in the tables or in what is remembered of them")
    func savepoint() async throws {
        struct Undone: Error {}
        try await with { spool in
            try await spool.write { transaction in
                // The very first item: era and party come into being with it, and go with it.
                #expect(throws: Undone.self) {
                    try transaction.inSavepoint {
                        _ = try transaction.enqueue(Fixture.item(1, to: Fixture.alpha))
                        throw Undone()
                    }
                }
                let outcome = try transaction.enqueue(Fixture.item(1, to: Fixture.alpha))
                let place = try transaction.queuePlace(of: Fixture.id(1), for: Fixture.alpha)
                #expect(outcome.row != nil && place?.itemsAhead == 0)
            }
        }
    }
}
