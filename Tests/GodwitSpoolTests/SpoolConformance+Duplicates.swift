import GodwitProtocol
import GodwitSpool
import Testing

extension SpoolConformance {
    @Test("takes an id once a destination, also after hand-over", arguments: SpoolKind.allCases)
    func duplicates(_ kind: SpoolKind) async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await kind.with { spool in
            let outcomes = try await spool.write { spool in
                let first = try spool.enqueue(Fixture.item(1, to: alpha))
                let again = try spool.enqueue(Fixture.item(1, to: alpha))
                let other = try spool.enqueue(Fixture.item(1, to: bravo))
                try spool.release([try #require(first.row)])
                return [again, try spool.enqueue(Fixture.item(1, to: alpha)), other]
            }
            #expect(outcomes[0] == .duplicate)
            #expect(outcomes[1] == .duplicate)
            #expect(outcomes[2] != .duplicate)
        }
    }

    @Test("knows an id for the whole detection time and forgets it a quarter later", arguments: SpoolKind.allCases)
    func forgetting(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.duplicateDetection = 4_000
        let alpha = try Fixture.alpha
        try await kind.with(configuration) { spool in
            try await spool.write { spool in
                // Late in an era, so that the remaining eras are as short as they get.
                _ = try spool.expire(elapsed: 999)
                try spool.release([try #require(try spool.enqueue(Fixture.item(1, to: alpha)).row)])
            }
            let within = try await spool.write { spool in
                _ = try spool.expire(elapsed: 4_000)
                return try spool.enqueue(Fixture.item(1, to: alpha))
            }
            #expect(within == .duplicate)
            let after = try await spool.write { spool in
                _ = try spool.expire(elapsed: 1)
                return (try spool.custody(of: Fixture.id(1)), try spool.enqueue(Fixture.item(1, to: alpha)))
            }
            #expect(after.0.isEmpty)
            #expect(after.1 != .duplicate)
        }
    }

    @Test("knows what is in custody for as long as it is", arguments: SpoolKind.allCases)
    func longCustody(_ kind: SpoolKind) async throws {
        var configuration = SpoolConfiguration.test
        configuration.duplicateDetection = 10
        let alpha = try Fixture.alpha
        try await kind.with(configuration) { spool in
            let result = try await spool.write { spool in
                let row = try #require(try spool.enqueue(Fixture.item(1, to: alpha, lifetime: 1_000_000)).row)
                for _ in 0..<20 { _ = try spool.expire(elapsed: 1_000) }
                let kept = try spool.enqueue(Fixture.item(1, to: alpha))
                let custody = try spool.custody(of: Fixture.id(1))
                try spool.release([row])
                return (kept, custody, try spool.enqueue(Fixture.item(1, to: alpha)))
            }
            #expect(result.0 == .duplicate)
            #expect(result.1 == [Custody(destination: alpha, state: .waiting)])
            #expect(result.2 != .duplicate)
        }
    }
}
