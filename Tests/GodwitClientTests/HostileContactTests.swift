import GodwitBatch
import GodwitCompression
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("What contacts, joiners and other nodes may send without harm (D-2, D-14)")
struct HostileContactTests {
    @Test("a message whose text JSON does not carry is refused, and the inbox stays readable")
    func noncharacter() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (amina, layla) = (try await hub.enrol("amina", in: one), try await hub.enrol("layla", in: two))
        try await amina.send(text: "true", to: .user(layla.userID))
        try await hub.settle([amina, layla])
        let target = MessageTarget.user(layla.userID)
        let last = try #require(try await amina.outbox().last?.hash)
        let written = hub.time.now()
        let forged = try await amina.store.write { transaction in
            let context = transaction.context
            guard var (_, session) = try transaction.sendingSession(with: layla.userID) else {
                throw ProtocolError(.internalError, "There is no session.")
            }
            let draft = MessageDraft(
                author: context.user, device: context.device, target: target, created: written, sequence: 1,
                previous: last)
            let id = session.id
            // Codec 0, then the field `text` with U+FFFF.
            let content = Padding.steps.pad([0, 0x7A, 3, 0xEF, 0xBF, 0xBF])
            let sealed = try session.encrypt(content, salt: context.salt) { header, nonce in
                draft.associatedData(Message.Encryption(keyID: id, nonce: nonce, header: header))
            }
            return try draft.sealed(
                Message.Encryption(keyID: id, nonce: sealed.nonce, header: sealed.header),
                ciphertext: sealed.ciphertext, signedBy: context.signing)
        }
        try await layla.deliver([
            BatchItem(kind: .message, body: forged.canonicalBytes, created: written, priority: .directText)
        ])
        #expect(try await layla.texts() == ["true"])
        #expect(try await layla.codes() == [.malformed])
    }

    @Test("a joiner whose signed pre-key is of small order gets no epoch and keeps nobody else out")
    func smallOrderJoiner() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        let ines = try await hub.enrol("ines", in: scratches[0])
        let mallory = try await hub.enrol("mallory", in: scratches[1])
        let olena = try await hub.enrol("olena", in: scratches[2])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        let real = try await mallory.publication().signedPreKey
        let zero = PublicKeyText.text(x25519: [UInt8](repeating: 0, count: 32))
        let bad = mallory.store.context.signing.signed(
            real.object.setting("key", .string(zero)), purpose: .preKey)
        try await hub.join(id, Joiner(preKey: try SignedPreKey(bad)))
        try await olena.joinChannel(id)
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
        try await ines.send(text: "Road 7 is open", to: .channel(id))
        try await hub.settle([ines, olena])
        #expect(try await olena.texts() == ["Road 7 is open"])
        #expect(try await ines.codes() == [.malformed])
    }

    @Test("a joiner whose device has left its user's list gets no keys and holds up no epoch (D-14)")
    func unlistedJoiner() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        let ines = try await hub.enrol("ines", in: scratches[0])
        let key = try SigningKey.generate()
        let rafiq = try await hub.enrol("rafiq", in: scratches[1], key: key)
        let olena = try await hub.enrol("olena", in: scratches[2])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        // Rafiq's user has replaced the device by another one.
        let publication = try await rafiq.publication()
        let signing = try SigningKey.generate()
        let old = try #require(publication.deviceList.devices.first)
        let entry = key.signed(
            old.object.setting("device", .string(DeviceEntry.id(of: signing.publicKey.bytes).text))
                .setting("signing_key", .string(signing.publicKey.text)), purpose: .device)
        let list = key.signed(
            publication.deviceList.object.setting("version", 2).setting("devices", .array([.object(entry)])),
            purpose: .deviceList)
        await hub.push(
            Introduction(userID: rafiq.userID, publicKey: key.publicKey.bytes, deviceList: try DeviceList(list)).object,
            to: ines.party)
        try await rafiq.joinChannel(id)
        try await hub.collect(from: rafiq)
        try await olena.joinChannel(id)
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
        try await ines.send(text: "Road 7 is open", to: .channel(id))
        try await hub.settle([ines, olena])
        #expect(try await olena.texts() == ["Road 7 is open"])
        #expect(try await ines.warnings().map(\.subject) == [rafiq.userID.text])
    }

    @Test("a sponsor waits for the device list of a joiner of whom it knows nothing yet (D-14)")
    func unknownJoiner() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let ines = try await hub.enrol("ines", in: scratches[0])
        let olena = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.collect(from: olena)
        for item in await hub.drain(ines.party).reversed() { try await ines.deliver([item]) }
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
        #expect(try await ines.codes() == [])
    }

    @Test("an answer to a lookup that does not verify ends the wait, and the next message asks again")
    func badLookupAnswer() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (amina, layla) = (try await hub.enrol("amina", in: one), try await hub.enrol("layla", in: two))
        try await amina.send(text: "one", to: .user(layla.userID))
        try await hub.collect(from: amina)
        let other = PublicKeyText.text(x25519: try AgreementKey.generate().publicKey.bytes)
        let answers = try await hub.drain(amina.party).map { item in
            var item = item
            let object = try JSONObject.parse(item.body)
            guard let bundle = object["bundles"]?.array?.first?.object, let preKey = bundle["signed_pre_key"]?.object
            else { return item }
            let altered = bundle.setting("signed_pre_key", .object(preKey.setting("key", .string(other))))
            item.body = object.setting("bundles", [.object(altered)]).canonicalBytes()
            return item
        }
        try await amina.deliver(answers)
        let refused = try #require(try await amina.outbox().first)
        #expect(refused.state == .refused)
        #expect(refused.error?.code == .invalidCredentials)
        #expect(try await amina.codes() == [.badSignature])
        try await amina.send(text: "two", to: .user(layla.userID))
        try await hub.settle([amina, layla])
        #expect(try await layla.texts() == ["two"])
        #expect(try await amina.outbox().map(\.state) == [.refused, .delivered])
    }
}
