import GodwitProtocol
import GodwitSpool
import Testing

/// What every implementation of `Spool` does (GW-03, GW-04, G-63, D-8, D-16). Further parts in the files beside.
@Suite("Every spool")
struct SpoolConformance {
    @Test("keeps items in order of arrival, by destination and class", arguments: SpoolKind.allCases)
    func order(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            try await spool.write { spool in
                for number in 0..<10 {
                    _ = try spool.enqueue(Fixture.item(number, to: number.isMultiple(of: 2) ? alpha : bravo))
                }
                _ = try spool.enqueue(Fixture.item(10, to: alpha, .control))
            }
            let (texts, control, destinations) = try await spool.read { spool in
                (
                    try spool.waiting(for: alpha, class: .channelText, count: 100, bytes: ByteCount(1 << 20)),
                    try spool.waiting(for: alpha, class: .control, count: 100, bytes: ByteCount(1 << 20)),
                    try spool.destinations()
                )
            }
            #expect(texts.map(\.id) == [0, 2, 4, 6, 8].map(Fixture.id))
            #expect(control.map(\.id) == [Fixture.id(10)])
            #expect(destinations == [alpha, bravo])
        }
    }

    @Test("gives back an item as it came", arguments: SpoolKind.allCases, [0, 1, 32_768, 32_769, 200_000])
    func roundTrip(_ kind: SpoolKind, size: Int) async throws {
        let item = Fixture.item(
            7, to: try Fixture.alpha, .document, size: size, lifetime: 1_000, age: 250, owner: try Fixture.owner)
        try await kind.with { spool in
            let row = try await spool.write { try $0.enqueue(item).row }
            let found = try await spool.read { try $0.items(for: nil, limit: 10) }
            #expect(
                found == [
                    SpoolItem(
                        row: try #require(row), id: item.id, kind: item.kind, body: item.body,
                        destination: item.destination, priority: item.priority, created: item.created,
                        lifetime: 1_000, age: 250, state: .waiting, owner: item.owner)
                ])
        }
    }

    @Test("limits what waits by count and bytes, but gives one at least", arguments: SpoolKind.allCases)
    func waitingLimits(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            try await spool.write { spool in
                for number in 0..<5 { _ = try spool.enqueue(Fixture.item(number, to: alpha, size: 100)) }
            }
            let counts = try await spool.read { spool in
                try [(5, 500), (5, 499), (5, 200), (5, 99), (5, 0), (2, 500), (0, 500)].map { count, bytes in
                    try spool.waiting(for: alpha, class: .channelText, count: count, bytes: ByteCount(bytes)).count
                }
            }
            #expect(counts == [5, 4, 2, 1, 1, 2, 0])
        }
    }

    @Test("puts what ends within the hour first (D-20)", arguments: SpoolKind.allCases)
    func urgentFirst(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        let hour: Int64 = 3_600_000
        try await kind.with { spool in
            try await spool.write { spool in
                for (number, lifetime) in [3 * hour, hour + 1, hour, hour / 2, 2 * hour].enumerated() {
                    _ = try spool.enqueue(Fixture.item(number, to: alpha, lifetime: lifetime))
                }
            }
            let order = try await spool.read {
                try $0.waiting(for: alpha, class: .channelText, count: 9, bytes: ByteCount(1 << 20)).map(\.id)
            }
            #expect(order == [3, 2, 0, 1, 4].map(Fixture.id))
        }
    }

    @Test("sums up its queues", arguments: SpoolKind.allCases)
    func queues(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let queues = try await spool.write { spool in
                _ = try spool.enqueue(Fixture.item(1, to: alpha, size: 10, lifetime: 500, age: 100))
                _ = try spool.enqueue(Fixture.item(2, to: alpha, size: 20, lifetime: 900, age: 50))
                let framed = try #require(try spool.enqueue(Fixture.item(3, to: alpha, .voice, size: 40)).row)
                _ = try spool.enqueue(Fixture.item(4, to: alpha, .bulk, size: 80, lifetime: 5, age: 9))
                _ = try spool.frame([framed], to: alpha)
                return try spool.queues(for: alpha)
            }
            #expect(
                queues == [
                    .channelText: QueueSummary(count: 2, bytes: ByteCount(30), oldestAge: 100, firstExpiry: 400),
                    .bulk: QueueSummary(count: 1, bytes: ByteCount(80), oldestAge: 9, firstExpiry: 0),
                ])
            let stranger = try Fixture.bravo
            #expect(try await spool.read { try $0.queues(for: stranger) }.isEmpty)
        }
    }

    @Test("expires by age alone, framed items too, oldest end first (D-16)", arguments: SpoolKind.allCases)
    func expiry(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let (early, onTime, ages) = try await spool.write { spool in
                _ = try spool.enqueue(Fixture.item(1, to: alpha, lifetime: 1_000))
                let row = try #require(try spool.enqueue(Fixture.item(2, to: alpha, lifetime: 1_000, age: 1)).row)
                _ = try spool.enqueue(Fixture.item(3, to: alpha, lifetime: 1_001))
                _ = try spool.frame([row], to: alpha)
                let early = try spool.expire(elapsed: 998)
                _ = try spool.expire(elapsed: -5_000)
                let onTime = try spool.expire(elapsed: 2)
                return (early, onTime, try spool.items(for: alpha, limit: 9).map(\.age))
            }
            #expect(early.isEmpty)
            #expect(onTime.map(\.id) == [2, 1].map(Fixture.id))
            #expect(onTime.map(\.state) == [.expired, .expired])
            #expect(onTime.map(\.age) == [1_001, 1_000])
            #expect(ages == [1_000])
            let custody = try await spool.read { try $0.custody(of: Fixture.id(2)) }
            #expect(custody == [Custody(destination: alpha, state: .expired)])
            let frames = try await spool.read { try $0.unacknowledged(to: alpha) }
            #expect(
                frames.map(\.items) == [[]], "the frame's bytes stay until the peer answers or the incarnation ends")
        }
    }

    @Test("expires at most 1,024 items a call", arguments: SpoolKind.allCases)
    func expirySlices(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let counts = try await spool.write { spool in
                for number in 0..<1_025 { _ = try spool.enqueue(Fixture.item(number, to: alpha, size: 1, lifetime: 5)) }
                return [try spool.expire(elapsed: 5).count, try spool.expire(elapsed: 0).count]
            }
            #expect(counts == [1_024, 1])
        }
    }

    @Test(
        "lists what is in custody, and knows ids by their beginning even when custody has ended",
        arguments: SpoolKind.allCases)
    func listing(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let first = Fixture.item(1, to: alpha, .document, size: 40_000, age: 5)
            let second = Fixture.item(1, to: bravo)
            let row = try await spool.write { spool in
                _ = try spool.enqueue(second)
                return try #require(try spool.enqueue(first).row)
            }
            let expected = ItemSummary(
                id: first.id, kind: .message, size: ByteCount(40_000), destination: alpha, priority: .document,
                created: first.created, lifetime: first.lifetime, age: 5, state: .waiting)
            let lists = try await spool.read { spool in
                (
                    try spool.summaries(for: alpha, limit: 9), try spool.summaries(of: first.id),
                    try spool.summaries(for: nil, limit: 1), try spool.summaries(for: nil, limit: 0)
                )
            }
            #expect(lists.0 == [expected])
            #expect(lists.1.map(\.destination) == [bravo, alpha] && lists.1.last == expected)
            #expect(lists.2.map(\.destination) == [bravo] && lists.3.isEmpty)
            try await spool.write { try $0.release([row]) }
            let (left, ids) = try await spool.read { spool in
                (try spool.summaries(of: first.id), try spool.ids(beginning: Array(first.id.bytes.prefix(3))))
            }
            #expect(left.map(\.destination) == [bravo])
            #expect(ids == [first.id])
            #expect(try await spool.read { try $0.ids(beginning: first.id.bytes + [0]) }.isEmpty)
        }
    }

    @Test("ends custody of what another way delivered", arguments: SpoolKind.allCases)
    func release(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let custody = try await spool.write { spool in
                let row = try #require(try spool.enqueue(Fixture.item(1, to: alpha)).row)
                _ = try spool.enqueue(Fixture.item(1, to: bravo))
                try spool.release([row, row, 4_711])
                return try spool.custody(of: Fixture.id(1))
            }
            #expect(
                custody == [
                    Custody(destination: alpha, state: .forwarded), Custody(destination: bravo, state: .waiting),
                ])
            let left = try await spool.read { try $0.items(for: nil, limit: 9).map(\.destination) }
            #expect(left == [bravo])
        }
    }

    @Test("undoes all of a part that throws", arguments: SpoolKind.allCases)
    func undo(_ kind: SpoolKind) async throws {
        struct Stop: Error {}
        let alpha = try Fixture.alpha
        try await kind.with(.test) { spool in
            let row = try await spool.write { try $0.enqueue(Fixture.item(1, to: alpha, owner: try Fixture.owner)).row }
            await #expect(throws: Stop.self) {
                try await spool.write { spool in
                    _ = try spool.enqueue(Fixture.item(2, to: alpha, size: 50_000))
                    _ = try spool.frame([try #require(row)], to: alpha)
                    _ = try spool.commitInbound(
                        FrameNumber(incarnation: 1, number: 1), from: alpha, digest: Fixture.id(1).bytes)
                    _ = try spool.expire(elapsed: 1 << 40)
                    throw Stop()
                }
            }
            let after = try await spool.write { spool in
                (
                    try spool.items(for: nil, limit: 9), try spool.unacknowledged(to: alpha),
                    try spool.inbound(from: alpha), try spool.enqueue(Fixture.item(2, to: alpha, size: 50_000))
                )
            }
            #expect(after.0.map(\.id) == [Fixture.id(1)])
            #expect(after.0.map(\.age) == [0])
            #expect(after.0.map(\.state) == [.waiting])
            #expect(after.1.isEmpty)
            #expect(after.2.isEmpty)
            #expect(after.3 != .duplicate)
        }
    }
}
