import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Direct messages (D-13, E2E-03, E2E-04, E2E-18, E2E-19)")
struct DirectTests {
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

    @Test("the first message looks the reader up, waits, and comes back as delivered")
    func firstContact() async throws {
        let pair = try await pair()
        let entry = try await pair.amina.send(text: "Room ready?", to: .user(pair.layla.userID))
        #expect(entry.state == .waitingKeys)
        try await pair.amina.send(text: "Please hurry", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == ["Room ready?", "Please hurry"])
        #expect(try await pair.amina.outbox().map(\.state) == [.delivered, .delivered])
        #expect(await pair.hub.log.count { $0.kind == .receipt } == 1)
        try await pair.layla.send(text: "Ready", to: .user(pair.amina.userID))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.amina.texts() == ["Ready"])
        #expect(try await pair.layla.codes() == [])
    }

    @Test("two first messages at the same time leave one conversation that works both ways")
    func simultaneous() async throws {
        let pair = try await pair()
        try await pair.amina.send(text: "a0", to: .user(pair.layla.userID))
        try await pair.layla.send(text: "l0", to: .user(pair.amina.userID))
        // Both look each other up, and both seal before anything of the other has come.
        for device in pair.both { try await pair.hub.collect(from: device) }
        for device in pair.both { try await device.deliver(await pair.hub.drain(device.party)) }
        for device in pair.both { try await pair.hub.collect(from: device) }
        try await pair.hub.settle(pair.both)
        for round in 1...4 {
            try await pair.amina.send(text: "a\(round)", to: .user(pair.layla.userID))
            try await pair.layla.send(text: "l\(round)", to: .user(pair.amina.userID))
            try await pair.hub.settle(pair.both)
        }
        #expect(try await pair.layla.texts() == (0...4).map { "a\($0)" })
        #expect(try await pair.amina.texts() == (0...4).map { "l\($0)" })
        #expect(try await pair.amina.status().sessions == 2)
        // Once both sessions are known on both sides, both write on the one with the smaller id.
        let last = await pair.hub.log.filter { $0.kind == .message }.suffix(2)
        let ids = Set(try last.map { try Message(parsing: $0.body).encryption.keyID })
        #expect(ids.count == 1)
    }

    @Test(
        "messages both ways in any order, with repeats, are read once and in order", arguments: [4, 5, 6] as [UInt64])
    func shuffled(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let pair = try await pair()
        var expected: [UserID: [String]] = [:]
        try await pair.amina.send(text: "hello", to: .user(pair.layla.userID))
        expected[pair.amina.userID] = ["hello"]
        try await pair.hub.collect(from: pair.amina)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        for round in 0..<6 {
            for (author, reader) in [(pair.amina, pair.layla), (pair.layla, pair.amina)] {
                for number in 0..<Int.random(in: 1...4, using: &random) {
                    let text = "\(author.userID.username.text) \(round).\(number)"
                    try await author.send(text: text, to: .user(reader.userID))
                    expected[author.userID, default: []].append(text)
                }
            }
            for device in pair.both { try await pair.hub.collect(from: device) }
            for device in pair.both {
                var items = await pair.hub.drain(device.party)
                // Some stay behind for the next round.
                let kept = round < 5 ? items.filter { _ in Bool.random(using: &random) } : []
                items.removeAll { kept.contains($0) }
                for item in kept { await pair.hub.push(item, to: device.party) }
                items += items.filter { _ in Bool.random(using: &random) }
                for item in items.shuffled(using: &random) { try await device.deliver([item]) }
            }
        }
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == expected[pair.amina.userID])
        #expect(try await pair.amina.texts() == expected[pair.layla.userID])
        for device in pair.both { #expect(try await device.codes() == []) }
    }

    @Test("a one-time pre-key is gone from the file once the first message was read (E2E-03)")
    func oneTimeKeyGone() async throws {
        let pair = try await pair()
        let secret = try await pair.layla.store.read { transaction in
            let row = try transaction.row("SELECT secret FROM client_one_time_key ORDER BY id LIMIT 1")
            return try #require(row).blob("secret")
        }
        let before = pair.scratches[1].databaseBytes().contains(secret)
        #expect(before)
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == ["one"])
        #expect(try await pair.layla.status().oneTimePreKeys == Device.oneTimePreKeyCount - 1)
        // Once the log is written back, `secure_delete` has overwritten the row in the file.
        try await pair.layla.close()
        try pair.scratches[1].writeBackLog()
        let after = pair.scratches[1].databaseBytes().contains(secret)
        #expect(!after)
    }

    @Test("no text of a message stands in what leaves the device (capture)")
    func capture() async throws {
        let pair = try await pair()
        let secrets = ["Authorised by Dr Amina", "register 20417", String(repeating: "x", count: 300)]
        for text in secrets { try await pair.amina.send(text: text, to: .user(pair.layla.userID)) }
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == secrets)
        for item in await pair.hub.log {
            for text in secrets {
                let isThere = item.body.contains(Array(text.utf8.prefix(20)))
                #expect(!isThere)
            }
        }
    }

    @Test("an altered message gives a warning and no entry; the true one is read afterwards")
    func tampered() async throws {
        let pair = try await pair()
        try await pair.amina.send(text: "true", to: .user(pair.layla.userID))
        try await pair.hub.collect(from: pair.amina)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        try await pair.hub.collect(from: pair.amina)
        let items = await pair.hub.drain(pair.layla.party)
        for item in items where item.kind == .message {
            for member in ["timestamp", "content", "device"] {
                var altered = item
                altered.body = try Self.altered(item.body, member).canonicalBytes()
                try await pair.layla.deliver(items.filter { $0.kind != .message } + [altered])
            }
        }
        #expect(try await pair.layla.texts() == [])
        #expect(try await pair.layla.codes().filter { $0 == .badSignature }.count == 2)
        #expect(try await pair.layla.status().pending == 1, "the message by an unlisted device waits for a list")
        try await pair.layla.deliver(items)
        #expect(try await pair.layla.texts() == ["true"])
    }

    /// The message with one member changed, and the id that follows.
    private static func altered(_ body: [UInt8], _ member: String) throws -> JSONObject {
        var object = try JSONObject.parse(body)
        switch member {
        case "timestamp": object[member] = "2026-03-14T05:37:13.000Z"
        case "device": object[member] = "abcdefgh"
        default:
            var bytes = try Message(object).ciphertext
            bytes[0] ^= 1
            object[member] = ["ciphertext": .string(Base64.encode(bytes))]
        }
        let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: nil)
        object["id"] = .string(hash.id.text)
        return object
    }

    @Test("another identity key for a known user gives a warning, and the first one is kept (FED-04)")
    func keyChange() async throws {
        let pair = try await pair()
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        let impostor = try SigningKey.generate()
        let real = try #require(await pair.hub.publications[pair.layla.party])
        let list = try DeviceList(
            impostor.signed(real.deviceList.object.setting("version", 9), purpose: .deviceList))
        let introduction = Introduction(
            userID: pair.layla.userID, publicKey: impostor.publicKey.bytes, deviceList: list)
        await pair.hub.push(introduction.object, to: pair.amina.party)
        try await pair.hub.settle(pair.both)
        #expect(try await pair.amina.codes() == [.keyChanged])
        try await pair.amina.send(text: "two", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.layla.texts() == ["one", "two"])
    }

    @Test("a lookup that shows another key than the pinned one ends the waiting messages with 1000")
    func keyChangeInLookup() async throws {
        let pair = try await pair()
        // Amina knows Layla from a channel, without a session.
        let known = try #require(await pair.hub.publications[pair.layla.party])
        let key = try #require(await pair.hub.userKeys[pair.layla.userID])
        await pair.hub.push(
            Introduction(userID: pair.layla.userID, publicKey: key, deviceList: known.deviceList).object,
            to: pair.amina.party)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        let impostor = try SigningKey.generate()
        let entry = impostor.signed(try #require(known.deviceList.devices.first).object, purpose: .device)
        let list = try DeviceList(
            impostor.signed(
                known.deviceList.object.setting("devices", .array([.object(entry)])).setting("version", 2),
                purpose: .deviceList))
        try await pair.amina.send(text: "secret", to: .user(pair.layla.userID))
        _ = try await pair.amina.handOver()
        let result = UserLookupResult(
            userID: pair.layla.userID, requester: pair.amina.party, asOf: pair.hub.time.now(),
            found: UserLookupResult.Found(
                publicKey: impostor.publicKey.bytes, deviceList: list,
                bundles: [DeviceBundle(device: pair.layla.deviceID, signedPreKey: known.signedPreKey)]))
        await pair.hub.push(result.object, to: pair.amina.party)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        let sent = try #require(try await pair.amina.outbox().first)
        #expect(sent.state == .refused && sent.error?.code == .invalidCredentials)
        #expect(try await pair.amina.codes() == [.keyChanged])
        #expect(try await pair.amina.status().sessions == 0)
    }

    @Test("a user who does not exist ends the message with 2003, and a later one asks again")
    func unknownUser() async throws {
        let pair = try await pair()
        let nobody = UserID(node: pair.hub.id, username: try Username("nobody"))
        try await pair.amina.send(text: "hello?", to: .user(nobody))
        try await pair.hub.settle(pair.both)
        let entry = try #require(try await pair.amina.outbox().first)
        #expect(entry.state == .refused && entry.error?.code == .userNotFound)
        try await pair.amina.send(text: "hello again?", to: .user(nobody))
        try await pair.hub.settle(pair.both)
        #expect(try await pair.amina.outbox().map(\.state) == [.refused, .refused])
    }
}
