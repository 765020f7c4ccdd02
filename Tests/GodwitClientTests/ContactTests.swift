import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Safety numbers, changed keys, vouches (WOT-01), blocks (ID-17) and names (ID-18).
@Suite("Contacts")
struct ContactTests {
    private struct Scene {
        var hub: Hub
        var devices: [Device]
        var scratches: [Scratch]
    }

    private func scene(_ names: String...) async throws -> Scene {
        let hub = try Hub()
        var scene = Scene(hub: hub, devices: [], scratches: [])
        for name in names {
            let scratch = try Scratch()
            scene.scratches.append(scratch)
            scene.devices.append(try await hub.enrol(name, in: scratch))
        }
        return scene
    }

    /// Everybody writes to everybody, so that all keys are known.
    private func acquaint(_ scene: Scene) async throws {
        for one in scene.devices {
            for other in scene.devices where one.userID != other.userID {
                try await one.send(text: "hello", to: .user(other.userID))
            }
        }
        try await scene.hub.settle(scene.devices)
    }

    // MARK: Safety numbers

    @Test("a safety number is that of another implementation, digit by digit, and its code too")
    func vector() throws {
        let alice = try UserID("a7f3k9m2.alice-river"), bob = try UserID("b2c3d4e5.bob-stone")
        let (first, second) = ((0..<32).map { UInt8($0) }, (32..<64).map { UInt8($0) })
        let number = SafetyNumber(own: alice, key: first, other: bob, key: second)
        // hashlib of Python: SHA-512 over label, version, key and id, then 5,199 times over hash and key.
        #expect(number.digits == "526597526509607215005304786834541947564733983970514050016370")
        #expect(
            number.scannable
                == "DCP1:safety:1:3uzni2wsmwvr7kf7gpjnn4l73mnw5743:ieaqvmytxbzw4d5bnawidzzhmlap2t54")
        #expect(number.groups.count == 12 && number.groups.joined() == number.digits)
    }

    @Test("both sides see one number; any other key or id gives another")
    func symmetry() throws {
        let alice = try UserID("a7f3k9m2.alice-river"), bob = try UserID("b2c3d4e5.bob-stone")
        let keys = (0..<3).map { seed in (0..<32).map { UInt8($0 + seed) } }
        let ofAlice = SafetyNumber(own: alice, key: keys[0], other: bob, key: keys[1])
        let ofBob = SafetyNumber(own: bob, key: keys[1], other: alice, key: keys[0])
        #expect(ofAlice.digits == ofBob.digits && ofAlice.scannable != ofBob.scannable)
        #expect(try ofAlice.agrees(with: ofBob.scannable) && ofBob.agrees(with: ofAlice.scannable))
        #expect(try ofAlice.agrees(with: ofBob.groups.joined(separator: " ")))
        let lying = SafetyNumber(own: bob, key: keys[2], other: alice, key: keys[0])
        #expect(lying.digits != ofAlice.digits)
        #expect(try !ofAlice.agrees(with: lying.scannable) && !ofAlice.agrees(with: lying.digits))
        // The own code, held up to oneself.
        #expect(try !ofAlice.agrees(with: ofAlice.scannable))
        let renamed = SafetyNumber(own: alice, key: keys[0], other: try UserID("b2c3d4e5.bob-stones"), key: keys[1])
        #expect(renamed.digits != ofAlice.digits)
        for bad in ["", "12345", "DCP1:safety:1:aaaa", ofAlice.digits + "0", String(ofAlice.digits.dropLast()), "١٢٣"] {
            #expect(throws: ProtocolError.self) { try ofAlice.agrees(with: bad) }
        }
    }

    @Test("a verified key stays verified until the mark is taken away or the key is another")
    func verifying() async throws {
        let scene = try await scene("amina", "layla")
        let (amina, layla) = (scene.devices[0], scene.devices[1])
        await #expect(throws: ProtocolError.self) { try await amina.setVerified(layla.userID, true) }
        try await acquaint(scene)
        #expect(
            try await amina.safetyNumber(with: layla.userID).digits
                == layla.safetyNumber(with: amina.userID).digits)
        #expect(try await amina.contact(layla.userID)?.isVerified == false)
        try await amina.setVerified(layla.userID, true)
        #expect(try await amina.contact(layla.userID)?.verified == scene.hub.time.now())
        try await amina.setVerified(layla.userID, false)
        #expect(try await amina.contacts().map(\.isVerified) == [false])
    }

    // MARK: Changed keys

    @Test("another key is kept aside, warned of until it is accepted, and then in use without the mark of the old one")
    func change() async throws {
        let scene = try await scene("amina", "layla")
        let (amina, layla) = (scene.devices[0], scene.devices[1])
        try await acquaint(scene)
        try await amina.setVerified(layla.userID, true)
        let old = try #require(try await amina.contact(layla.userID)?.publicKey)
        // Somebody of the same name with other keys.
        let scratch = try Scratch()
        let other = try await scene.hub.enrol("layla", in: scratch)
        let publication = try await other.publication()
        let introduction = Introduction(
            userID: other.userID, publicKey: other.identityFile.publicKey, deviceList: publication.deviceList)
        for _ in 0..<2 {
            await scene.hub.push(introduction.object, to: amina.party)
            try await amina.deliver(await scene.hub.drain(amina.party))
            scene.hub.time.advance(1_000)
        }
        var contact = try #require(try await amina.contact(layla.userID))
        #expect(contact.publicKey == old && contact.isVerified)
        #expect(contact.offered?.publicKey == other.identityFile.publicKey)
        #expect(contact.offered?.since == scene.hub.time.now().adding(milliseconds: -2_000))
        #expect(try await amina.codes().contains(.keyChanged))
        let offered = try await amina.safetyNumber(with: layla.userID, offered: true)
        #expect(offered.digits == (try await other.safetyNumberFor(amina)).digits)
        try await amina.acceptKey(of: layla.userID)
        contact = try #require(try await amina.contact(layla.userID))
        #expect(contact.publicKey == other.identityFile.publicKey && contact.offered == nil && !contact.isVerified)
        await #expect(throws: ProtocolError.self) { try await amina.acceptKey(of: layla.userID) }
        // Writing goes to the device of the new key.
        await scene.hub.forget(layla.party)
        try await amina.send(text: "who are you?", to: .user(layla.userID))
        try await scene.hub.settle([amina, other])
        #expect(try await other.texts() == ["who are you?"])
    }

    // MARK: Vouches

    @Test("a vouch counts if its author is verified, for the key that it names, until it is withdrawn (WOT-01)")
    func vouches() async throws {
        let scene = try await scene("amina", "layla", "yusuf")
        let (amina, layla, yusuf) = (scene.devices[0], scene.devices[1], scene.devices[2])
        try await acquaint(scene)
        await #expect(throws: ProtocolError.self) {
            try await layla.vouch(for: yusuf.userID, to: [amina.userID])
        }
        try await layla.setVerified(yusuf.userID, true)
        try await layla.vouch(for: yusuf.userID, to: [amina.userID])
        await #expect(throws: ProtocolError.self) { try await layla.vouch(for: yusuf.userID, to: [yusuf.userID]) }
        try await scene.hub.settle(scene.devices)
        #expect(try await amina.contact(yusuf.userID)?.vouchers == [])
        try await amina.setVerified(layla.userID, true)
        var contact = try #require(try await amina.contact(yusuf.userID))
        #expect(contact.vouchers == [layla.userID] && !contact.isVerified)
        let entry = try #require(try await amina.inbox().last)
        #expect(entry.vouch?.user == yusuf.userID && entry.text.isEmpty)
        try await amina.setBlocked(layla.userID, true)
        #expect(try await amina.contact(yusuf.userID)?.vouchers == [])
        try await amina.setBlocked(layla.userID, false)
        try await layla.vouch(for: yusuf.userID, to: [amina.userID], withdrawing: true)
        scene.hub.time.advance(1_000)
        try await scene.hub.settle(scene.devices)
        contact = try #require(try await amina.contact(yusuf.userID))
        #expect(contact.vouchers == [])
    }

    @Test("a vouch for another key, for oneself or of another form counts for nothing")
    func falseVouches() async throws {
        let scene = try await scene("amina", "layla", "yusuf")
        let (amina, layla, yusuf) = (scene.devices[0], scene.devices[1], scene.devices[2])
        try await acquaint(scene)
        try await amina.setVerified(layla.userID, true)
        let key = PublicKeyText.text(ed25519: yusuf.identityFile.publicKey)
        let false1 = Vouch(user: yusuf.userID, publicKey: Array(repeating: 7, count: 32), isWithdrawn: false)
        let false2 = Vouch(user: layla.userID, publicKey: layla.identityFile.publicKey, isWithdrawn: false)
        let contents: [JSONObject] = [
            false1.content, false2.content, ["vouches": ["user_id": .string(yusuf.userID.text)]],
            ["vouches": ["user_id": "nobody", "public_key": .string(key)]],
            ["text": "hi", "vouches": ["user_id": .string(yusuf.userID.text), "public_key": .string(key)]],
        ]
        for content in contents {
            _ = try await layla.store.write { try $0.compose(content, to: .user(amina.userID)) }
            scene.hub.time.advance(1_000)
        }
        try await scene.hub.settle(scene.devices)
        #expect(try await amina.inbox().count == 2 + contents.count)
        #expect(try await amina.contact(yusuf.userID)?.vouchers == [])
        #expect(try await amina.contact(layla.userID)?.vouchers == [])
    }

    @Test("of one contact 256 vouches are kept, and of 257 the newest", arguments: [256, 257])
    func vouchLimit(_ count: Int) async throws {
        let scene = try await scene("amina", "layla")
        let (amina, layla) = (scene.devices[0], scene.devices[1])
        for number in 0..<count {
            let vouch = Vouch(
                user: try UserID("a7f3k9m2.user-\(number)"), publicKey: Array(repeating: 1, count: 32),
                isWithdrawn: false)
            _ = try await layla.store.write { try $0.compose(vouch.content, to: .user(amina.userID)) }
            scene.hub.time.advance(1)
        }
        try await scene.hub.settle(scene.devices)
        let kept = try await amina.store.read { transaction in
            try transaction.rows("SELECT user FROM client_vouch").map { $0["user"] as String }
        }
        #expect(kept.count == 256 && kept.contains("a7f3k9m2.user-0") == (count == 256))
    }

    // MARK: Blocks and names

    @Test("of a blocked user nothing is shown, found or counted, in channels too, until the block ends (ID-17)")
    func blocks() async throws {
        let scene = try await scene("amina", "layla", "yusuf")
        let (amina, layla, yusuf) = (scene.devices[0], scene.devices[1], scene.devices[2])
        let id = try scene.hub.channelID("#crew")
        try await amina.createChannel(id.name)
        try await scene.hub.settle(scene.devices)
        for device in [layla, yusuf] { try await device.joinChannel(id) }
        try await scene.hub.settle(scene.devices)
        await #expect(throws: ProtocolError.self) { try await amina.setBlocked(amina.userID, true) }
        try await amina.setBlocked(layla.userID, true)
        try await layla.send(text: "boat in the channel", to: .channel(id))
        try await yusuf.send(text: "boat of yusuf", to: .channel(id))
        try await layla.send(text: "boat for you", to: .user(amina.userID))
        try await scene.hub.settle(scene.devices)
        #expect(try await amina.texts() == ["boat of yusuf"])
        #expect(try await amina.status().unread == 1)
        #expect(try await amina.conversations().map(\.conversation) == [.channel(id)])
        #expect(try await amina.conversations().map(\.unread) == [1])
        #expect(try await amina.search(SearchQuery("boat")).map(\.text) == ["boat of yusuf"])
        #expect(try await layla.outbox().last?.state == .atNode)
        let reacted = try #require(try await amina.inbox().first)
        try await layla.react(to: reacted.id, "👍")
        try await scene.hub.settle(scene.devices)
        #expect(try await amina.inbox().first?.reactions == [])
        try await amina.markRead(upTo: 100)
        try await amina.setBlocked(layla.userID, false)
        #expect(try await amina.texts().sorted() == ["boat for you", "boat in the channel", "boat of yusuf"])
        #expect(try await amina.status().unread == 2)
    }

    @Test("1,000 users are blocked and not one more")
    func blockLimit() async throws {
        let scene = try await scene("amina")
        let amina = scene.devices[0]
        let users = try (0...1_000).map { try UserID("a7f3k9m2.user-\($0)") }
        for user in users.dropLast() { try await amina.setBlocked(user, true) }
        await #expect(throws: ProtocolError.self) { try await amina.setBlocked(users[1_000], true) }
        #expect(try await amina.contacts().count == 1_000)
    }

    @Test("names and blocks of an identity file are there on a new device, and in its preferences (ID-18, ID-25)")
    func preferences() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let preferences: JSONObject = [
            "theme": "dark", "blocked_users": ["a7f3k9m2.mallory"],
            "aliases": ["users": ["mum": "a7f3k9m2.alice-river"], "channels": ["boats": "#harbour"]],
        ]
        let amina = try await hub.enrol("amina", in: scratch, preferences: preferences)
        #expect(try await amina.preferences() == preferences)
        let book = try await amina.addressBook()
        let mum = try UserID("a7f3k9m2.alice-river")
        #expect(try book.target("@mum") == .user(mum) && book.target("mum") == .user(mum))
        #expect(try book.target("#boats") == .channel(hub.channelID("#harbour")))
        #expect(try book.channel("boats") == hub.channelID("#harbour"))
        #expect(try book.user("@a7f3k9m2.alice-river") == mum && book.user("mum") == mum)
        #expect(book.name(of: .user(mum)) == "@mum")
        #expect(try await amina.contact(UserID("a7f3k9m2.mallory"))?.isBlocked == true)
        let far = try ChannelID("#far:b2c3d4e5", defaultNode: hub.id)
        try await amina.setAlias("far", .channel(far))
        try await amina.setAlias("mum", .channel(hub.channelID("#family")))
        try await amina.setBlocked(UserID("a7f3k9m2.mallory"), false)
        let expected: JSONObject = [
            "theme": "dark", "blocked_users": [],
            "aliases": ["users": [:], "channels": ["boats": "#harbour", "mum": "#family"]],
        ]
        #expect(try await amina.preferences() == expected)
        #expect(try await amina.addressBook().target("#far") == .channel(far))
        try await amina.setAlias("mum", nil)
        #expect(try await amina.addressBook().channels["mum"] == nil)
    }

    @Test("what is no name is refused; 64 characters are one, 65 are not")
    func aliasForm() throws {
        for name in ["mum", "Зоя", "b-52", String(repeating: "a", count: 64)] {
            #expect(throws: Never.self) { try AddressBook.check(name) }
        }
        for name in ["", "a b", "@mum", "#x", "a.b", "a:b", "a\u{202E}b", "a\u{7}", String(repeating: "a", count: 65)] {
            #expect(throws: ProtocolError.self) { try AddressBook.check(name) }
        }
        let book = AddressBook(node: try NodeID("a7f3k9m2"))
        for text in ["", "@", "nobody", "@nobody", "#", "#Bad"] {
            #expect(throws: ProtocolError.self) { try book.target(text) }
        }
        #expect(try book.target("#crew").description == "#crew:a7f3k9m2")
    }

    // MARK: The identity file

    @Test("a changed passphrase opens the file, the old one does not, and both signatures hold (ID-24)")
    func passphrase() throws {
        let (file, key) = try IdentityBuilder.create(
            username: Username("amina"), node: NodeID("a7f3k9m2"), endpoint: "wss://example.org", nodeName: "n",
            displayName: nil, passphrase: "old words", kdf: .standard(), created: Timestamp(milliseconds: 0))
        let changed = try IdentityBuilder.changingPassphrase(
            of: file, from: "old words", to: "new words", kdf: .standard())
        #expect(try IdentityBuilder.unlock(changed, passphrase: "new words").publicKey.bytes == key.publicKey.bytes)
        #expect(throws: ProtocolError.self) { try IdentityBuilder.unlock(changed, passphrase: "old words") }
        #expect(throws: ProtocolError.self) {
            try IdentityBuilder.changingPassphrase(of: file, from: "wrong", to: "new words", kdf: .standard())
        }
        #expect(IdentityBuilder.verify(changed).isValid && IdentityBuilder.verify(changed).fileSignature == true)
        let set = try IdentityBuilder.setting(preferences: ["theme": "dark"], of: changed, key: key)
        #expect(IdentityBuilder.verify(set).isValid && set.object["preferences"] == ["theme": "dark"])
    }

    @Test("a device takes another version of its user's file, and nobody else's")
    func replacing() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let key = try SigningKey.generate()
        let amina = try await hub.enrol("amina", in: scratch, key: key)
        let changed = try IdentityBuilder.setting(
            preferences: ["privacy": ["read_receipts": true]], of: amina.identityFile, key: key)
        try await amina.replaceIdentity(changed)
        let foreign = try Hub.identity("amina", on: hub.id, key: .generate())
        await #expect(throws: ProtocolError.self) { try await amina.replaceIdentity(foreign) }
        try await amina.close()
        let again = try await Device(directory: scratch.path, time: hub.time)
        #expect(again.identityFile == changed && again.store.context.tellsOfReading)
    }
}

extension Device {
    /// The number towards a user whom this device has never heard of.
    fileprivate func safetyNumberFor(_ other: Device) async throws -> SafetyNumber {
        SafetyNumber(
            own: userID, key: identityFile.publicKey, other: other.userID, key: other.identityFile.publicKey)
    }
}
