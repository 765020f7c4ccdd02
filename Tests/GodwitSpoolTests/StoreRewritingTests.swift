import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

/// A store that is put under a key and taken out again (G-11, GW-03).
@Suite("Rewriting a store")
struct StoreRewritingTests {
    private struct Cut: Error {}

    /// A spool with small and large bodies.
    private func fill(_ directory: TemporaryDirectory, _ key: StoreKey? = nil) async throws {
        let spool = try SQLiteSpool(directory: directory.path, key: key, configuration: .test)
        let alpha = try Fixture.alpha
        try await spool.write { spool in
            for number in 0..<20 {
                _ = try spool.enqueue(Fixture.item(number, to: alpha, size: number < 3 ? 50_000 : 700))
            }
        }
        try await spool.close()
    }

    private func items(_ directory: TemporaryDirectory, _ key: StoreKey?) async throws -> [[UInt8]] {
        let spool = try SQLiteSpool(directory: directory.path, key: key, configuration: .test)
        #expect(try await spool.verify().problems == [])
        let bodies = try await spool.read { try $0.items(for: nil, limit: 100).map(\.body) }
        try await spool.close()
        return bodies
    }

    @Test("keeps everything, under a key, under another and under none, and leaves nothing of the form before")
    func there() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try await fill(directory)
        let before = try await items(directory, nil)
        let (one, two) = (try Sealed.key(), try Sealed.key(8))
        let plainNames = try directory.blobNames
        try SQLiteSpool.rewrite(directory: directory.path, from: nil, to: one)
        #expect(try directory.names.filter { !$0.hasPrefix("blobs") }.sorted() == ["lock", "spool.sqlite"])
        #expect(try directory.blobNames.count == 3 && Set(directory.blobNames).isDisjoint(with: plainNames))
        for name in try directory.names {
            let bytes = try directory.read(name)
            for number in [0, 5] { #expect(!bytes.contains(Fixture.body(number, size: 60)), "\(name)") }
            #expect(!bytes.contains("spool_item"), "\(name)")
        }
        #expect(try await items(directory, one) == before)
        try SQLiteSpool.rewrite(directory: directory.path, from: one, to: two)
        #expect(throws: SpoolError.self) {
            try SQLiteSpool(directory: directory.path, key: one, configuration: .test)
        }
        #expect(try await items(directory, two) == before)
        try SQLiteSpool.rewrite(directory: directory.path, from: two, to: nil)
        #expect(try directory.blobNames == plainNames)
        #expect(try directory.openToOthers == [])
        #expect(try await items(directory, nil) == before)
        // The room for seals that is left in its pages is in nobody's way.
        try SQLiteSpool.rewrite(directory: directory.path, from: nil, to: one)
        #expect(try await items(directory, one) == before)
    }

    @Test("cut off before the rename it leaves the old store, and the rest is gone after the next opening")
    func cutOff() async throws {
        for isLocking in [true, false] {
            let directory = try TemporaryDirectory()
            defer { directory.remove() }
            let key = try Sealed.key()
            let (old, new) = isLocking ? (nil, key) : (key, nil)
            try await fill(directory, old)
            let before = try await items(directory, old)
            var copy: TemporaryDirectory?
            try SQLiteSpool.rewrite(directory: directory.path, from: old, to: new) { copy = try directory.snapshot() }
            let cut = try #require(copy)
            defer { cut.remove() }
            #expect(try cut.names.contains("spool.sqlite.new") && cut.blobNames.count == 6)
            #expect(try await items(cut, old) == before)
            #expect(try !cut.names.contains("spool.sqlite.new") && cut.blobNames.count == 3)
            #expect(try await items(directory, new) == before)
        }
    }

    @Test("failing before the rename it leaves the store as it was")
    func failing() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try await fill(directory)
        let before = try await items(directory, nil)
        #expect(throws: Cut.self) {
            try SQLiteSpool.rewrite(directory: directory.path, from: nil, to: Sealed.key()) { throw Cut() }
        }
        #expect(try !directory.names.contains("spool.sqlite.new"))
        #expect(try await items(directory, nil) == before)
    }

    @Test("is refused while the store is open, without its key, and where there is none")
    func refusals() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let key = try Sealed.key()
        func code(_ old: StoreKey?, _ new: StoreKey?) -> SpoolError.Code? {
            do {
                try SQLiteSpool.rewrite(directory: directory.path, from: old, to: new)
                return nil
            } catch {
                return (error as? SpoolError)?.code
            }
        }
        #expect(code(nil, key) == .unusable)
        let spool = try SQLiteSpool(directory: directory.path, key: key, configuration: .test)
        #expect(code(key, nil) == .locked)
        try await spool.close()
        #expect(code(nil, key) == .sealed)
        #expect(try code(Sealed.key(8), nil) == .sealed)
        #expect(code(key, nil) == nil)
        #expect(code(key, nil) == .plain)
    }

    @Test("takes along what is in the log of a spool that was killed")
    func afterCrash() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let alpha = try Fixture.alpha
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        try await spool.write { _ = try $0.enqueue(Fixture.item(1, to: alpha)) }
        let killed = try directory.snapshot()
        defer { killed.remove() }
        try await spool.close()
        #expect(try killed.read("spool.sqlite-wal").count > 0)
        let key = try Sealed.key()
        try SQLiteSpool.rewrite(directory: killed.path, from: nil, to: key)
        #expect(try !killed.names.contains("spool.sqlite-wal"))
        #expect(try await items(killed, key) == [Fixture.body(1, size: 100)])
    }
}
