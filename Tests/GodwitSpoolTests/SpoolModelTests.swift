import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("A spool against its model")
struct SpoolModelTests {
    @Test(
        "agrees with the model after every one of 400 random steps (GW-03, D-8)", arguments: SpoolKind.allCases,
        [1, 2, 3])
    func randomSteps(_ kind: SpoolKind, seed: UInt64) async throws {
        let peers = [try Fixture.alpha, try Fixture.bravo, try Fixture.owner]
        try await kind.with { spool in
            var walk = Walk(spool: spool, peers: peers, generator: SeededGenerator(seed: seed))
            for step in 0..<400 {
                try await walk.step()
                try await walk.compare("seed \(seed), step \(step)")
            }
        }
    }

    /// One random walk of a spool and its model.
    struct Walk {
        let spool: AnySpool
        let peers: [Party]
        var generator: SeededGenerator
        var model = SpoolModel()
        var incarnation: UInt32 = 0

        mutating func step() async throws {
            let peer = peers[Int.random(in: 0..<peers.count, using: &generator)]
            switch Int.random(in: 0..<20, using: &generator) {
            case 0..<9: try await enqueue(peer)
            case 9..<13: try await frame(peer)
            case 13..<16: try await acknowledge(peer)
            case 16: try await release()
            case 17: try await renew(peer)
            case 18: try await expire()
            default: try await fail(peer)
            }
        }

        private mutating func randomItem(_ peer: Party) -> NewItem {
            let number = Int.random(in: 0..<150, using: &generator)
            let size = [0, 10, 100, 40_000][Int.random(in: 0..<4, using: &generator)]
            // Eight bodies only, so that many are shared.
            var item = Fixture.item(
                number, to: peer, PriorityClass.allCases[number % 8],
                lifetime: .random(in: 0...20_000_000, using: &generator),
                age: .random(in: 0...5_000, using: &generator), owner: number.isMultiple(of: 2) ? peers[0] : nil)
            item.body = Fixture.body(number % 2, size: size)
            return item
        }

        private mutating func enqueue(_ peer: Party) async throws {
            let item = randomItem(peer)
            let row = try await spool.write { try $0.enqueue(item).row }
            #expect(model.enqueue(item, row: row) == (row != nil))
        }

        private mutating func frame(_ peer: Party) async throws {
            let priority = PriorityClass.allCases[Int.random(in: 0..<8, using: &generator)]
            let bytes = [UInt8.random(in: 0...255, using: &generator)]
            let frame = try await spool.write { spool in
                let rows = try spool.waiting(for: peer, class: priority, count: 3, bytes: ByteCount(1 << 20)).map(\.row)
                return try spool.frame(rows, to: peer, bytes: bytes)
            }
            #expect(frame.items == model.waiting(peer, priority).prefix(3).map(\.row))
            if let due = model.sender[peer] { #expect(frame.number == due) }
            model.record(frame)
        }

        private mutating func acknowledge(_ peer: Party) async throws {
            guard let next = model.sender[peer] else { return }
            let lower = UInt64.random(in: 1...next.number, using: &generator)
            let range = lower...lower + UInt64.random(in: 0...3, using: &generator)
            let released = try await spool.write {
                try $0.acknowledge(from: peer, incarnation: next.incarnation, numbers: [range]).map(\.row)
            }
            #expect(released == model.acknowledge(peer, range))
        }

        private mutating func release() async throws {
            guard let row = model.copies.randomElement(using: &generator)?.row else { return }
            try await spool.write { try $0.release([row]) }
            _ = model.end(rows: [row], .forwarded)
        }

        private mutating func renew(_ peer: Party) async throws {
            incarnation += 1
            let new = incarnation
            try await spool.write { try $0.renewIncarnation(to: peer, incarnation: new) }
            model.renew(peer, new)
        }

        private mutating func expire() async throws {
            let elapsed = Int64.random(in: 0...2_000_000, using: &generator)
            let rows = try await spool.write { try $0.expire(elapsed: elapsed).map(\.row) }
            #expect(Set(rows) == model.expire(elapsed))
        }

        /// A part that fails after it did everything that it could.
        private mutating func fail(_ peer: Party) async throws {
            struct Stop: Error {}
            let item = randomItem(peer)
            await #expect(throws: Stop.self) {
                try await spool.write { spool in
                    _ = try spool.enqueue(item)
                    for frame in try spool.unacknowledged(to: peer) {
                        _ = try spool.acknowledge(
                            from: peer, incarnation: frame.number.incarnation,
                            numbers: [frame.number.number...frame.number.number])
                    }
                    try spool.release(try spool.items(for: nil, limit: 10).map(\.row))
                    throw Stop()
                }
            }
        }

        func compare(_ place: Comment) async throws {
            let peers = peers
            let (items, frames, custody) = try await spool.read { spool in
                (
                    try spool.items(for: nil, limit: 10_000), try peers.map(spool.unacknowledged),
                    try spool.custody(of: Fixture.id(42))
                )
            }
            let held = model.copies.filter(\.inCustody)
            try #require(items.map(\.row) == held.map(\.row), place)
            try #require(items.map(\.state) == held.map(\.state), place)
            try #require(items.map(\.age) == held.map { $0.age(at: model.now) }, place)
            try #require(items.map(\.body) == held.map(\.item.body), place)
            try #require(frames == peers.map(model.unacknowledged), place)
            let marks = model.copies.filter { $0.item.id == Fixture.id(42) }
                .map { Custody(destination: $0.item.destination, state: $0.state) }
            try #require(Set(custody) == Set(marks), place)
        }
    }
}
