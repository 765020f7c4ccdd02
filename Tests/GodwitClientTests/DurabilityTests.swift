import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Durability and keys (GW-03, D-6)")
struct DurabilityTests {
    @Test(
        "opening the store anew between any two steps loses nothing and never repeats a key with a nonce",
        arguments: [7, 8] as [UInt64])
    func reopening(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "rafiq"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        func maybeReopen() async throws {
            for index in devices.indices where Int.random(in: 0..<3, using: &random) == 0 {
                try await devices[index].close()
                devices[index] = try await Device(directory: scratches[index].path, time: hub.time)
            }
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        for device in devices.dropFirst() { try await device.joinChannel(id) }
        try await hub.settle(devices)
        var written: [UserID: [String]] = [:]
        var direct: [String] = []
        for round in 0..<10 {
            try await maybeReopen()
            let author = Int.random(in: 0..<3, using: &random)
            try await devices[author].send(text: "c\(round)", to: .channel(id))
            written[devices[author].userID, default: []].append("c\(round)")
            try await maybeReopen()
            try await devices[0].send(text: "d\(round)", to: .user(devices[1].userID))
            direct.append("d\(round)")
            for index in devices.indices {
                try await maybeReopen()
                try await hub.collect(from: devices[index])
                try await maybeReopen()
                for item in await hub.drain(devices[index].party) { try await devices[index].deliver([item]) }
            }
        }
        try await hub.settle(devices)
        for reader in devices {
            for author in devices where author.userID != reader.userID {
                let conversation = Conversation.channel(id)
                let texts = try await reader.inbox(conversation: conversation, limit: 1_000)
                    .filter { $0.author == author.userID }.map(\.text)
                #expect(texts == written[author.userID] ?? [])
            }
        }
        let pair = Conversation.between(devices[0].userID, devices[1].userID)
        #expect(try await devices[1].inbox(conversation: pair).map(\.text) == direct)
        try await checkNonces(of: hub)
    }

    /// Within one chain (author, key id, ratchet key) every position is used once; salts change with the openings.
    private func checkNonces(of hub: Hub) async throws {
        var used: Set<[UInt8]> = []
        var salts: Set<[UInt8]> = []
        var messages = 0
        for item in await hub.log where item.kind == .message {
            let message = try Message(parsing: item.body)
            let encryption = message.encryption
            let ratchet =
                encryption.header.isEmpty ? [] : try SessionHeader(encryption.header).ratchet.ratchetKey.bytes
            let chain = Array((message.author.text + message.device.text + encryption.keyID).utf8) + ratchet
            #expect(used.insert(chain + encryption.nonce.suffix(8)).inserted)
            salts.insert(Array(encryption.nonce.prefix(4)))
            messages += 1
        }
        #expect(messages == 20)
        #expect(salts.count > 3)
    }

    @Test("a frame that is committed twice, or of which the store was closed in between, shows nothing twice")
    func repeatedFrames() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let ines = try await hub.enrol("ines", in: one)
        var olena = try await hub.enrol("olena", in: two)
        try await ines.send(text: "once", to: .user(olena.userID))
        try await hub.collect(from: ines)
        try await ines.deliver(await hub.drain(ines.party))
        try await hub.collect(from: ines)
        let items = await hub.drain(olena.party)
        try await olena.deliver(items)
        try await olena.deliver(items)
        try await olena.close()
        olena = try await Device(directory: two.path, time: hub.time)
        try await olena.deliver(items)
        #expect(try await olena.texts() == ["once"])
        #expect(try await olena.codes() == [])
    }

    @Test("a directory without a device does not open, one with a device takes no second one")
    func directories() async throws {
        let hub = try Hub()
        let (empty, full) = (try Scratch(), try Scratch())
        let none = await #expect(throws: ProtocolError.self) {
            _ = try await Device(directory: empty.path, time: hub.time)
        }
        #expect(none?.code == .invalidCredentials)
        let device = try await hub.enrol("ines", in: full)
        try await device.close()
        let second = await #expect(throws: ProtocolError.self) { _ = try await hub.enrol("olena", in: full) }
        #expect(second?.code == .insufficientPermissions)
        let reopened = try await Device(directory: full.path, time: hub.time)
        #expect(reopened.party == device.party)
        #expect(reopened.store.context.salt != device.store.context.salt)
    }

    @Test("a device is not made from an identity, key or node that do not belong together")
    func mismatches() async throws {
        let hub = try Hub()
        let (other, scratch) = (try Hub(), try Scratch())
        let key = try SigningKey.generate()
        let file = try Hub.identity("ines", on: hub.id, key: key)
        for (key, node) in [(try SigningKey.generate(), hub.descriptor), (key, other.descriptor)] {
            let error = await #expect(throws: ProtocolError.self) {
                _ = try await Device.create(
                    directory: scratch.path, identity: file, identityKey: key, node: node, time: hub.time)
            }
            #expect(error?.code == .invalidCredentials)
        }
    }

    @Test("a device is not made from an identity file whose signed section was altered")
    func alteredIdentity() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let key = try SigningKey.generate()
        let file = try Hub.identity("ines", on: hub.id, key: key)
        let altered = try IdentityFile(
            file.object.setting("identity", .object(file.identity.setting("display_name", "Mallory"))))
        let error = await #expect(throws: ProtocolError.self) {
            _ = try await Device.create(
                directory: scratch.path, identity: altered, identityKey: key, node: hub.descriptor, time: hub.time)
        }
        #expect(error?.code == .invalidCredentials)
    }

    @Test("the seed of the identity key stands nowhere in the device's directory (ID-24)")
    func identitySeed() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let key = try SigningKey.generate()
        let device = try await Device.create(
            directory: scratch.path, identity: try Hub.identity("ines", on: hub.id, key: key), identityKey: key,
            node: hub.descriptor, time: hub.time)
        try await device.createChannel(try ChannelName("#one"))
        let isThere = scratch.databaseBytes().contains(key.seed.copyBytes())
        #expect(!isThere)
        let deviceSeed = scratch.databaseBytes().contains(device.store.context.signing.seed.copyBytes())
        #expect(deviceSeed, "the search finds what is there")
    }
}
