import GodwitProtocol
import GodwitSpool
import Testing

extension SpoolConformance {
    /// Checks which limit refuses an item; nil: it is accepted.
    private static func expect(
        _ item: NewItem, refusedBy limit: String?, of spool: AnySpool, at place: SourceLocation = #_sourceLocation
    ) async throws {
        do {
            let outcome = try await spool.write { try $0.enqueue(item) }
            #expect(outcome != .duplicate, sourceLocation: place)
            #expect(limit == nil, sourceLocation: place)
        } catch let error as ProtocolError {
            #expect(error.code == .bandwidthExceeded, sourceLocation: place)
            #expect(error.hint != nil, sourceLocation: place)
            #expect(error.details["limit"] == limit.map { .string($0) }, sourceLocation: place)
        }
    }

    @Test(
        "refuses bodies beyond its size, with a reserve for control and revocations (G-63)",
        arguments: SpoolKind.allCases)
    func spoolBytes(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.bytesMax = ByteCount(1_000)
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with(configuration) { spool in
            try await Self.expect(Fixture.item(1, to: alpha, size: 951), refusedBy: "spool_bytes", of: spool)
            try await Self.expect(Fixture.item(1, to: alpha, size: 950), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(1, to: bravo, size: 950), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(2, to: alpha, .bulk, size: 1), refusedBy: "spool_bytes", of: spool)
            try await Self.expect(
                Fixture.item(3, to: alpha, .revocation, size: 51), refusedBy: "spool_bytes", of: spool)
            try await Self.expect(Fixture.item(4, to: alpha, .revocation, size: 25), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(5, to: alpha, .control, size: 25), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(6, to: alpha, .control, size: 1), refusedBy: "spool_bytes", of: spool)
            try await spool.write { spool in try spool.release(try spool.items(for: nil, limit: 99).map(\.row)) }
            try await Self.expect(Fixture.item(7, to: alpha, size: 950), refusedBy: nil, of: spool)
        }
    }

    @Test("refuses items beyond the number for one destination", arguments: SpoolKind.allCases)
    func destinationItems(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.itemsMaxPerDestination = 20
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with(configuration) { spool in
            for number in 0..<19 { try await Self.expect(Fixture.item(number, to: alpha), refusedBy: nil, of: spool) }
            try await Self.expect(Fixture.item(19, to: alpha), refusedBy: "destination_items", of: spool)
            try await Self.expect(Fixture.item(19, to: bravo), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(20, to: alpha, .control), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(21, to: alpha, .control), refusedBy: "destination_items", of: spool)
        }
    }

    @Test("refuses bytes beyond an owner's quota, and gives them back", arguments: SpoolKind.allCases)
    func ownerBytes(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.bytesPerOwner = ByteCount(100)
        let (alpha, bravo, owner) = (try Fixture.alpha, try Fixture.bravo, try Fixture.owner)
        try await kind.with(configuration) { spool in
            try await Self.expect(
                Fixture.item(1, to: alpha, size: 101, owner: owner), refusedBy: "owner_bytes", of: spool)
            try await Self.expect(Fixture.item(1, to: alpha, size: 60, owner: owner), refusedBy: nil, of: spool)
            try await Self.expect(
                Fixture.item(2, to: alpha, size: 41, owner: owner), refusedBy: "owner_bytes", of: spool)
            try await Self.expect(
                Fixture.item(2, to: alpha, .control, size: 41, owner: owner), refusedBy: "owner_bytes", of: spool)
            try await Self.expect(Fixture.item(2, to: alpha, size: 40, owner: owner), refusedBy: nil, of: spool)
            try await Self.expect(
                Fixture.item(3, to: bravo, size: 500, owner: bravo), refusedBy: "owner_bytes", of: spool)
            try await Self.expect(Fixture.item(3, to: bravo, size: 500), refusedBy: nil, of: spool)
            _ = try await spool.write { try $0.expire(elapsed: 31 * 86_400_000) }
            try await Self.expect(Fixture.item(4, to: alpha, size: 100, owner: owner), refusedBy: nil, of: spool)
        }
    }

    @Test("takes nothing when the disk is 90 % full, control until 95 %", arguments: SpoolKind.allCases)
    func diskShare(_ kind: SpoolKind) async throws {
        let free = Shared(100)
        let configuration = SpoolConfiguration(disk: { _ in
            DiskUsage(total: ByteCount(1_000), available: ByteCount(free.value))
        })
        let alpha = try Fixture.alpha
        try await kind.with(configuration) { spool in
            try await Self.expect(Fixture.item(1, to: alpha, size: 1), refusedBy: "disk_percent", of: spool)
            try await Self.expect(Fixture.item(2, to: alpha, size: 0), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(3, to: alpha, .control, size: 50), refusedBy: nil, of: spool)
            try await Self.expect(Fixture.item(4, to: alpha, .control, size: 51), refusedBy: "disk_percent", of: spool)
            free.value = 101
            try await Self.expect(Fixture.item(5, to: alpha, size: 1), refusedBy: nil, of: spool)
        }
    }

    @Test("answers a duplicate even when it is full", arguments: SpoolKind.allCases)
    func duplicateWhenFull(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.bytesMax = ByteCount(100)
        let alpha = try Fixture.alpha
        try await kind.with(configuration) { spool in
            let outcome = try await spool.write { spool in
                _ = try spool.enqueue(Fixture.item(1, to: alpha, size: 95))
                return try spool.enqueue(Fixture.item(1, to: alpha, size: 95))
            }
            #expect(outcome == .duplicate)
        }
    }

    @Test("refuses bodies over the limit and times out of range", arguments: SpoolKind.allCases)
    func nonsense(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.bodyMax = ByteCount(1_000)
        let alpha = try Fixture.alpha
        let century: Int64 = 100 * 365 * 86_400_000
        let cases: [(NewItem, ErrorCode?)] = [
            (Fixture.item(1, to: alpha, size: 1_000), nil),
            (Fixture.item(2, to: alpha, size: 1_001), .messageTooLarge),
            (Fixture.item(3, to: alpha, lifetime: century, age: century), nil),
            (Fixture.item(4, to: alpha, lifetime: century + 1), .invalidMessageFormat),
            (Fixture.item(5, to: alpha, lifetime: 0, age: 0), nil),
            (Fixture.item(6, to: alpha, lifetime: -1), .invalidMessageFormat),
            (Fixture.item(7, to: alpha, age: -1), .invalidMessageFormat),
            (Fixture.item(8, to: alpha, age: century + 1), .invalidMessageFormat),
        ]
        try await kind.with(configuration) { spool in
            for (item, code) in cases {
                do {
                    _ = try await spool.write { try $0.enqueue(item) }
                    #expect(code == nil)
                } catch let error as ProtocolError {
                    #expect(error.code == code)
                }
            }
        }
    }
}
