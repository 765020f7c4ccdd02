import GRDB
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitSpool

@Suite("Large bodies of the SQLite spool")
struct SQLiteBlobTests {
    private func with<Value>(_ body: (SQLiteSpool, TemporaryDirectory) async throws -> Value) async throws -> Value {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let spool = try SQLiteSpool(directory: directory.path, configuration: .test)
        let value = try await body(spool, directory)
        try await spool.close()
        return value
    }

    private func name(_ number: Int, size: Int) -> String {
        Hex.encode(BlobStore.digest(of: Fixture.body(number, size: size)))
    }

    @Test("stand in files from 32 KiB + 1 on, named by their hash")
    func threshold() async throws {
        let alpha = try Fixture.alpha
        try await with { spool, directory in
            try await spool.write { spool in
                _ = try spool.enqueue(Fixture.item(1, to: alpha, size: 32_768))
                _ = try spool.enqueue(Fixture.item(2, to: alpha, size: 32_769))
            }
            #expect(try directory.blobNames == [name(2, size: 32_769)])
            #expect(try directory.read("blobs/" + name(2, size: 32_769)) == Fixture.body(2, size: 32_769))
            let found = try await spool.verify()
            #expect(found.problems == [])
            #expect([found.items, found.bodies, found.files, found.bytes.bytes] == [2, 2, 1, 65_537])
        }
    }

    @Test("are shared by destinations and go with the last of them")
    func sharing() async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await with { spool, directory in
            let rows = try await spool.write { spool in
                try [alpha, bravo].map { try #require(try spool.enqueue(Fixture.item(1, to: $0, size: 50_000)).row) }
            }
            #expect(try directory.blobNames.count == 1)
            try await spool.write { try $0.release([rows[0]]) }
            #expect(try directory.blobNames.count == 1)
            try await spool.write { try $0.release([rows[1]]) }
            #expect(try directory.blobNames.isEmpty)
        }
    }

    @Test("stay when a transaction drops and takes them again")
    func droppedAndTaken() async throws {
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await with { spool, directory in
            let row = try await spool.write {
                try #require(try $0.enqueue(Fixture.item(1, to: alpha, size: 50_000)).row)
            }
            try await spool.write { spool in
                try spool.release([row])
                _ = try spool.enqueue(Fixture.item(1, to: bravo, size: 50_000))
            }
            #expect(try directory.blobNames == [name(1, size: 50_000)])
            #expect(try await spool.verify().isSound)
        }
    }

    @Test("stay when the part that dropped them, or shared them, is undone")
    func undone() async throws {
        struct Stop: Error {}
        let (alpha, bravo) = (try Fixture.alpha, try Fixture.bravo)
        try await with { spool, directory in
            let row = try await spool.write {
                try #require(try $0.enqueue(Fixture.item(1, to: alpha, size: 50_000)).row)
            }
            await #expect(throws: Stop.self) {
                try await spool.write { spool in
                    try spool.release([row])
                    _ = try spool.enqueue(Fixture.item(1, to: bravo, size: 50_000))
                    throw Stop()
                }
            }
            #expect(try directory.blobNames == [name(1, size: 50_000)])
            #expect(try await spool.verify().isSound)
        }
    }

    @Test("outlive every reader that may still see them")
    func readers() {
        let janitor = BlobJanitor()
        let digest = Fixture.id(1).bytes
        let early = janitor.readerCame()
        janitor.note([digest])
        let late = janitor.readerCame()
        #expect(janitor.due().isEmpty)
        janitor.readerLeft(early)
        #expect(janitor.due() == [digest])
        #expect(janitor.due().isEmpty)
        janitor.readerLeft(late)
    }

    @Test("a body that came and went while a reader was there stays for those who came in between")
    func laterReaders() throws {
        let janitor = BlobJanitor()
        let digest = [UInt8](repeating: 1, count: 32)
        let first = janitor.readerCame()
        janitor.note([digest])
        let between = janitor.readerCame()
        janitor.note([digest])
        janitor.readerLeft(first)
        #expect(janitor.due().isEmpty, "the reader in between may see the row that the second note is about")
        janitor.readerLeft(between)
        #expect(janitor.due() == [digest])
    }

    @Test("are swept at opening when no row names them")
    func sweep() async throws {
        let alpha = try Fixture.alpha
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let before = try SQLiteSpool(directory: directory.path, configuration: .test)
        _ = try await before.write { try $0.enqueue(Fixture.item(1, to: alpha, size: 50_000)) }
        for stranger in [
            name(2, size: 40_000), "tmp-" + name(1, size: 50_000), "note.txt", name(1, size: 50_000).uppercased(),
        ] {
            try directory.write([1], to: "blobs/" + stranger)
        }
        #expect(try await before.verify().problems.count == 4)
        try await before.close()
        let after = try SQLiteSpool(directory: directory.path, configuration: .test)
        #expect(try directory.blobNames == [name(1, size: 50_000)])
        #expect(try await after.verify().isSound)
        try await after.close()
    }

    @Test("are found out by verify when altered or missing", arguments: [true, false])
    func damage(missing: Bool) async throws {
        let alpha = try Fixture.alpha
        try await with { spool, directory in
            _ = try await spool.write { try $0.enqueue(Fixture.item(1, to: alpha, size: 50_000)) }
            let path = "blobs/" + name(1, size: 50_000)
            if missing {
                unlink(directory.path + "/" + path)
            } else {
                var bytes = try directory.read(path)
                bytes[49_999] ^= 1
                try directory.write(bytes, to: path)
            }
            #expect(try await spool.verify().problems.count == 1)
            let error = await #expect(throws: SpoolError.self) {
                try await spool.read { _ = try $0.items(for: alpha, limit: 1) }
            }
            #expect(error?.code == .corrupt)
        }
    }

    @Test("lead to 3003 when their disk is full")
    func fullDisk() async throws {
        let error = SpoolFailure.translate(SystemFailure(step: "write", number: ENOSPC)) as? ProtocolError
        #expect(error?.code == .bandwidthExceeded)
        let other = SpoolFailure.translate(SystemFailure(step: "write", number: EIO)) as? ProtocolError
        #expect(other?.code == .internalError)
        // /dev/full answers every write with ENOSPC.
        let failure = #expect(throws: SystemFailure.self) {
            let descriptor = try SystemFile.open("/dev/full", O_WRONLY)
            defer { close(descriptor) }
            try SystemFile.write([1], to: descriptor)
        }
        #expect(failure?.number == ENOSPC)
    }
}
