import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// Edits, reactions, replies and deletions on the devices (MSG-07, MSG-20, G-42, GDPR-01).
@Suite("Edits, reactions, deletions")
struct RelationTests {
    private struct Pair {
        var hub: Hub
        var amina: Device
        var layla: Device
        var scratches: [Scratch]
        var both: [Device] { [amina, layla] }
    }

    private func pair() async throws -> Pair {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        return Pair(
            hub: hub, amina: try await hub.enrol("amina", in: scratches[0]),
            layla: try await hub.enrol("layla", in: scratches[1]), scratches: scratches)
    }

    private func sent(_ pair: Pair, _ text: String) async throws -> MessageID {
        let entry = try await pair.amina.send(text: text, to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        return try #require(try await pair.amina.outbox(after: entry.row - 1, limit: 1).first?.id)
    }

    @Test("the latest edit is shown in the place of the message, and is no message of its own")
    func edits() async throws {
        let pair = try await pair()
        let id = try await sent(pair, "Room redy?")
        for text in ["Room rady?", "Room ready?"] {
            pair.hub.time.advance(1_000)
            try await pair.amina.edit(id, text: text)
        }
        try await pair.hub.settle(pair.both)
        let entry = try #require(try await pair.layla.inbox().first)
        #expect(try await pair.layla.inbox().count == 1)
        #expect(entry.text == "Room ready?" && entry.isEdited && entry.id == id)
        #expect(try await pair.layla.status().unread == 1)
        #expect(try await pair.amina.outbox().first?.text == "Room ready?")
        #expect(try await pair.amina.outbox().map(\.relatesTo) == [nil, id, id])
        #expect(try await pair.layla.codes() == [])
    }

    @Test("an edit by anybody else than the author shows as nothing")
    func foreignEdit() async throws {
        let pair = try await pair()
        let id = try await sent(pair, "I owe you ten")
        await #expect(throws: ProtocolError.self) { try await pair.layla.edit(id, text: "I owe you a hundred") }
        // A client that does not ask itself whether it may.
        let content: JSONObject = ["edits": .string(id.text), "text": "I owe you a hundred"]
        _ = try await pair.layla.store.write { try $0.compose(content, to: .user(pair.amina.userID)) }
        try await pair.hub.settle(pair.both)
        #expect(try await pair.amina.texts() == [])
        #expect(try await pair.amina.outbox().map(\.text) == ["I owe you ten"])
        #expect(try await pair.layla.texts() == ["I owe you ten"])
    }

    @Test("a message that was not sealed yet is changed in place: only its last text is ever sent")
    func editsBeforeSealing() async throws {
        let pair = try await pair()
        let entry = try await pair.amina.send(text: "Room redy?", to: .user(pair.layla.userID))
        #expect(entry.state == .waitingKeys)
        for text in ["Room rady?", "Room ready?"] { try await pair.amina.edit(row: entry.row, text: text) }
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == ["Room ready?"])
        #expect(try await pair.layla.inbox().first?.isEdited == false)
        #expect(await pair.hub.log.count { $0.kind == .message } == 1)
        // Sealed, it is edited by another message.
        try await pair.amina.edit(row: entry.row, text: "Ready?")
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.inbox().map(\.isEdited) == [true])
        #expect(await pair.hub.log.count { $0.kind == .message } == 2)
        await #expect(throws: ProtocolError.self) { try await pair.amina.edit(row: 99, text: "?") }
    }

    @Test("at most the message and nine edits of it are kept", arguments: [9, 10, 14])
    func bounded(_ count: Int) async throws {
        let pair = try await pair()
        let id = try await sent(pair, "v0")
        for number in 1...count {
            pair.hub.time.advance(1_000)
            try await pair.amina.edit(id, text: "v\(number)")
        }
        try await pair.hub.settle(pair.both)
        let kept = try await pair.layla.store.read { transaction in
            try transaction.integer(
                "SELECT count(*) FROM client_message WHERE relation = 'edit' AND length(content) > 2")
        }
        #expect(kept == Int64(min(count, 9)))
        #expect(try await pair.layla.texts() == ["v\(count)"])
    }

    @Test("reactions are counted once for each user, taken back, and shown to the author")
    func reactions() async throws {
        let pair = try await pair()
        let id = try await sent(pair, "Landed")
        for (reaction, removing) in [("👍", false), ("👍", false), ("🎣", false), ("🎣", true)] {
            pair.hub.time.advance(1_000)
            try await pair.layla.react(to: id, reaction, removing: removing)
        }
        try await pair.amina.react(to: id, "👍")
        try await pair.hub.settle(pair.both)
        let ofAuthor = try #require(try await pair.amina.outbox().first)
        #expect(ofAuthor.reactions.map(\.text) == ["👍"])
        #expect(Set(ofAuthor.reactions[0].users) == [pair.amina.userID, pair.layla.userID])
        #expect(try await pair.layla.inbox().first?.reactions.map(\.text) == ["👍"])
        for bad in ["", String(repeating: "x", count: 65)] {
            await #expect(throws: ProtocolError.self) { try await pair.layla.react(to: id, bad) }
        }
        try await pair.layla.react(to: id, String(repeating: "x", count: 64))
    }

    @Test("a deleted message is gone from both devices, with its edits; what follows is shown")
    func deletion() async throws {
        let pair = try await pair()
        let id = try await sent(pair, "The key is under the red stone")
        try await pair.amina.edit(id, text: "The key is under the grey stone")
        try await pair.hub.settle(pair.both)
        try await pair.amina.delete([id])
        try await pair.amina.send(text: "later", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        let inbox = try await pair.layla.inbox()
        #expect(inbox.map(\.text) == ["", "later"])
        #expect(inbox[0].deletedBy == pair.amina.userID && !inbox[0].isEdited)
        #expect(try await pair.amina.outbox().map(\.isDeleted) == [true, true, false])
        #expect(try await pair.amina.outbox().map(\.relatesTo) == [nil, id, nil])
        for (device, scratch) in zip(pair.both, pair.scratches) {
            try await device.close()
            try scratch.writeBackLog()
            for word in ["red stone", "grey stone"] {
                #expect(!scratch.databaseBytes().contains(Array(word.utf8)), "\(word)")
            }
        }
    }

    @Test("a deletion that overtakes its message keeps it out, and what comes after it waits for nothing")
    func overtaking() async throws {
        let pair = try await pair()
        _ = try await sent(pair, "first")
        let entry = try await pair.amina.send(text: "second", to: .user(pair.layla.userID))
        let id = try #require(entry.id)
        // Out of the own queue it goes, so that it never leaves.
        try await pair.amina.delete([id])
        try await pair.amina.send(text: "third", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == ["first", "third"])
        #expect(await pair.hub.log.count { $0.kind == .message && (try? Message(parsing: $0.body))?.id == id } == 0)
    }

    @Test("a message that comes after its deletion is shown as deleted")
    func late() async throws {
        let pair = try await pair()
        _ = try await sent(pair, "first")
        let entry = try await pair.amina.send(text: "second", to: .user(pair.layla.userID))
        let held = try await pair.amina.handOver()
        try await pair.amina.delete([try #require(entry.id)])
        for item in try await pair.amina.handOver() + held { try await pair.hub.take(item, from: pair.amina.party) }
        try await pair.layla.deliver(await pair.hub.drain(pair.layla.party))
        #expect(try await pair.layla.inbox().map(\.isDeleted) == [false, true])
        #expect(try await pair.layla.texts() == ["first", ""])
    }

    @Test("4,096 messages that never came are remembered as taken back, the oldest go first")
    func holes() async throws {
        let pair = try await pair()
        _ = try await sent(pair, "first")
        let context = pair.amina.store.context
        for start in stride(from: 0, to: 4_160, by: 64) {
            let hashes = (start..<start + 64).compactMap { MessageHash(SHA256Digest.of(Array(String($0).utf8))) }
            let object = context.signing.signed(
                Deletion.unsigned(
                    hashes, in: .direct(DirectAddress(pair.layla.userID)), channelNode: nil, user: context.user,
                    device: context.device, at: pair.hub.time.now()), purpose: .deletion)
            await pair.hub.push(object, to: pair.layla.party)
        }
        try await pair.layla.deliver(await pair.hub.drain(pair.layla.party))
        let (count, first) = try await pair.layla.store.read { transaction in
            (
                try transaction.integer("SELECT count(*) FROM client_hole"),
                try transaction.row("SELECT hash FROM client_hole ORDER BY hole LIMIT 1")?.blob("hash")
            )
        }
        #expect(count == 4_096 && first == SHA256Digest.of(Array("64".utf8)))
    }

    @Test("nobody takes back what another wrote to him")
    func foreignDeletion() async throws {
        let pair = try await pair()
        let id = try await sent(pair, "I owe you ten")
        await #expect(throws: ProtocolError.self) { try await pair.layla.delete([id]) }
        let hash = try #require(try await pair.layla.inbox().first?.hash)
        let context = pair.layla.store.context
        let object = context.signing.signed(
            Deletion.unsigned(
                [hash], in: .direct(DirectAddress(pair.amina.userID)), channelNode: nil, user: context.user,
                device: context.device, at: pair.hub.time.now()), purpose: .deletion)
        await pair.hub.push(object, to: pair.amina.party)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        #expect(try await pair.amina.outbox().first?.text == "I owe you ten")
        #expect(try await pair.amina.codes() == [.misdirected])
    }

    @Test("authors learn that a direct message was read only from readers who let them know")
    func readReceipts() async throws {
        for allows in [true, false] {
            let hub = try Hub()
            let scratches = [try Scratch(), try Scratch()]
            let amina = try await hub.enrol("amina", in: scratches[0])
            let layla = try await hub.enrol(
                "layla", in: scratches[1], preferences: ["privacy": ["read_receipts": .bool(allows)]])
            try await amina.send(text: "Room ready?", to: .user(layla.userID))
            try await hub.settle([amina, layla])
            #expect(try await amina.outbox().first?.wasRead == false)
            try await layla.markRead(upTo: 1)
            try await layla.markRead(upTo: 1)
            try await hub.settle([amina, layla])
            #expect(try await amina.outbox().first?.wasRead == allows)
            #expect(try await amina.outbox().first?.state == .delivered)
            #expect(await hub.log.count { $0.kind == .receipt } == (allows ? 2 : 1))
        }
    }

    @Test("what another device of the user has read is read here, in that conversation only")
    func markers() async throws {
        let pair = try await pair()
        _ = try await sent(pair, "one")
        _ = try await sent(pair, "two")
        let first = try #require(try await pair.layla.inbox().first)
        let other = try DeviceIDDerivation.derive(from: SigningKey.generate().publicKey)
        for (peer, unread) in [(pair.layla.userID, 2), (pair.amina.userID, 1)] as [(UserID, Int)] {
            let marker = ReadMarker(
                userID: pair.layla.userID, device: other,
                name: ConversationName(.between(pair.layla.userID, peer), of: pair.layla.userID), upTo: first.hash,
                at: pair.hub.time.now())
            await pair.hub.push(marker.object, to: pair.layla.party)
            try await pair.layla.deliver(await pair.hub.drain(pair.layla.party))
            #expect(try await pair.layla.status().unread == unread)
        }
    }
}
