import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("Group commit")
struct GroupCommitTests {
    /// Holds the writer's queue (not the pool) until so many wait in line; not again when its group begins anew.
    private static func hold(
        _ spool: SQLiteSpool, until waiting: Int, telling isHeld: Shared<Bool> = Shared(false)
    ) async throws {
        let isOver = Shared(false)
        try await spool.write { _ in
            isHeld.value = true
            while !isOver.value, spool.commits.state.waiting < waiting { usleep(1_000) }
            isOver.value = true
        }
    }

    @Test("takes 64 writers who come while it runs; those that fail undo only themselves (GW-03)")
    func oneTransaction() async throws {
        struct Stop: Error {}
        let failing: Set = [13, 40, 41]
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let failed = try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                try await Self.hold(spool, until: 64)
                return nil
            }
            for number in 0..<64 {
                group.addTask {
                    while spool.commits.state.groups == 0 { await Task.yield() }
                    do {
                        try await spool.write { spool in
                            _ = try spool.enqueue(
                                Fixture.item(number, to: alpha, size: failing.contains(number) ? 50_000 : 10))
                            if failing.contains(number) { throw Stop() }
                        }
                        return nil
                    } catch is Stop {
                        return number
                    }
                }
            }
            return try await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
        }
        #expect(Set(failed) == failing)
        #expect(spool.commits.state.groups == 1)
        let ids = try await spool.read { try $0.items(for: alpha, limit: 99).map(\.id) }
        #expect(Set(ids) == Set((0..<64).filter { !failing.contains($0) }.map(Fixture.id)))
        #expect(try directory.blobNames.isEmpty, "the failed writers' files are gone")
        try await spool.close()
    }

    @Test(
        "begins a group anew where a writer fails that has changed something, and goes on where it has not",
        arguments: [(false, 1), (true, 2)])
    func repeated(changesFirst: Bool, runs: Int) async throws {
        struct Stop: Error {}
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let (counts, isHeld) = (Shared([0, 0, 0]), Shared(false))
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Until it runs it is itself one who waits, and the others would not come in their order.
            group.addTask { try await Self.hold(spool, until: 3, telling: isHeld) }
            for number in 0..<3 {
                group.addTask {
                    while !isHeld.value || spool.commits.state.waiting < number { await Task.yield() }
                    do {
                        try await spool.write { spool in
                            counts.value[number] += 1
                            if number != 1 || changesFirst { _ = try spool.enqueue(Fixture.item(number, to: alpha)) }
                            if number == 1 { throw Stop() }
                        }
                        #expect(number != 1)
                    } catch is Stop {
                        #expect(number == 1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.value == [runs, runs, 1])
        #expect(try await spool.read { try $0.items(for: alpha, limit: 9).map(\.id) } == [0, 2].map(Fixture.id))
        #expect(try await spool.write { try $0.enqueue(Fixture.item(1, to: alpha)) } != .duplicate)
        #expect(try await spool.verify().problems == [])
        try await spool.close()
    }

    @Test("takes at most 256 writers in one transaction")
    func groupLimit() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Self.hold(spool, until: 256) }
            for number in 0..<256 {
                group.addTask {
                    while spool.commits.state.groups == 0 { await Task.yield() }
                    _ = try await spool.write { try $0.enqueue(Fixture.item(number, to: Fixture.alpha)) }
                }
            }
            try await group.waitForAll()
        }
        // The one who waited and 255 of the others; then the last.
        #expect(spool.commits.state.groups == 2)
        try await spool.close()
    }

    @Test("tells every writer of a group when its commit fails, and goes on")
    func failedCommit() async throws {
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test) { migrator in
            migrator.registerMigration("guest-1") { database in
                // Checked at the commit, so that the commit can be made to fail.
                try database.execute(
                    sql: """
                        CREATE TABLE guest (n INTEGER PRIMARY KEY,
                          other INTEGER REFERENCES guest DEFERRABLE INITIALLY DEFERRED) STRICT
                        """)
            }
        }
        let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    try await Self.hold(spool, until: 3)
                    return false
                } catch is DatabaseError {
                    return true
                }
            }
            for number in 0..<3 {
                group.addTask {
                    while spool.commits.state.groups == 0 { await Task.yield() }
                    do {
                        try await spool.write { transaction in
                            _ = try transaction.enqueue(Fixture.item(number, to: alpha, size: 40_000))
                            guard number == 1 else { return }
                            try transaction.database.execute(sql: "INSERT INTO guest VALUES (1, 2)")
                        }
                        return false
                    } catch is DatabaseError {
                        return true
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 4)
        #expect(try directory.blobNames.isEmpty)
        _ = try await spool.write { try $0.enqueue(Fixture.item(9, to: alpha)) }
        #expect(try await spool.read { try $0.items(for: nil, limit: 9).map(\.id) } == [Fixture.id(9)])
        #expect(try await spool.verify().problems == [])
        try await spool.close()
    }

    @Test("refuses writers after closing, and serves those before")
    func closing() async throws {
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        _ = try await spool.write { try $0.enqueue(Fixture.item(1, to: alpha)) }
        try await spool.close()
        let error = await #expect(throws: SpoolError.self) { try await spool.write { _ in } }
        #expect(error?.code == .closed)
    }

    @Test("sees no part of another writer's transaction in a snapshot")
    func snapshots() async throws {
        let alpha = try Fixture.alpha
        try await SpoolKind.sqlite.with { spool in
            let done = Shared(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { done.value = true }
                    for pair in 0..<25 {
                        try await spool.write { spool in
                            // Large bodies in pairs; the pair before goes: its files must outlive its readers.
                            let old = try spool.items(for: alpha, limit: 9).map(\.row)
                            for half in 0..<2 {
                                _ = try spool.enqueue(Fixture.item(2 * pair + half, to: alpha, size: 33_000))
                            }
                            try spool.release(old)
                        }
                    }
                }
                group.addTask {
                    while !done.value {
                        let items = try await spool.read { try $0.items(for: alpha, limit: 9) }
                        #expect(items.isEmpty || items.count == 2)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
