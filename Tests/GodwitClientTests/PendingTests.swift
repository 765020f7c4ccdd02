import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitClient

@Suite("Items that wait for keys (GW-09)")
struct PendingTests {
    /// Direct messages by devices that nobody has introduced.
    private func messages(
        _ numbers: Range<Int>, by name: String, _ key: SigningKey, to reader: Device, in hub: Hub, bytes: Int = 32
    ) throws -> [BatchItem] {
        let author = UserID(node: hub.id, username: try Username(name))
        return try numbers.map { number in
            let draft = MessageDraft(
                author: author, device: DeviceEntry.id(of: key.publicKey.bytes), target: .user(reader.userID),
                created: hub.time.now().adding(milliseconds: Int64(number)), sequence: 0, previous: nil, epoch: nil)
            let message = try draft.sealed(
                Message.Encryption(
                    keyID: "aaaaaaaaaaaaaaaa", nonce: [UInt8](repeating: 0, count: 12),
                    header: [UInt8](repeating: 0, count: 37)),
                ciphertext: [UInt8](repeating: 0, count: bytes), signedBy: key)
            return BatchItem(
                kind: .message, body: message.canonicalBytes, created: message.timestamp, priority: .directText)
        }
    }

    private func pending(of device: Device) async throws -> [[UInt8]] {
        try await device.store.read { transaction in
            try transaction.rows("SELECT body FROM client_pending ORDER BY pending").map { $0.blob("body") }
        }
    }

    @Test("1,024 items of an author wait for keys; with one more its oldest is dropped, with a warning, and no other's")
    func pendingOfAuthor() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let reader = try await hub.enrol("ines", in: scratch)
        let other = try messages(0..<1, by: "other", .generate(), to: reader, in: hub)
        let items = try messages(0..<1_026, by: "stranger", .generate(), to: reader, in: hub)
        try await reader.deliver(other + items.prefix(1_024))
        #expect(try await reader.status().pending == 1_025)
        #expect(try await reader.codes() == [])
        // A repeat is not kept twice.
        try await reader.deliver([items[0]])
        #expect(try await reader.status().pending == 1_025)
        try await reader.deliver(Array(items.suffix(2)))
        let kept = try await pending(of: reader) == (other + items.suffix(1_024)).map(\.body)
        #expect(kept)
        #expect(try await reader.codes() == [.overflow])
        #expect(try await reader.warnings().map(\.subject) == [hub.id.text + ".stranger"])
    }

    @Test("an author's waiting items have at most 4 MiB, all together 16 MiB; whoever takes most makes room")
    func pendingBytes() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let reader = try await hub.enrol("ines", in: scratch)
        let (most, mostPerAuthor) = (ClientTransaction.pendingMax.bytes, ClientTransaction.pendingMaxPerAuthor.bytes)
        #expect((most, mostPerAuthor) == (16 << 20, 4 << 20))
        let large = try messages(0..<90, by: "author-0", .generate(), to: reader, in: hub, bytes: 47_000)
        let size = Int64(large[0].body.count)
        let fitting = Int(mostPerAuthor / size)
        try await reader.deliver(Array(large.prefix(fitting)))
        #expect(try await reader.status().pending == fitting)
        #expect(try await reader.codes() == [])
        try await reader.deliver([large[fitting]])
        #expect(try await reader.status().pending == fitting)
        #expect(try await reader.codes() == [.overflow])
        // Four authors fill the whole; a fifth one is heard all the same.
        for name in ["author-1", "author-2", "author-3"] {
            try await reader.deliver(
                try messages(0..<fitting, by: name, .generate(), to: reader, in: hub, bytes: 47_000))
        }
        let small = try messages(0..<60, by: "fifth", .generate(), to: reader, in: hub, bytes: 4_000)
        try await reader.deliver(small)
        let load = try await reader.store.read { try $0.pendingLoad() }
        #expect(load.bytes <= most && load.bytes > most - 2 * size)
        let bodies = Set(try await pending(of: reader))
        let complete = small.allSatisfy { bodies.contains($0.body) }
        #expect(complete)
    }

    @Test("4,096 items wait in all; with one more the author with most bytes makes room")
    func pendingOfAll() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let reader = try await hub.enrol("ines", in: scratch)
        for number in 0..<4 {
            try await reader.deliver(
                try messages(
                    0..<1_024, by: "author-\(number)", .generate(), to: reader, in: hub, bytes: 32 + number * 8))
        }
        #expect(try await reader.status().pending == 4_096)
        #expect(try await reader.codes() == [])
        try await reader.deliver(try messages(0..<1, by: "fifth", .generate(), to: reader, in: hub))
        #expect(try await reader.status().pending == 4_096)
        #expect(try await reader.warnings().map(\.subject) == [hub.id.text + ".author-3"])
    }

    @Test("a device list looks only at what waited for a device in it")
    func narrowRetry() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (reader, author) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        // Of a device that the author's user does not list, and of the listed one, which says nothing that can be read.
        let unlisted = try messages(0..<3, by: "olena", .generate(), to: reader, in: hub)
        let listed = try messages(0..<1, by: "olena", author.store.context.signing, to: reader, in: hub)
        try await reader.deliver(unlisted + listed)
        #expect(try await reader.status().pending == 4)
        let seen = Mutex(0)
        try await reader.store.spool.write { transaction in
            transaction.database.add(
                function: DatabaseFunction("noted", argumentCount: 0) { _ in
                    seen.withLock { $0 += 1 }
                    return nil
                })
            try transaction.database.execute(
                sql: """
                    CREATE TEMP TRIGGER came AFTER INSERT ON client_pending BEGIN SELECT noted(); END;
                    CREATE TEMP TRIGGER changed AFTER UPDATE ON client_pending BEGIN SELECT noted(); END;
                    CREATE TEMP TRIGGER went AFTER DELETE ON client_pending BEGIN SELECT noted(); END;
                    """)
        }
        let publication = try await author.publication()
        let key = author.identityFile.publicKey
        await hub.push(
            Introduction(userID: author.userID, publicKey: key, deviceList: publication.deviceList).object,
            to: reader.party)
        try await reader.deliver(await hub.drain(reader.party))
        #expect(try await reader.status().pending == 3)
        #expect(seen.withLock { $0 } == 1, "what still cannot be opened is not looked at")
    }

    @Test("what waits for longer than messages live is dropped, with one warning an author, by uptime (D-16)")
    func pendingTime() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let reader = try await hub.enrol("ines", in: scratch)
        try await reader.deliver(try messages(0..<3, by: "stranger", .generate(), to: reader, in: hub))
        hub.time.advance(ClientTransaction.pendingTime - 1)
        try await reader.prepareContact()
        try await reader.deliver(try messages(0..<1, by: "later", .generate(), to: reader, in: hub))
        #expect(try await reader.status().pending == 4)
        hub.time.advance(1)
        try await reader.prepareContact()
        #expect(try await reader.status().pending == 1)
        #expect(try await reader.codes() == [.expired])
    }
}
