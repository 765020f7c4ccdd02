import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

/// A spool whose store is under a key (G-11, GW-03).
@Suite("A sealed spool")
struct SealedSpoolTests {
    private static func open(_ directory: TemporaryDirectory, _ key: StoreKey?) throws -> SQLiteSpool {
        try SQLiteSpool(directory: directory.path, key: key, configuration: .test)
    }

    /// Ids in custody, in order of arrival, after everything was checked.
    private static func survivors(_ directory: TemporaryDirectory, _ key: StoreKey?) async throws -> [ItemID] {
        let spool = try open(directory, key)
        let found = try await spool.verify()
        #expect(found.problems == [])
        let items = try await spool.read { try $0.items(for: nil, limit: 10_000) }
        for item in items { #expect(item.body.count > 0) }
        try await spool.close()
        return items.map(\.id)
    }

    private static func put(_ numbers: Range<Int>, size: Int = 900, into spool: SQLiteSpool) async throws {
        let alpha = try Fixture.alpha
        try await spool.write { spool in
            for number in numbers { _ = try spool.enqueue(Fixture.item(number, to: alpha, size: size)) }
        }
    }

    private static func code(_ body: () throws -> some Any) -> SpoolError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? SpoolError)?.code
        }
    }

    @Test("keeps bodies, names and tables in no file in clear, open or closed")
    func nothingReadable() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        let spool = try Self.open(directory, key)
        try await Self.put(0..<20, into: spool)
        try await Self.put(20..<22, size: 50_000, into: spool)
        let secrets =
            [0, 20].map { Fixture.body($0, size: 100) } + [Array("alphaaa1".utf8), Array("spool_item".utf8)]
            + [Array("SQLite format".utf8), BlobStore.digest(of: Fixture.body(20, size: 50_000))]
        func search(_ moment: String) throws {
            for name in try directory.names {
                let bytes = try directory.read(name)
                for secret in secrets { #expect(!bytes.contains(secret), "\(name), \(moment)") }
            }
            let digest = Hex.encode(BlobStore.digest(of: Fixture.body(20, size: 50_000)))
            #expect(try !directory.blobNames.contains(digest))
        }
        try search("open")
        #expect(try directory.openToOthers == [])
        // The index of the log is in memory, and with it the sums over pages.
        #expect(
            try Set(directory.names.filter { !$0.hasPrefix("blobs") }) == ["spool.sqlite", "spool.sqlite-wal", "lock"])
        try await spool.close()
        try search("closed")
        #expect(try await Self.survivors(directory, key).count == 22)
    }

    @Test("is refused without its key, with another one, and where it is not sealed at all; never made plain")
    func refusals() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        try await Self.open(directory, key).close()
        #expect(try StoreForm.ofStore(in: directory.path) == .sealed)
        #expect(Self.code { try Self.open(directory, nil) } == .sealed)
        #expect(Self.code { try Self.open(directory, Sealed.key(8)) } == .sealed)
        #expect(try await Self.survivors(directory, key) == [])
        let other = try TemporaryDirectory()
        defer { other.remove() }
        #expect(try StoreForm.ofStore(in: other.path) == .absent)
        try await Self.open(other, nil).close()
        #expect(Self.code { try Self.open(other, key) } == .plain)
        #expect(try StoreForm.ofStore(in: other.path) == .plain)
    }

    @Test("keeps everything acknowledged and nothing half-done, at random moments (GW-03)", arguments: [1, 2, 3])
    func randomMoments(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        let alpha = try Fixture.alpha
        let spool = try Self.open(directory, key)
        var acknowledged: [ItemID] = []
        for round in 0..<15 {
            let numbers = (0..<Int.random(in: 1...6, using: &generator)).map { round * 10 + $0 }
            let crash = Bool.random(using: &generator) ? numbers.randomElement(using: &generator) : nil
            let size = [10, 2_000, 40_000].randomElement(using: &generator) ?? 10
            let copy = try await spool.write { spool -> TemporaryDirectory? in
                var copy: TemporaryDirectory?
                for number in numbers {
                    _ = try spool.enqueue(Fixture.item(number, to: alpha, size: size))
                    if number == crash { copy = try directory.snapshot() }
                }
                return copy
            }
            if let copy {
                defer { copy.remove() }
                #expect(try await Self.survivors(copy, key) == acknowledged)
            }
            acknowledged += numbers.map(Fixture.id)
            if round % 4 == 3 { try await spool.truncateLog() }
        }
        try await spool.close()
        #expect(try await Self.survivors(directory, key) == acknowledged)
    }

    /// Two items in each of twelve transactions, all in the log.
    private func logged(
        _ directory: TemporaryDirectory, _ key: StoreKey, _ body: ([Int]) async throws -> Void
    ) async throws {
        let spool = try Self.open(directory, key)
        try await spool.truncateLog()
        var sizes: [Int] = []
        for number in 0..<12 {
            try await Self.put(2 * number..<2 * number + 2, into: spool)
            sizes.append(try directory.read("spool.sqlite-wal").count)
        }
        try await body(sizes)
        try await spool.close()
    }

    @Test("keeps a whole number of transactions when the log is torn anywhere", arguments: [5, 6])
    func tornLog(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        try await logged(directory, key) { sizes in
            let end = try #require(sizes.last)
            for cut in sizes + sizes.map({ $0 - 1 }) + (0..<12).map({ _ in Int.random(in: 0..<end, using: &generator) })
            {
                let copy = try directory.snapshot()
                defer { copy.remove() }
                try copy.write(Array(try directory.read("spool.sqlite-wal").prefix(cut)), to: "spool.sqlite-wal")
                let whole = sizes.filter { $0 <= cut }.count
                #expect(try await Self.survivors(copy, key) == (0..<2 * whole).map(Fixture.id), "cut at \(cut)")
            }
        }
    }

    @Test("takes the log up to a changed byte and nothing from there, as if it were torn there", arguments: [7, 8])
    func changedLog(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        try await logged(directory, key) { sizes in
            let log = try directory.read("spool.sqlite-wal")
            for _ in 0..<30 {
                let place = Int.random(in: 0..<log.count, using: &generator)
                let copy = try directory.snapshot()
                defer { copy.remove() }
                var changed = log
                changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                try copy.write(changed, to: "spool.sqlite-wal")
                let whole = place < 32 ? 0 : sizes.filter { $0 <= place }.count
                #expect(try await Self.survivors(copy, key) == (0..<2 * whole).map(Fixture.id), "byte \(place)")
            }
        }
    }

    @Test("reads no page of the log that was changed while it is open")
    func changedWhileOpen() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        let spool = try Self.open(directory, key)
        try await spool.truncateLog()
        try await Self.put(0..<4, into: spool)
        var log = try directory.read("spool.sqlite-wal")
        // In each page of the log, behind its sealed head.
        for frame in 0..<(log.count - 32) / 4_200 { log[32 + frame * 4_200 + 100] ^= 1 }
        let descriptor = try SystemFile.open(directory.path + "/spool.sqlite-wal", O_WRONLY)
        try SystemFile.write(log, to: descriptor)
        Glibc.close(descriptor)
        // Another connection, which has no page in memory yet.
        let error = await #expect(throws: SpoolError.self) {
            try await spool.read { try $0.items(for: nil, limit: 10).count }
        }
        #expect(error?.code == .corrupt)
        try? await spool.close()
    }
}
