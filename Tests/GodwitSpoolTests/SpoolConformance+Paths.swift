import GodwitProtocol
import Testing

@testable import GodwitSpool

extension SpoolConformance {
    @Test("a frame belongs to a path, can be given to another, and leaves all of them", arguments: SpoolKind.allCases)
    func paths(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let numbers = try await spool.write { spool in
                try ["main", "bike", "bike", "main"].map { path in
                    let number = try spool.nextFrame(to: alpha)
                    try spool.record(
                        OutboundFrame(
                            peer: alpha, number: number, bytes: [1, UInt8(number.number)], items: [], path: path))
                    return number
                }
            }
            _ = try await spool.write { try $0.expire(elapsed: 5_000) }
            func onPath(_ path: String) async throws -> [UInt64] {
                try await spool.read { try $0.unacknowledged(to: alpha, path: path).map(\.number.number) }
            }
            #expect(try await onPath("main") == [1, 4])
            #expect(try await onPath("bike") == [2, 3])
            #expect(try await onPath("none") == [])
            let all = try await spool.read { try $0.inFlight(to: alpha) }
            #expect(all.map(\.number) == numbers && all.map(\.path) == ["main", "bike", "bike", "main"])
            #expect(all.allSatisfy { $0.age == 5_000 && $0.size == ByteCount(2) })
            #expect(
                try await spool.read {
                    try $0.unacknowledged(to: alpha, numbers: [2...3, 9...UInt64.max]).map(\.bytes)
                }
                    == [[1, 2], [1, 3]])
            try await spool.write { spool in
                try spool.move([numbers[1]], to: "main", of: bravo)
                try spool.move([FrameNumber(incarnation: numbers[1].incarnation ^ 1, number: 3)], to: "main", of: alpha)
                try spool.move([numbers[1]], to: "main", of: alpha)
            }
            #expect(try await onPath("main") == [1, 2, 4])
            #expect(try await spool.read { try $0.unacknowledged(to: alpha, path: "main")[1].bytes } == [1, 2])
            _ = try await spool.write {
                try $0.acknowledge(from: alpha, incarnation: numbers[0].incarnation, numbers: [1...4])
            }
            #expect(try await spool.read { try $0.inFlight(to: alpha).isEmpty && $0.inFlight(to: bravo).isEmpty })
        }
    }

    @Test(
        "digests of what was acknowledged stay as long as a lower number travels, and no longer",
        arguments: SpoolKind.allCases)
    func settledDigests(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let incarnation = try await spool.write { spool in
                try (1...5).map { try spool.frame([], to: alpha, bytes: [UInt8($0)]) }[0].number.incarnation
            }
            func acknowledge(_ numbers: ClosedRange<UInt64>) async throws -> [UInt64: [UInt8]] {
                try await spool.write { spool in
                    _ = try spool.acknowledge(from: alpha, incarnation: incarnation, numbers: [numbers])
                    return try spool.settledDigests(to: alpha, numbers: [0...UInt64.max])
                }
            }
            #expect(try await acknowledge(1...1).isEmpty, "nothing lower travels")
            let kept = try await acknowledge(4...4)
            #expect(kept == [4: BlobStore.digest(of: [4])])
            #expect(try await acknowledge(3...3).keys.sorted() == [3, 4])
            #expect(try await spool.read { try $0.settledDigests(to: alpha, numbers: [4...4]) } == kept)
            #expect(try await acknowledge(2...2).isEmpty, "5 travels, and all others are below it")
            #expect(try await acknowledge(5...5).isEmpty)
            let renewed = try await spool.write { spool in
                _ = try spool.frame([], to: alpha)
                _ = try spool.frame([], to: alpha)
                _ = try spool.acknowledge(from: alpha, incarnation: incarnation, numbers: [7...7])
                let before = try spool.settledDigests(to: alpha, numbers: [0...99]).count
                try spool.renewIncarnation(to: alpha, incarnation: incarnation == 1 ? 2 : incarnation - 1)
                return [before, try spool.settledDigests(to: alpha, numbers: [0...99]).count]
            }
            #expect(renewed == [1, 0])
        }
    }
}
