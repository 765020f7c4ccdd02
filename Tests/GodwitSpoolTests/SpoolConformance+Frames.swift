import GodwitProtocol
import GodwitSpool
import Testing

extension SpoolConformance {
    @Test("numbers frames from 1 within an incarnation that it draws once (D-8)", arguments: SpoolKind.allCases)
    func frameNumbers(_ kind: SpoolKind) async throws {
        let configuration = SpoolConfiguration(disk: { _ in nil }, drawIncarnation: { 0xFFFF_FFFF })
        let alpha = try Fixture.alpha
        try await kind.with(configuration) { spool in
            let numbers = try await spool.write { spool in
                let before = try spool.nextFrame(to: alpha)
                let first = try spool.frame([], to: alpha)
                let second = try spool.frame([], to: alpha)
                return [before, first.number, second.number, try spool.nextFrame(to: alpha)]
            }
            #expect(numbers.map(\.number) == [1, 1, 2, 3])
            #expect(Set(numbers.map(\.incarnation)) == [0xFFFF_FFFF])
        }
    }

    @Test("refuses a frame under any other number", arguments: SpoolKind.allCases)
    func wrongNumber(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let due = try await spool.write { spool in
                _ = try spool.frame([], to: alpha)
                return try spool.nextFrame(to: alpha)
            }
            let wrong = [
                FrameNumber(incarnation: due.incarnation, number: 1),
                FrameNumber(incarnation: due.incarnation, number: 3),
                FrameNumber(incarnation: due.incarnation ^ 1, number: 2),
            ]
            for number in wrong {
                let error = await #expect(throws: SpoolError.self) {
                    try await spool.write { spool in
                        try spool.record(OutboundFrame(peer: alpha, number: number, bytes: [], items: []))
                    }
                }
                #expect(error?.code == .frameNumber)
            }
        }
    }

    @Test("frames an item once", arguments: SpoolKind.allCases)
    func framedOnce(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let row = try await spool.write { spool in
                let row = try #require(try spool.enqueue(Fixture.item(1, to: alpha)).row)
                _ = try spool.frame([row], to: alpha)
                return row
            }
            for rows in [[row], [4_711]] {
                let error = await #expect(throws: SpoolError.self) {
                    try await spool.write { spool in _ = try spool.frame(rows, to: alpha) }
                }
                #expect(error?.code == .notWaiting)
            }
            #expect(try await spool.read { try $0.unacknowledged(to: alpha).count } == 1)
        }
    }

    @Test("keeps a frame's bytes and items until it is acknowledged, once", arguments: SpoolKind.allCases)
    func acknowledgement(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let frames = try await spool.write { spool in
                try (0..<5).map { index in
                    let rows = try [2 * index + 1, 2 * index].map {
                        try #require(try spool.enqueue(Fixture.item($0, to: alpha, size: $0 == 4 ? 40_000 : 9)).row)
                    }
                    return try spool.frame(rows, to: alpha, bytes: [UInt8(index)])
                }
            }
            #expect(try await spool.read { try $0.unacknowledged(to: alpha) } == frames)
            #expect(
                try await spool.read { try $0.waiting(for: alpha, class: .channelText, count: 9, bytes: .zero) }.isEmpty
            )

            let incarnation = try #require(frames.first).number.incarnation
            let results = try await spool.write { spool in
                [
                    try spool.acknowledge(from: bravo, incarnation: incarnation, numbers: [1...5]),
                    try spool.acknowledge(from: alpha, incarnation: incarnation ^ 1, numbers: [1...5]),
                    try spool.acknowledge(
                        from: alpha, incarnation: incarnation, numbers: [0...1, 3...4, 7...UInt64.max]),
                    try spool.acknowledge(from: alpha, incarnation: incarnation, numbers: [1...4]),
                    try spool.acknowledge(from: alpha, incarnation: incarnation, numbers: [1...4]),
                ]
            }
            #expect(
                results.map { $0.map(\.id) } == [
                    [], [], [1, 0, 5, 4, 7, 6].map(Fixture.id), [3, 2].map(Fixture.id), [],
                ])
            #expect(results[2].allSatisfy { $0.state == .forwarded })
            #expect(results[2][3].body == Fixture.body(4, size: 40_000))
            #expect(try await spool.read { try $0.unacknowledged(to: alpha) } == [frames[4]])
            #expect(try await spool.read { try $0.items(for: alpha, limit: 99).map(\.state) } == [.framed, .framed])
        }
    }

    @Test("lets items wait again when the incarnation is renewed", arguments: SpoolKind.allCases)
    func renewal(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let old = try await spool.write { spool in
                let rows = try (0..<3).map { try #require(try spool.enqueue(Fixture.item($0, to: alpha)).row) }
                let other = try #require(try spool.enqueue(Fixture.item(9, to: bravo)).row)
                _ = try spool.frame([other], to: bravo)
                _ = try spool.frame([rows[0]], to: alpha)
                return try spool.frame([rows[1]], to: alpha).number
            }
            for wrong in [old.incarnation, 0] {
                let error = await #expect(throws: SpoolError.self) {
                    try await spool.write { try $0.renewIncarnation(to: alpha, incarnation: wrong) }
                }
                #expect(error?.code == .incarnation)
            }
            let new = old.incarnation == 1 ? 2 : old.incarnation - 1
            let after = try await spool.write { spool in
                try spool.renewIncarnation(to: alpha, incarnation: new)
                return (
                    try spool.nextFrame(to: alpha), try spool.unacknowledged(to: alpha),
                    try spool.waiting(for: alpha, class: .channelText, count: 9, bytes: ByteCount(1 << 20)).map(\.id),
                    try spool.unacknowledged(to: bravo).count,
                    try spool.acknowledge(from: alpha, incarnation: old.incarnation, numbers: [1...2])
                )
            }
            #expect(after.0 == FrameNumber(incarnation: new, number: 1))
            #expect(after.1.isEmpty)
            #expect(after.2 == [0, 1, 2].map(Fixture.id))
            #expect(after.3 == 1)
            #expect(after.4.isEmpty)
        }
    }
}
