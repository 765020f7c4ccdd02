import GodwitProtocol
import GodwitSpool
import Testing

extension SpoolConformance {
    private static func frame(_ incarnation: UInt32, _ number: UInt64) -> FrameNumber {
        FrameNumber(incarnation: incarnation, number: number)
    }

    @Test("commits a frame of a peer once and notices another under its number (D-8)", arguments: SpoolKind.allCases)
    func inboundOnce(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        let (one, two) = (Fixture.id(1).bytes, Fixture.id(2).bytes)
        try await kind.with { spool in
            let outcomes = try await spool.write { spool in
                [
                    try spool.commitInbound(Self.frame(7, 1), from: alpha, digest: one),
                    try spool.commitInbound(Self.frame(7, 1), from: alpha, digest: one),
                    try spool.commitInbound(Self.frame(7, 1), from: alpha, digest: two),
                    try spool.commitInbound(Self.frame(8, 1), from: alpha, digest: two),
                    try spool.commitInbound(Self.frame(7, 1), from: bravo, digest: two),
                ]
            }
            #expect(outcomes == [.fresh, .repeated, .conflict, .fresh, .fresh])
            let state = try await spool.read { try $0.inbound(from: alpha) }
            #expect(
                state == [
                    InboundState(incarnation: 7, ranges: [1...1], floor: 1, digests: [one]),
                    InboundState(incarnation: 8, ranges: [1...1], floor: 1, digests: [two]),
                ])
        }
    }

    @Test("keeps committed numbers as ranges from the floor up", arguments: SpoolKind.allCases)
    func inboundRanges(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let states = try await spool.write { spool in
                for number in [9, 2, 3, 1, 7, 5, 8] as [UInt64] {
                    _ = try spool.commitInbound(
                        Self.frame(7, number), from: alpha, digest: Fixture.id(Int(number)).bytes)
                }
                let before = try spool.inbound(from: alpha)
                try spool.settleInbound(below: 3, incarnation: 7, from: alpha)
                try spool.settleInbound(below: 2, incarnation: 7, from: alpha)
                return before + (try spool.inbound(from: alpha))
            }
            #expect(states[0].ranges == [1...3, 5...5, 7...9])
            #expect(states[0].digests == [1, 2, 3, 5, 7, 8, 9].map { Fixture.id($0).bytes })
            #expect(states[1].ranges == [3...3, 5...5, 7...9])
            #expect(states[1].digests == [3, 5, 7, 8, 9].map { Fixture.id($0).bytes })
            #expect(states[1].floor == 3)
            let below = try await spool.write {
                try $0.commitInbound(Self.frame(7, 2), from: alpha, digest: Fixture.id(99).bytes)
            }
            #expect(below == .repeated, "what the peer has settled is not committed again")
        }
    }

    @Test("knows the floor of an incarnation before its first frame", arguments: SpoolKind.allCases)
    func floorFirst(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let state = try await spool.write { spool in
                try spool.settleInbound(below: 50, incarnation: 7, from: alpha)
                _ = try spool.commitInbound(Self.frame(7, 57), from: alpha, digest: Fixture.id(1).bytes)
                return try spool.inbound(from: alpha)
            }
            #expect(
                state == [InboundState(incarnation: 7, ranges: [57...57], floor: 50, digests: [Fixture.id(1).bytes])])
        }
    }

    @Test("remembers four incarnations of a peer, newest last", arguments: SpoolKind.allCases)
    func incarnations(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        try await kind.with { spool in
            let kept = try await spool.write { spool in
                for incarnation in [0, 5, 3, 5, 4_294_967_295, 1] as [UInt32] {
                    let (number, digest) = (Self.frame(incarnation, 1), Fixture.id(1).bytes)
                    _ = try spool.commitInbound(number, from: alpha, digest: digest)
                }
                return try spool.inbound(from: alpha).map(\.incarnation)
            }
            #expect(kept == [5, 3, 4_294_967_295, 1])
        }
    }

    @Test("refuses numbers and digests that no sender makes", arguments: SpoolKind.allCases)
    func inboundNonsense(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        let last = UInt64(Int64.max) - 1
        let digest = Fixture.id(1).bytes
        try await kind.with { spool in
            let bad: [(UInt64, [UInt8])] = [
                (0, digest), (last + 1, digest), (.max, digest), (1, []), (1, digest + [0]),
            ]
            for (number, digest) in bad {
                let error = await #expect(throws: ProtocolError.self) {
                    try await spool.write { spool in
                        _ = try spool.commitInbound(Self.frame(7, number), from: alpha, digest: digest)
                    }
                }
                #expect(error?.code == .invalidMessageFormat)
            }
            let outcome = try await spool.write { spool in
                let outcome = try spool.commitInbound(Self.frame(7, last), from: alpha, digest: digest)
                try spool.settleInbound(below: .max, incarnation: 7, from: alpha)
                return (outcome, try spool.inbound(from: alpha).first?.ranges)
            }
            #expect(outcome.0 == .fresh)
            #expect(outcome.1 == [last...last])
        }
    }

    @Test("holds 16,384 unsettled frames of an incarnation and refuses the next", arguments: SpoolKind.allCases)
    func unsettledLimit(_ kind: SpoolKind) async throws {
        let alpha = try Fixture.alpha
        let digest = Fixture.id(1).bytes
        try await kind.with { spool in
            try await spool.write { spool in
                for number in 1...UInt64(16_384) {
                    _ = try spool.commitInbound(Self.frame(7, number), from: alpha, digest: digest)
                }
            }
            let error = await #expect(throws: ProtocolError.self) {
                try await spool.write { spool in
                    _ = try spool.commitInbound(Self.frame(7, 16_385), from: alpha, digest: digest)
                }
            }
            #expect(error?.code == .rateLimited)
            let outcome = try await spool.write { spool in
                try spool.settleInbound(below: 2, incarnation: 7, from: alpha)
                return try spool.commitInbound(Self.frame(7, 16_385), from: alpha, digest: digest)
            }
            #expect(outcome == .fresh)
        }
    }
}
