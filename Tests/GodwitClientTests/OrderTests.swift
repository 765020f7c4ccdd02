import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Order and gaps (D-3)")
struct OrderTests {
    private struct Room {
        var hub: Hub
        var id: ChannelID
        var author: Device
        var reader: Device
        var scratches: [Scratch]
    }

    private func room() async throws -> Room {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let author = try await hub.enrol("ines", in: scratches[0])
        let reader = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await author.createChannel(id.name)
        try await hub.settle([author, reader])
        try await reader.joinChannel(id)
        try await hub.settle([author, reader])
        return Room(hub: hub, id: id, author: author, reader: reader, scratches: scratches)
    }

    private func messages(_ range: Range<Int>, in room: Room) async throws -> [BatchItem] {
        for number in range { try await room.author.send(text: "\(number)", to: .channel(room.id)) }
        return try await room.author.handOver()
    }

    @Test("64 messages are held back for a missing one; with the 65th the gap is marked and all are shown")
    func gap() async throws {
        let room = try await room()
        let items = try await messages(0..<67, in: room)
        try await room.reader.deliver([items[0]])
        try await room.reader.deliver(Array(items[2..<66].reversed()))
        #expect(try await room.reader.texts() == ["0"])
        #expect(try await room.reader.status().held == 64)
        try await room.reader.deliver([items[66]])
        let shown = try await room.reader.inbox(limit: 100)
        #expect(shown.map(\.text) == ["0"] + (2..<67).map { "\($0)" })
        #expect(shown.filter(\.followsGap).map(\.text) == ["2"])
        #expect(try await room.reader.status().held == 0)
        // What was missing may still come; it is shown then, at the end.
        try await room.reader.deliver([items[1]])
        #expect(try await room.reader.texts().last == "1")
        #expect(try await room.reader.inbox(limit: 100).filter(\.isOvertaken).map(\.text) == ["1"])
        #expect(try await room.reader.codes() == [])
    }

    @Test("what follows a message that does not come is shown after a day of uptime, whatever the clock says")
    func overdue() async throws {
        let room = try await room()
        let items = try await messages(0..<4, in: room)
        try await room.reader.prepareContact()
        try await room.reader.deliver([items[0], items[2], items[3]])
        room.hub.time.jump(400 * 86_400_000)
        try await room.reader.prepareContact()
        #expect(try await room.reader.texts() == ["0"])
        room.hub.time.jump(-800 * 86_400_000)
        room.hub.time.advance(ClientTransaction.heldTime - 1)
        try await room.reader.prepareContact()
        #expect(try await room.reader.texts() == ["0"])
        room.hub.time.advance(1)
        try await room.reader.prepareContact()
        let shown = try await room.reader.inbox()
        #expect(shown.map(\.text) == ["0", "2", "3"])
        #expect(shown.map(\.followsGap) == [false, true, false])
    }

    @Test("two messages at one place of a chain are both shown, with a warning")
    func fork() async throws {
        let room = try await room()
        let items = try await messages(0..<3, in: room)
        try await room.reader.deliver(items)
        // A second message at place 1, on the real chain and with the real key.
        let first = try Message(parsing: items[0].body)
        let context = room.author.store.context
        let target = MessageTarget.channel(room.id)
        let twin = try await room.author.store.write { transaction in
            let epoch = try #require(first.epoch)
            var chain = try #require(try transaction.chain(epoch, of: context.user, context.device))
            let draft = MessageDraft(
                author: context.user, device: context.device, target: target, created: first.timestamp, sequence: 1,
                previous: first.hash, epoch: epoch)
            let content = try MessageDraft.pack(["text": "other 1", "format": "plain", "mentions": [], "reply_to": nil])
            let sealed = try chain.encrypt(content, salt: context.salt) { nonce in
                draft.associatedData(Message.Encryption(keyID: first.encryption.keyID, nonce: nonce, header: []))
            }
            return try draft.sealed(
                Message.Encryption(keyID: first.encryption.keyID, nonce: sealed.nonce, header: []),
                ciphertext: sealed.ciphertext, signedBy: context.signing)
        }
        try await room.reader.deliver([
            BatchItem(kind: .message, body: twin.canonicalBytes, created: twin.timestamp, priority: .channelText)
        ])
        #expect(try await room.reader.texts() == ["0", "1", "2", "other 1"])
        #expect(try await room.reader.codes() == [.fork])
    }

    @Test("reading marks, conversations and counts follow what was shown")
    func marks() async throws {
        let room = try await room()
        let items = try await messages(0..<5, in: room)
        try await room.reader.deliver(items)
        try await room.reader.markRead(upTo: 3)
        let summary = try #require(try await room.reader.conversations().first)
        #expect(summary.conversation == .channel(room.id))
        #expect(summary.messages == 5)
        #expect(summary.unread == 2)
        #expect(try await room.reader.inbox(after: 3).map(\.text) == ["3", "4"])
        #expect(try await room.reader.inbox(after: 3, limit: 1).map(\.text) == ["3"])
        #expect(try await room.reader.inbox(conversation: .between(room.author.userID, room.reader.userID)).isEmpty)
        #expect(try await room.reader.status().unread == 2)
    }
}
