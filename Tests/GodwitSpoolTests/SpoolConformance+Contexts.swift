import GodwitProtocol
import GodwitSpool
import Testing

extension SpoolConformance {
    @Test(
        "keeps contexts of the 512 newest numbers to a peer, until the incarnation changes",
        arguments: SpoolKind.allCases)
    func contextsOut(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            try await spool.write { spool in
                _ = try spool.nextFrame(to: alpha)
                for number in UInt64(1)...513 { try spool.keepContexts([UInt8(number & 255)], of: number, to: alpha) }
                try spool.keepContexts([7], of: 1, to: bravo)
            }
            let kept = try await spool.read { try $0.contexts(to: alpha, from: 1) }
            #expect(kept.map(\.number) == Array(2...513))
            #expect(kept.last.map { $0.bytes } == [1])
            #expect(try await spool.read { try $0.contexts(to: alpha, from: 512) }.map(\.number) == [512, 513])
            let next = try await spool.write { try $0.nextFrame(to: alpha) }
            try await spool.write { try $0.renewIncarnation(to: alpha, incarnation: next.incarnation ^ 1) }
            #expect(try await spool.read { try $0.contexts(to: alpha, from: 1) }.isEmpty)
            #expect(try await spool.read { try $0.contexts(to: bravo, from: 1) }.map(\.number) == [1])
        }
    }

    @Test("keeps contexts of frames from a peer by incarnation, as long as that is kept", arguments: SpoolKind.allCases)
    func contextsIn(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            @Sendable func number(_ incarnation: UInt32, _ number: UInt64) -> FrameNumber {
                FrameNumber(incarnation: incarnation, number: number)
            }
            try await spool.write { spool in
                // Of an incarnation that is not heard of nothing is kept.
                try spool.keepContexts([9], of: number(1, 1), from: alpha)
                _ = try spool.commitInbound(number(1, 1), from: alpha, digest: Fixture.id(1).bytes)
                _ = try spool.commitInbound(number(2, 1), from: alpha, digest: Fixture.id(2).bytes)
                for one in UInt64(1)...513 { try spool.keepContexts([1], of: number(1, one), from: alpha) }
                try spool.keepContexts([2], of: number(2, 1), from: alpha)
                // One that comes late and lies too far back.
                try spool.keepContexts([3], of: number(1, 1), from: alpha)
            }
            let first = try await spool.read {
                try $0.contexts(from: alpha, incarnation: 1, numbers: [1, 2, 513, 600])
            }
            #expect(first == [2: [1], 513: [1]])
            #expect(try await spool.read { try $0.contexts(from: alpha, incarnation: 2, numbers: [1]) } == [1: [2]])
            try await spool.write { spool in
                for incarnation in UInt32(3)...6 {
                    _ = try spool.commitInbound(number(incarnation, 1), from: alpha, digest: Fixture.id(1).bytes)
                }
            }
            #expect(try await spool.read { try $0.contexts(from: alpha, incarnation: 1, numbers: [2]) }.isEmpty)
        }
    }
}
