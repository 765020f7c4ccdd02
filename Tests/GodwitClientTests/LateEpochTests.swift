import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Epochs that come late, and those from before the own coming (D-14)")
struct LateEpochTests {
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
        try await hub.settle([author])
        return Room(hub: hub, id: id, author: author, reader: reader, scratches: scratches)
    }

    private func key(in item: BatchItem) -> EpochKey? {
        guard item.kind == .object, case .epochKey(let key)? = try? ProtocolObject(parsing: item.body) else {
            return nil
        }
        return key
    }

    /// The author's answer to the reader's join, and one message in the epoch that it has started.
    private func answer(in room: Room, text: String) async throws {
        try await room.hub.collect(from: room.reader)
        try await room.author.deliver(await room.hub.drain(room.author.party))
        try await room.author.send(text: text, to: .channel(room.id))
        try await room.hub.collect(from: room.author)
    }

    @Test("messages of an older epoch wait until it comes, though later ones of their author are shown already")
    func lateEpoch() async throws {
        let room = try await room()
        try await room.reader.joinChannel(room.id)
        try await answer(in: room, text: "zero")
        // The epoch is late: the reader asks again and gets the next one for itself.
        room.hub.time.advance(ClientTransaction.joinPatience)
        try await room.reader.prepareContact()
        _ = try await room.reader.status()
        try await answer(in: room, text: "one")
        let items = await room.hub.drain(room.reader.party)
        let keys = items.compactMap(key(in:))
        try #require(keys.count == 2)
        let late = items.filter { key(in: $0)?.keyID == keys[0].keyID }
        #expect(late.count == 1)
        try await room.reader.deliver(items.filter { !late.contains($0) })
        #expect(try await room.reader.texts() == ["one"])
        #expect(try await room.reader.status().pending == 1)
        try await room.reader.deliver(late)
        #expect(Set(try await room.reader.texts()) == ["zero", "one"])
        #expect(try await room.reader.status().pending == 0)
        #expect(try await room.reader.codes() == [])
    }

    @Test(
        "the key of a message that was read sealed again does not stay, whether message or epoch comes last (E2E-04)",
        arguments: [true, false])
    func spent(epochIsLast: Bool) async throws {
        let room = try await room()
        let both = [room.author, room.reader]
        try await room.reader.joinChannel(room.id)
        try await answer(in: room, text: "zero")
        let items = await room.hub.drain(room.reader.party)
        let late = items.filter { key(in: $0) != nil }
        let message = try #require(items.last { $0.kind == .message })
        try #require(late.count == 1)
        try await room.reader.deliver(items.filter { key(in: $0) == nil })
        room.hub.time.advance(ClientTransaction.wantPatience)
        try await room.reader.prepareContact()
        for _ in 0..<3 {
            for device in both { try await room.hub.collect(from: device) }
            let answers = await room.hub.drain(room.reader.party).filter { key(in: $0) == nil }
            try await room.reader.deliver(answers)
            try await room.author.deliver(await room.hub.drain(room.author.party))
        }
        #expect(try await room.reader.inbox().map { $0.late?.reason } == ["no_epoch"])
        try await room.reader.prepareContact()
        #expect(try await room.reader.status().pending == 0)
        if epochIsLast {
            try await room.reader.deliver(late)
        } else {
            try await room.reader.execute("DELETE FROM client_pending")
            try await room.reader.deliver(late)
            try await room.reader.deliver([message])
        }
        let sealed = try Message(parsing: message.body)
        let name = try #require(sealed.epoch)
        let chain = try await room.reader.store.read { transaction in
            try transaction.chain(name, of: sealed.author, sealed.device)
        }
        var stolen = try #require(chain)
        #expect(throws: CryptoError.keyGone) {
            try stolen.decrypt(
                SenderChain.Sealed(nonce: sealed.encryption.nonce, ciphertext: sealed.ciphertext),
                aad: sealed.associatedData)
        }
        #expect(try await room.reader.number("SELECT count(*) FROM client_pending") == 0)
        #expect(try await room.reader.texts() == ["zero"])
        #expect(try await room.reader.codes() == [])
    }

    /// Starts of epochs from before the reader came, as some member might have signed them.
    private func pastEpochs(_ count: Int, in room: Room, signedBy key: SigningKey) -> [BatchItem] {
        let context = room.author.store.context
        return (0..<count).map { number in
            let unsigned = EpochStart.unsigned(
                channel: room.id, predecessor: nil, membership: 1, deviceSet: [UInt8](repeating: 1, count: 32),
                commitment: SHA256Digest.of(Array("\(number)".utf8)), author: context.user, device: context.device,
                created: room.hub.time.now())
            return BatchItem(
                kind: .object, body: key.signed(unsigned, purpose: .epoch).canonicalBytes(),
                created: room.hub.time.now(), priority: .control)
        }
    }

    private func storedEpochs(of device: Device) async throws -> Int64 {
        try await device.store.read { try $0.integer("SELECT count(*) FROM client_epoch") ?? 0 }
    }

    @Test("an epoch from before the own coming is noted only if its sponsor has signed it")
    func forgedPastEpoch() async throws {
        let room = try await room()
        try await room.reader.joinChannel(room.id)
        try await room.hub.settle([room.author, room.reader])
        let before = try await storedEpochs(of: room.reader)
        try await room.reader.deliver(pastEpochs(1, in: room, signedBy: try .generate()))
        #expect(try await storedEpochs(of: room.reader) == before)
        #expect(try await room.reader.codes() == [.badSignature])
        try await room.reader.deliver(pastEpochs(1, in: room, signedBy: room.author.store.context.signing))
        #expect(try await storedEpochs(of: room.reader) == before + 1)
    }

    @Test("64 epochs from before the own coming are remembered; a further one drives out the oldest")
    func boundedPast() async throws {
        let room = try await room()
        try await room.reader.joinChannel(room.id)
        try await room.hub.settle([room.author, room.reader])
        // The own epoch stays in any case, and that which it follows from counts among the 64.
        let most = 1 + 64 as Int64
        let items = pastEpochs(80, in: room, signedBy: room.author.store.context.signing)
        try await room.reader.deliver(Array(items.prefix(63)))
        #expect(try await storedEpochs(of: room.reader) == most)
        try await room.reader.deliver(Array(items.dropFirst(63)))
        #expect(try await storedEpochs(of: room.reader) == most)
        try await room.author.send(text: "still readable", to: .channel(room.id))
        try await room.hub.settle([room.author, room.reader])
        #expect(try await room.reader.texts() == ["still readable"])
    }
}
