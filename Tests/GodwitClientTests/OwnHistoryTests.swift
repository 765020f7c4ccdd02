import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Earlier conversations from another own device (AUTH-15)")
struct OwnHistoryTests {
    /// Layla with one device and a conversation, and a second device that came after it.
    private struct Scene {
        var families: Families
        var amina: Device
        var old: Device
        var new: Device
        var scratch: Scratch
        var all: [Device] { [amina, old, new] }

        init(texts: Int) async throws {
            families = try await Families(amina: 1, layla: 1)
            (amina, old) = (families.amina[0], families.layla[0])
            for number in 0..<texts {
                let (author, reader) = number.isMultiple(of: 2) ? (amina, old) : (old, amina)
                try await author.send(text: "text \(number)", to: .user(reader.userID))
                try await families.settle()
                families.hub.time.advance(1_000)
            }
            scratch = try Scratch()
            new = try await families.hub.enrolFurther(old, key: families.laylaKey, in: scratch)
            try await families.hub.settle(all)
        }

        func settle() async throws { try await families.hub.settle(all) }
    }

    @Test("a new device shows the whole conversation, marked as synced, read where it was read")
    func whole() async throws {
        let scene = try await Scene(texts: 6)
        try await scene.old.markRead(upTo: try #require(try await scene.old.inbox().first?.row))
        try await scene.new.requestHistory()
        try await scene.settle()
        let shown = try await scene.new.inbox().sorted { $0.timestamp < $1.timestamp }
        #expect(shown.map(\.text) == (0..<6).map { "text \($0)" })
        #expect(shown.allSatisfy { $0.isSynced })
        #expect(shown.map(\.author) == (0..<6).map { $0.isMultiple(of: 2) ? scene.amina.userID : scene.old.userID })
        #expect(shown.map(\.isRead) == [true, true, false, true, false, true])
        #expect(try await scene.new.codes() == [])
        // What comes now follows on.
        try await scene.amina.send(text: "text 6", to: .user(scene.old.userID))
        try await scene.settle()
        let last = try #require(try await scene.new.inbox().last)
        #expect(last.text == "text 6" && !last.isSynced && !last.followsGap)
    }

    @Test("as many as were asked for come, the newest, in pages with the newest first")
    func pages() async throws {
        let scene = try await Scene(texts: 2)
        for number in 0..<20 {
            let text = "long \(number) " + String(repeating: "ab\(number)", count: 800)
            try await scene.amina.send(text: text, to: .user(scene.old.userID))
            scene.families.hub.time.advance(1_000)
        }
        try await scene.families.hub.settle([scene.amina, scene.old])
        await scene.families.hub.drop(scene.new.party)
        try await scene.new.requestHistory(limit: 15)
        try await scene.families.hub.collect(from: scene.new)
        try await scene.old.deliver(await scene.families.hub.drain(scene.old.party))
        try await scene.families.hub.collect(from: scene.old)
        let pages = await scene.families.hub.drain(scene.new.party).filter { $0.kind == .message }
        #expect(pages.count > 1)
        try await scene.new.deliver([pages[0]])
        let first = try await scene.new.inbox().map(\.text)
        #expect(first.first?.hasPrefix("long 19 ") == true && first.count < 15)
        try await scene.new.deliver(Array(pages.dropFirst()) + pages)
        let numbers = try await scene.new.inbox().map { String($0.text.prefix { $0 != "a" }) }
        #expect(numbers == (5..<20).reversed().map { "long \($0) " })
    }

    @Test("only messages since a time are told of, and none that was taken back")
    func since() async throws {
        let scene = try await Scene(texts: 6)
        let start = try #require(try await scene.old.inbox().first?.timestamp)
        let deleted = try #require(try await scene.old.outbox().last?.id)
        try await scene.old.delete([deleted])
        try await scene.settle()
        try await scene.new.requestHistory(since: start.adding(milliseconds: 1_500))
        try await scene.settle()
        #expect(Set(try await scene.new.texts()) == ["text 2", "text 3", "text 4"])
    }

    @Test("the proof of an entry is checked: a message that its author's device did not sign is dropped")
    func forged() async throws {
        let scene = try await Scene(texts: 2)
        // The new device gets to know Amina's.
        try await scene.amina.send(text: "after", to: .user(scene.old.userID))
        try await scene.settle()
        let entry = try await scene.old.store.read { transaction in
            try #require(try transaction.historyEntries(SyncRequest(since: nil, limit: 10)).last)
        }
        let proof = try #require(entry.proof)
        #expect(entry.text == "text 0")
        #expect(try SyncedMessage(entry.object) == entry)
        var forged = entry
        var signature = proof.proof.signature
        signature[3] ^= 1
        forged.proof?.proof = MessageProof(of: entry.hash, signature: signature)
        let told = forged
        try await scene.new.store.write { try $0.take(SyncedPage([told])) }
        #expect(try await scene.new.texts() == ["after"])
        #expect(try await scene.new.codes() == [.badSignature])
        try await scene.new.store.write { try $0.take(SyncedPage([entry])) }
        #expect(try await scene.new.texts() == ["after", "text 0"])
    }

    @Test(
        "an entry whose hash does not follow from its proof, or that lacks a member, is refused",
        arguments: ["hash", "proof.body_hash", "proof.signature", "author", "type", "read", "conversation", "content"])
    func malformed(path: String) async throws {
        let scene = try await Scene(texts: 1)
        let entry = try await scene.old.store.read { transaction in
            try #require(try transaction.historyEntries(SyncRequest(since: nil, limit: 10)).last)
        }
        var object = entry.object
        if path == "hash" {
            object["hash"] = .string(Base64.encode([UInt8](repeating: 1, count: 32)))
        } else if path.hasPrefix("proof.") {
            let key = String(path.dropFirst(6))
            object["proof"] = .object((object["proof"]?.object ?? [:]).omitting([key]))
        } else {
            object = object.omitting([path])
        }
        let changed = object
        #expect(throws: ProtocolError.self) { _ = try SyncedMessage(changed) }
    }

    @Test("a page of 256 entries is read and one more refused; a request is for 1 to 5,000")
    func limits() throws {
        let entry: JSONObject = [
            "hash": .string(Base64.encode([UInt8](repeating: 1, count: 32))), "conversation": "@a7f3k9m2.alice",
            "author": "a7f3k9m2.alice", "device": "abcdefgh", "timestamp": "2026-03-14T00:00:00.000Z", "type": "text",
            "content": [:], "read": true,
        ]
        func page(_ count: Int) throws -> SyncedPage {
            try SyncedPage(["entries": .array([JSONValue](repeating: .object(entry), count: count))])
        }
        #expect(try page(256).entries.count == 256)
        #expect(throws: ProtocolError.self) { _ = try page(257) }
        #expect(try SyncRequest(["limit": 5_000]).limit == 5_000)
        for limit: Int64 in [0, 5_001] {
            #expect(throws: ProtocolError.self) { _ = try SyncRequest(["limit": .integer(limit)]) }
        }
    }

    @Test("a synced text gives way to the message itself when that comes")
    func replaced() async throws {
        let scene = try await Scene(texts: 2)
        try await scene.amina.send(text: "true", to: .user(scene.old.userID))
        try await scene.families.hub.settle([scene.amina, scene.old])
        let items = await scene.families.hub.drain(scene.new.party)
        let entry = try await scene.old.store.read { transaction in
            try #require(try transaction.historyEntries(SyncRequest(since: nil, limit: 1)).first)
        }
        var lie = entry
        lie.content = ["text": "a lie"]
        let told = lie
        try await scene.new.store.write { try $0.take(SyncedPage([told])) }
        #expect(try await scene.new.texts() == ["a lie"])
        try await scene.new.deliver(items)
        let shown = try await scene.new.inbox()
        #expect(shown.map(\.text) == ["true"] && shown.allSatisfy { !$0.isSynced })
    }
}

extension SyncedMessage {
    var text: String { content["text"]?.string ?? "" }
}

extension Hub {
    func drop(_ party: Party) { queues[party] = nil }
}
