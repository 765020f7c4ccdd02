import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("First contact (G-101, PQ-01, E2E-03, E2E-17)")
struct FirstContactTests {
    private func form(_ message: Message) throws -> UInt8 { try #require(message.encryption.header.first) }

    @Test("the first messages carry a KEM ciphertext, and no message after the first answer does")
    func forms() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "one", to: .user(layla.userID))
        try await house.lookUp()
        try await amina.send(text: "two", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        let first = try await house.hub.messages(to: layla.party)
        #expect(try first.map(form) == [3, 3])
        try await layla.deliver(await house.hub.drain(layla.party))
        #expect(try await layla.texts() == ["one", "two"])
        try await layla.send(text: "three", to: .user(amina.userID))
        try await house.hub.settle(house.all)
        try await amina.send(text: "four", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        #expect(try await house.hub.messages(to: layla.party).map(form) == [1])
        try await house.hub.settle(house.all)
        #expect(try await layla.texts() == ["one", "two", "four"])
        #expect(try await amina.texts() == ["three"])
        for device in house.all { #expect(try await device.codes() == []) }
    }

    @Test(
        "the reader's receipt ends the long headers as an answer does; one of another device, or for a later message, does not"
    )
    func receipt() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "one", to: .user(layla.userID))
        try await house.lookUp()
        try await amina.send(text: "two", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        let hashes = try await amina.outbox().compactMap(\.hash)
        func tell(_ hash: MessageHash, from device: Party) async throws {
            let receipt = Receipt(
                state: .delivered, items: [Array(hash.bytes.prefix(10))], to: amina.party, from: device,
                at: house.hub.time.now())
            try await amina.deliver([
                BatchItem(
                    kind: .receipt, body: receipt.object.canonicalBytes(), created: house.hub.time.now(),
                    priority: .control)
            ])
        }
        try await tell(hashes[1], from: layla.party)
        try await tell(hashes[0], from: .device(layla.userID, amina.deviceID))
        try await amina.send(text: "three", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        #expect(try await house.hub.messages(to: layla.party).map(form) == [3, 3, 3])
        try await house.hub.settle(house.all)
        #expect(try await amina.outbox().allSatisfy { $0.state == .delivered })
        try await amina.send(text: "four", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        #expect(try await house.hub.messages(to: layla.party).map(form) == [1])
        try await house.hub.settle(house.all)
        #expect(try await layla.texts() == ["one", "two", "three", "four"])
        for device in house.all { #expect(try await device.codes() == []) }
    }

    @Test("with several readers, each one's receipt ends the long headers of its own entry")
    func receiptOfOne() async throws {
        let house = try await Household(devices: 2)
        let amina = house.amina
        try await amina.send(text: "one", to: .user(house.layla[0].userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        // The second one stays dark.
        try await house.hub.settle([amina, house.layla[0]])
        try await amina.send(text: "two", to: .user(house.layla[0].userID))
        try await house.hub.collect(from: amina)
        func form(_ device: Device) async throws -> UInt8? {
            try await house.hub.messages(to: device.party).last?.wraps.first { $0.party == device.party }?.header.first
        }
        #expect(try await form(house.layla[0]) == 1)
        #expect(try await form(house.layla[1]) == 3)
        try await house.hub.settle(house.all)
        for device in house.layla { #expect(try await device.texts() == ["one", "two"]) }
    }

    @Test("a lookup from which the KEM pre-key was taken ends the message with 1000: nothing is sent without it")
    func leftOut() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        await house.hub.edit(layla.party) { $0.kemPreKey = nil }
        try await amina.send(text: "secret", to: .user(layla.userID))
        try await house.hub.settle(house.all)
        let entry = try #require(try await amina.outbox().first)
        #expect(entry.state == .refused && entry.error?.code == .invalidCredentials && entry.error?.hint != nil)
        #expect(try await amina.codes() == [.downgrade])
        #expect(try await amina.status().sessions == 0)
        #expect(try await layla.texts() == [])
    }

    @Test("a KEM pre-key of another device, or one that nobody signed, is no KEM pre-key")
    func forgedKEM() async throws {
        let house = try await Household(devices: 2)
        let (amina, layla) = (house.amina, house.layla[0])
        let foreign = try #require(await house.hub.publications[house.layla[1].party]?.kemPreKey)
        let own = try #require(await house.hub.publications[layla.party]?.kemPreKey)
        let moved = try KEMPreKey(foreign.object.setting("device", .string(layla.deviceID.text)))
        let older = try KEMPreKey(own.object.setting("id", 9))
        await house.hub.forget(house.layla[1].party)
        for forged in [moved, older] {
            await house.hub.edit(layla.party) { $0.kemPreKey = forged }
            try await amina.send(text: "secret", to: .user(layla.userID))
            try await house.hub.settle([amina])
        }
        #expect(try await amina.outbox().map(\.state) == [.refused, .refused])
        #expect(try await amina.codes() == [.badSignature, .badSignature])
        #expect(try await amina.status().sessions == 0)
    }

    @Test("a device that has a KEM key does not answer a first message without it")
    func downgraded() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "old way", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        let answer = await house.hub.drain(amina.party)
        // Amina's program has forgotten what Layla's entry says.
        let list = try #require(await house.hub.publications[layla.party]?.deviceList)
        let key = try #require(await house.hub.userKeys[layla.userID])
        try await amina.store.write { transaction in
            try transaction.introduce(list.userID, publicKey: key, list: list)
            try transaction.run("UPDATE client_device SET kem = NULL WHERE user = ?", [list.userID.text])
        }
        try await amina.deliver(answer)
        try await house.hub.collect(from: amina)
        let sent = try await house.hub.messages(to: layla.party)
        #expect(try sent.map(form) == [2])
        try await layla.deliver(await house.hub.drain(layla.party))
        #expect(try await layla.texts() == [])
        #expect(try await layla.codes() == [.downgrade])
        #expect(try await layla.status().oneTimePreKeys == Device.oneTimePreKeyCount)
    }

    @Test("with a device whose entry names no KEM first contact is plain X3DH")
    func withoutKEM() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await house.hub.forgetKEM(of: layla)
        try await amina.send(text: "one", to: .user(layla.userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        #expect(try await house.hub.messages(to: layla.party).map(form) == [2])
        try await house.hub.settle(house.all)
        #expect(try await layla.texts() == ["one"])
    }

    @Test("a first message that used no one-time key opens its session once, also when all else of it is forgotten")
    func replay() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        await house.hub.edit(layla.party) { $0.oneTimePreKeys = [] }
        try await amina.send(text: "pay 100", to: .user(layla.userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        let items = await house.hub.drain(layla.party)
        try await layla.deliver(items)
        #expect(try await layla.texts() == ["pay 100"])
        try await layla.execute("DELETE FROM client_session")
        try await layla.execute("DELETE FROM client_message")
        try await layla.deliver(items)
        // A hole that says why: whoever replays it does not get it read.
        #expect(try await layla.inbox().map(\.text) == [""])
        #expect(try await layla.inbox().first?.hole != nil)
        #expect(try await layla.status().sessions == 0)
    }

    // MARK: Several devices

    @Test("a lookup opens a session with each device that has published keys (AUTH-15)")
    func severalDevices() async throws {
        let house = try await Household(devices: 3)
        await house.hub.forget(house.layla[2].party)
        try await house.amina.send(text: "to all", to: .user(house.layla[0].userID))
        try await house.lookUp()
        let first = try #require(try await house.amina.session(with: house.layla[0]))
        let second = try #require(try await house.amina.session(with: house.layla[1]))
        #expect(first.id != second.id)
        #expect(try await house.amina.session(with: house.layla[2]) == nil)
        #expect(try await house.amina.status().sessions == 2)
        #expect(try await house.amina.codes() == [])
    }

    @Test("a device whose keys cannot be used does not keep the others out; there is a warning")
    func oneBadBundle() async throws {
        let house = try await Household(devices: 2)
        await house.hub.edit(house.layla[0].party) { $0.kemPreKey = nil }
        try await house.amina.send(text: "to the other", to: .user(house.layla[0].userID))
        try await house.hub.settle(house.all)
        #expect(try await house.amina.session(with: house.layla[0]) == nil)
        #expect(try await house.amina.session(with: house.layla[1]) != nil)
        #expect(try await house.amina.codes() == [.downgrade])
        #expect(try await house.amina.outbox().map(\.state) == [.delivered])
        #expect(try await house.layla[1].texts() == ["to the other"])
    }

    @Test("an answer to a refresh brings signed pre-keys and opens no session")
    func refresh() async throws {
        let house = try await Household(devices: 2)
        let user = house.layla[0].userID
        try await house.amina.store.write { try $0.lookUp(user, refresh: true) }
        try await house.lookUp()
        #expect(try await house.amina.status().sessions == 0)
        #expect(try await house.amina.number("SELECT count(*) FROM client_peer_key") == 2)
        #expect(await house.hub.publications[house.layla[0].party]?.oneTimePreKeys.count == Device.oneTimePreKeyCount)
        // A question for more goes out beside one for less, and is not answered by its answer.
        try await house.amina.store.write { try $0.lookUp(user, refresh: true) }
        try await house.amina.send(text: "hello", to: .user(user))
        try await house.hub.settle(house.all)
        #expect(try await house.amina.outbox().map(\.state) == [.delivered])
        #expect(try await house.amina.number("SELECT count(*) FROM client_lookup") == 0)
    }
}
