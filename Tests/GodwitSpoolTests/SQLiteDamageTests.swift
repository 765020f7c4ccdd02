import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

/// One damaged file among the large bodies: everything else goes on (G-63, D-16).
@Suite("A damaged body in the SQLite spool")
struct SQLiteDamageTests {
    private enum Damage: CaseIterable { case missing, altered, unreadable }

    /// A spool with a damaged item 1 and a sound item 2 for alpha.
    private func with(
        _ damage: Damage, lifetime: Int64 = 30 * 86_400_000,
        _ body: (SQLiteSpool, _ rows: [Int64]) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let alpha = try Fixture.alpha
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let rows = try await spool.write { spool in
            try [1, 2].map { number in
                try #require(
                    try spool.enqueue(Fixture.item(number, to: alpha, size: 50_000, lifetime: lifetime)).row)
            }
        }
        let file = directory.path + "/blobs/" + Hex.encode(BlobStore.digest(of: Fixture.body(1, size: 50_000)))
        unlink(file)
        switch damage {
        case .missing: break
        case .altered:
            let descriptor = try SystemFile.open(file, O_WRONLY | O_CREAT)
            try SystemFile.write(Fixture.body(3, size: 50_000), to: descriptor)
            close(descriptor)
        case .unreadable: mkdir(file, 0o700)
        }
        defer {
            rmdir(file)
            directory.remove()
        }
        try await body(spool, rows)
        try await spool.close()
    }

    @Test("does not hold up what waits beside it")
    func waiting() async throws {
        let alpha = try Fixture.alpha
        for damage in [Damage.missing, .altered] {
            try await with(damage) { spool, rows in
                let items = try await spool.read {
                    try $0.waiting(for: alpha, class: .channelText, count: 10, bytes: ByteCount(1 << 20))
                }
                #expect(items.map(\.row) == [rows[1]], "\(damage)")
                #expect(items.first?.body == Fixture.body(2, size: 50_000))
            }
        }
    }

    @Test("stands in the lists with its size, and is found by the beginning of its id")
    func listing() async throws {
        let alpha = try Fixture.alpha
        for damage in Damage.allCases {
            try await with(damage) { spool, _ in
                let list = try await spool.read { try $0.summaries(for: alpha, limit: 10) }
                #expect(list.map(\.id) == [Fixture.id(1), Fixture.id(2)], "\(damage)")
                #expect(list.map(\.size) == [ByteCount(50_000), ByteCount(50_000)])
                let found = try await spool.read { try $0.ids(beginning: Array(Fixture.id(1).bytes.prefix(10))) }
                #expect(found == [Fixture.id(1)])
            }
        }
    }

    @Test("expires like any other, without its bytes")
    func expiry() async throws {
        for damage in Damage.allCases {
            try await with(damage, lifetime: 1_000) { spool, rows in
                let ended = try await spool.write { try $0.expire(elapsed: 2_000) }
                #expect(ended.map(\.row) == rows, "\(damage)")
                #expect(ended.map(\.body) == [[], Fixture.body(2, size: 50_000)], "\(damage)")
                #expect(try await spool.read { try $0.destinations() } == [])
            }
        }
    }

    @Test("is released by the acknowledgement of its frame")
    func acknowledgement() async throws {
        let alpha = try Fixture.alpha
        for damage in Damage.allCases {
            try await with(damage) { spool, rows in
                let released = try await spool.write { spool in
                    let frame = try spool.frame(rows, to: alpha)
                    return try spool.acknowledge(
                        from: alpha, incarnation: frame.number.incarnation, numbers: [1...1])
                }
                #expect(released.map(\.row) == rows, "\(damage)")
                #expect(try await spool.verify().items == 0)
            }
        }
    }

    @Test("is named by the check, whatever is wrong with it, and the rest is checked as well")
    func verification() async throws {
        for damage in Damage.allCases {
            try await with(damage) { spool, _ in
                let found = try await spool.verify()
                #expect(found.problems.count == 1, "\(damage): \(found.problems)")
                #expect(found.problems.first?.hasPrefix("body ") == true, "\(damage)")
                #expect(found.bodies == 2)
            }
        }
    }
}
