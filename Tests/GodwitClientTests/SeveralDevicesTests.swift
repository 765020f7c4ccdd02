import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Several devices of one user (D-13, AUTH-15, G-11, G-117)")
struct SeveralDevicesTests {
    @Test("what one device writes is read on every device of the reader, and stands as own on the author's others")
    func everywhere() async throws {
        let families = try await Families()
        try await families.settle()
        try await families.amina[0].send(text: "Room ready?", to: .user(families.layla[0].userID))
        try await families.settle()
        families.hub.time.advance(1_000)
        try await families.layla[1].send(text: "Ready", to: .user(families.amina[0].userID))
        try await families.settle()
        for device in families.all {
            #expect(try await families.conversation(on: device) == ["Room ready?", "Ready"])
            #expect(try await device.codes() == [])
        }
        let copy = try #require(try await families.amina[1].inbox().first)
        #expect(copy.author == families.amina[0].userID && copy.isRead)
        // Of its own user's messages a device tells nobody that it has them.
        #expect(try await families.amina[0].outbox().map(\.state) == [.delivered])
        let receipts = await families.hub.log.filter { $0.kind == .receipt }
        #expect(receipts.count == 4)
    }

    @Test("one body goes to all devices, under a key that its key id names; nobody's entry stands in another's copy")
    func form() async throws {
        let families = try await Families()
        try await families.settle()
        try await families.amina[0].send(text: "Room ready?", to: .user(families.layla[0].userID))
        try await families.hub.collect(from: families.amina[0])
        try await families.settle()
        let sent = try #require(await families.hub.log.last { $0.kind == .message })
        let message = try Message(parsing: sent.body)
        #expect(Set(message.wraps.map(\.party)) == Set(([families.amina[1]] + families.layla).map(\.party)))
        #expect(BodyKey.names(message.encryption.keyID) && message.encryption.header.isEmpty)
        #expect(message.encryption.nonce.suffix(8).allSatisfy { $0 == 0 })
        #expect(Set(message.wraps.map(\.wrapped)).count == 3)
    }

    @Test("keys for more devices than fit beside a message follow it, for each device by itself, unasked (D-13)")
    func manyDevices() async throws {
        let families = try await Families(amina: 4, layla: 16, announcing: false)
        let (author, reader) = (families.amina[0], families.layla[0])
        // With nobody has the author a session yet, so each key comes with a first contact.
        try await author.send(text: "for all of you", to: .user(reader.userID))
        try await families.hub.settle([author])
        let sent = await families.hub.log.filter { $0.kind == .message }
        let message = try #require(try sent.map { try Message(parsing: $0.body) }.last { !$0.isAmongOwn })
        #expect(message.wraps.count < 20)
        let used = message.wraps.map { $0.object.canonicalBytes().count + 1 }.reduce(1, +)
        #expect(used <= BodyWrap.bytesMax && used > BodyWrap.bytesMax - 2_048)
        for device in families.all.dropFirst() {
            try await device.deliver(await families.hub.drain(device.party))
            let texts =
                device.userID == author.userID
                ? try await families.conversation(on: device) : try await device.texts(from: author.userID)
            #expect(texts == ["for all of you"])
            #expect(try await device.codes() == [])
        }
    }

    @Test("a message that exactly one device reads is encrypted with the session's key itself (D-13)")
    func single() async throws {
        let families = try await Families(amina: 1, layla: 1)
        try await families.amina[0].send(text: "Room ready?", to: .user(families.layla[0].userID))
        try await families.settle()
        let sent = try #require(await families.hub.log.last { $0.kind == .message })
        let message = try Message(parsing: sent.body)
        #expect(message.wraps.isEmpty && !BodyKey.names(message.encryption.keyID))
        #expect(try await families.layla[0].texts() == ["Room ready?"])
    }

    @Test("one ciphertext cannot be shown as two texts: a key that the key id does not name is refused (D-13)")
    func twoTexts() async throws {
        let families = try await Families(amina: 1, layla: 2)
        try await families.settle()
        try await families.amina[0].send(text: "one", to: .user(families.layla[0].userID))
        try await families.settle()
        let readers = families.layla.map { ($0.userID, $0.deviceID) }
        // The author signs a message whose key id is that of another key than the one in the entries.
        let forged = try await families.amina[0].store.write { transaction in
            let sessions = try readers.map { user, device in
                ReadingDevice(
                    user: user, device: device,
                    session: try #require(try transaction.sendingSession(with: user, device)))
            }
            let head = try #require(
                try transaction.ownHead(Conversation.between(transaction.context.user, readers[0].0).text))
            let draft = MessageDraft(
                author: transaction.context.user, device: transaction.context.device, target: .user(readers[0].0),
                created: transaction.now, sequence: head.seq + 1, previous: head.hash)
            let (named, used) = (try BodyKey.draw(), try BodyKey.draw())
            let keyID = named.keyID
            let salt = transaction.context.salt
            let body = try used.seal(MessageDraft.pack(["text": "two"]), salt: salt) { nonce in
                draft.associatedData(Message.Encryption(keyID: keyID, nonce: nonce, header: []))
            }
            let message = try draft.sealed(
                Message.Encryption(keyID: keyID, nonce: body.nonce, header: []), ciphertext: body.ciphertext,
                signedBy: transaction.context.signing)
            return message.replacingRecipients(
                try sessions.map { reader in
                    var session = reader.session
                    let wrap = try used.wrapped(through: &session, of: message.hash, salt: salt)
                    return BodyWrap(
                        user: reader.user, device: reader.device, session: session.id, header: wrap.header,
                        nonce: wrap.nonce, wrapped: wrap.ciphertext)
                })
        }
        for device in families.layla {
            let item = BatchItem(
                kind: .message, body: forged.forParty(device.party).canonicalBytes, created: forged.timestamp,
                priority: .directText)
            try await device.deliver([item])
            #expect(try await device.texts() == ["one"])
            #expect(try await device.codes() == [.malformed])
        }
        // The sessions are as they were.
        try await families.amina[0].send(text: "three", to: .user(families.layla[0].userID))
        try await families.hub.collect(from: families.amina[0])
        let copies = try await families.hub.waitingMessages(for: families.layla[0].party)
        #expect(copies.count == 1)
    }

    @Test(
        "texts of four devices in any order, with repeats, are read once on each and in their author's order",
        arguments: [11, 12, 13] as [UInt64])
    func shuffled(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let families = try await Families()
        try await families.settle()
        var expected: Set<String> = []
        for round in 0..<4 {
            for device in families.all {
                let other = device.userID == families.amina[0].userID ? families.layla[0] : families.amina[0]
                for number in 0..<Int.random(in: 1...2, using: &random) {
                    let text = "\(device.deviceID.text) \(round).\(number)"
                    try await device.send(text: text, to: .user(other.userID))
                    expected.insert(text)
                }
            }
            for device in families.all { try await families.hub.collect(from: device) }
            for device in families.all {
                let items = await families.hub.drain(device.party)
                let twice = items + items.filter { _ in Bool.random(using: &random) }
                for item in twice.shuffled(using: &random) { try await device.deliver([item]) }
            }
        }
        try await families.settle()
        for device in families.all {
            let shown = try await device.inbox(limit: 1_000)
            let own = try await device.outbox(limit: 1_000).map(\.text)
            #expect(Set(shown.map(\.text) + own) == expected && shown.count + own.count == expected.count)
            for other in families.all where other.deviceID != device.deviceID {
                let texts = shown.filter { $0.device == other.deviceID }.map(\.text)
                #expect(texts == (try await other.outbox(limit: 1_000).map(\.text)))
            }
            #expect(try await device.codes() == [])
        }
    }

    @Test("a device whose keys its node does not have holds up nobody; it gets the message without an entry")
    func keyless() async throws {
        let families = try await Families(amina: 1, layla: 2)
        await families.hub.forgetKeys(families.layla[1].party)
        try await families.amina[0].send(text: "Room ready?", to: .user(families.layla[0].userID))
        try await families.hub.settle([families.amina[0], families.layla[0]])
        #expect(try await families.layla[0].texts() == ["Room ready?"])
        #expect(try await families.amina[0].outbox().map(\.state) == [.delivered])
    }

    @Test("a device that was enrolled after the sealing knows of the message, and reads what comes after (G-11)")
    func enrolledLater() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (amina, layla) = (families.amina[0], families.layla[0])
        try await amina.send(text: "one", to: .user(layla.userID))
        try await families.settle()
        let scratches = [try Scratch(), try Scratch()]
        let later = try await families.hub.enrolFurther(
            layla, key: families.laylaKey, in: scratches[0], announcing: false)
        let third = try await families.hub.enrolFurther(
            layla, key: families.laylaKey, in: scratches[1], announcing: false)
        // Amina has not heard of them yet.
        try await amina.send(text: "two", to: .user(layla.userID))
        let devices = [amina, layla, later, third]
        try await families.hub.settle(devices)
        #expect(try await layla.texts() == ["one", "two"])
        #expect(try await later.texts() == [])
        #expect(try await later.status().pending == 1)
        try await families.hub.announce(layla.userID)
        try await families.hub.settle(devices)
        try await amina.send(text: "three", to: .user(layla.userID))
        try await families.hub.settle(devices)
        for device in [later, third] { #expect(try await device.texts() == ["three"]) }
        #expect(try await layla.texts() == ["one", "two", "three"])
    }

    @Test(
        "what a removed device had sent is read for as long as it may be under way; then nobody keeps a session with it (AUTH-15, G-11)"
    )
    func underWay() async throws {
        let families = try await Families()
        try await families.settle()
        let (stolen, amina) = (families.layla[1], families.amina[0])
        try await stolen.send(text: "one", to: .user(amina.userID))
        try await families.settle()
        try await stolen.send(text: "two", to: .user(amina.userID))
        let items = try await stolen.handOver()
        let current = try #require(await families.hub.newestList(of: stolen.userID))
        let publication = try await families.layla[0].remove(
            stolen.deviceID, from: current, signedBy: families.laylaKey)
        await families.hub.publish(publication, of: families.layla[0].party)
        try await families.hub.announce(stolen.userID)
        try await families.hub.settle([amina, families.layla[0]])
        func sessions(_ device: Device) async throws -> Int64? {
            try await device.store.read { transaction in
                try transaction.integer(
                    "SELECT count(*) FROM client_session WHERE device = ?", [stolen.deviceID.text])
            }
        }
        // The home node had taken it before the list, which has overtaken it.
        let message = try #require(items.first { $0.kind == .message })
        let copy = try Message(parsing: message.body).forParty(amina.party)
        try await amina.deliver([
            BatchItem(kind: .message, body: copy.canonicalBytes, created: copy.timestamp, priority: .directText)
        ])
        #expect(try await amina.texts() == ["one", "two"])
        try await amina.prepareContact()
        families.hub.time.advance(ClientTransaction.epochKept - 1)
        try await amina.prepareContact()
        #expect(try await sessions(amina) ?? 0 > 0)
        families.hub.time.advance(1)
        try await amina.prepareContact()
        #expect(try await sessions(amina) == 0)
        #expect(try await amina.codes() == [])
    }

    @Test("nothing is encrypted for a removed device (AUTH-15, G-11)")
    func removed() async throws {
        let families = try await Families()
        try await families.settle()
        try await families.amina[0].send(text: "one", to: .user(families.layla[0].userID))
        try await families.settle()
        let stolen = families.layla[1]
        #expect(try await stolen.texts() == ["one"])
        let current = try #require(await families.hub.newestList(of: stolen.userID))
        let publication = try await families.layla[0].remove(
            stolen.deviceID, from: current, signedBy: families.laylaKey)
        await families.hub.publish(publication, of: families.layla[0].party)
        try await families.hub.announce(stolen.userID)
        let rest = families.amina + [families.layla[0]]
        try await families.hub.settle(rest)
        try await families.amina[1].send(text: "two", to: .user(families.layla[0].userID))
        try await families.hub.settle(rest)
        #expect(try await families.layla[0].texts() == ["one", "two"])
        let last = try Message(parsing: #require(await families.hub.log.last { $0.kind == .message }).body)
        #expect(!last.wraps.contains { $0.device == stolen.deviceID })
        // The whole message, as a thief may have got it on the way, opens with nothing on the stolen box.
        try await stolen.deliver([
            BatchItem(kind: .message, body: last.canonicalBytes, created: last.timestamp, priority: .directText)
        ])
        #expect(try await stolen.texts() == ["one"])
        await #expect(throws: ProtocolError.self) {
            try await families.layla[0].remove(
                families.layla[0].deviceID, from: publication.deviceList, signedBy: families.laylaKey)
        }
    }

    @Test("edits, reactions, deletions and read marks of one device hold on the user's others (MSG-20)")
    func relations() async throws {
        let families = try await Families()
        try await families.settle()
        try await families.amina[0].send(text: "hre", to: .user(families.layla[0].userID))
        try await families.settle()
        let id = try #require(try await families.amina[1].inbox().first?.id)
        families.hub.time.advance(1_000)
        try await families.amina[1].edit(id, text: "here")
        families.hub.time.advance(1_000)
        try await families.layla[1].react(to: id, "⛵")
        try await families.settle()
        for device in families.all {
            #expect(try await families.conversation(on: device) == ["here"])
        }
        #expect(try await families.amina[0].outbox().first?.reactions.map(\.text) == ["⛵"])
        let row = try #require(try await families.layla[0].inbox().first?.row)
        try await families.layla[0].markRead(upTo: row)
        try await families.settle()
        #expect(try await families.layla[1].inbox().map(\.isRead) == [true])
        try await families.amina[1].delete([id])
        try await families.settle()
        for device in families.all { #expect(try await families.conversation(on: device) == [""]) }
        #expect(try await families.amina[0].outbox().first?.isDeleted == true)
    }

    @Test("what a device says to another one of its user is a system message that others never get")
    func amongOwn() async throws {
        let families = try await Families(amina: 3, layla: 1)
        try await families.settle()
        try await families.amina[2].requestHistory(from: families.amina[0].deviceID)
        try await families.hub.collect(from: families.amina[2])
        let queues = await families.hub.queues
        for (party, items) in queues where party != families.amina[0].party {
            #expect(!items.contains { $0.kind == .message })
        }
        let request = try #require(try await families.hub.waitingMessages(for: families.amina[0].party).first)
        #expect(request.type == .system && request.isAmongOwn && request.priority == .bulk)
        // Twice is once.
        let item = BatchItem(
            kind: .message, body: request.canonicalBytes, created: request.timestamp, priority: .bulk)
        try await families.amina[0].deliver([item, item])
        #expect(try await families.amina[0].codes() == [])
        #expect(try await families.amina[0].texts() == [])
    }

    @Test("the seventeenth device is refused, and a list signed by another key (AUTH-15)")
    func full() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (first, key) = (families.amina[0], families.aminaKey)
        let scratches = try (0..<15).map { _ in try Scratch() }
        for scratch in scratches {
            _ = try await families.hub.enrolFurther(first, key: key, in: scratch, announcing: false)
        }
        let scratch = try Scratch()
        do {
            _ = try await families.hub.enrolFurther(first, key: key, in: scratch)
            Issue.record("a seventeenth device was listed")
        } catch let error as ProtocolError {
            #expect(error.code == .insufficientPermissions && error.details["limit"] == "devices")
        }
        let list = try #require(await families.hub.newestList(of: families.layla[0].userID))
        await #expect(throws: ProtocolError.self) { try await first.join(list, signedBy: key) }
    }
}

extension Hub {
    func publish(_ publication: Publication, of party: Party) { publications[party] = publication }
}
