import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Renewal of pre-keys (E2E-10, E2E-17, AUTH-14)")
struct PreKeyRenewalTests {
    private static let day: Int64 = 86_400_000

    private func publications(_ hub: Hub) async -> [JSONObject] {
        await hub.commands.filter { $0.name == "publish_keys" }.map(\.data)
    }

    private func secrets(_ device: Device) async throws -> [[UInt8]] {
        try await device.store.read { transaction in
            try transaction.rows("SELECT secret FROM client_signed_pre_key ORDER BY id").map { $0.blob("secret") }
        }
    }

    @Test("signed pre-key and KEM pre-key are made and published anew after a week of uptime, in the next contact")
    func weekly() async throws {
        let house = try await Household()
        let layla = house.layla[0]
        house.hub.time.jump(30 * Self.day)
        house.hub.time.advance(7 * Self.day - 1)
        try await layla.prepareContact()
        try await house.hub.collect(from: layla)
        #expect(await publications(house.hub).isEmpty)
        house.hub.time.advance(1)
        for _ in 0..<2 {
            try await layla.prepareContact()
            try await house.hub.collect(from: layla)
        }
        let sent = await publications(house.hub)
        let data = try #require(sent.first)
        #expect(sent.count == 1)
        let preKey = try SignedPreKey(try #require(data["signed_pre_key"]?.object))
        let kem = try KEMPreKey(try #require(data["kem_pre_key"]?.object))
        #expect(preKey.id == 2 && kem.id == 2 && data["one_time_pre_keys"]?.array == [])
        let own = try #require(await house.hub.publications[layla.party]?.deviceList.devices.first)
        for object in [preKey.object, kem.object] {
            try KeyChecks.verify(object, signedBy: own.signingKey, purpose: .preKey)
        }
        let published = try await layla.publication()
        #expect(published.signedPreKey == preKey && published.kemPreKey == kem)
    }

    @Test("a message to the pre-key before is read for as long as it may be under way; then the secret is deleted")
    func oldKeys() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        let first = try #require(try await secrets(layla).first)
        let seed = try await layla.store.read { transaction in
            try #require(try transaction.row("SELECT seed FROM client_kem_pre_key")).blob("seed")
        }
        try await amina.send(text: "to the old key", to: .user(layla.userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        house.hub.time.advance(7 * Self.day)
        try await layla.prepareContact()
        #expect(try await secrets(layla).count == 2)
        house.hub.time.advance(ClientTransaction.keptAgeMax - 1)
        // What the device does not renew now it would renew in between: only the age of the second key counts.
        try await layla.store.write { transaction in
            try transaction.expire()
        }
        #expect(try await secrets(layla).first == first)
        try await layla.deliver(await house.hub.drain(layla.party))
        #expect(try await layla.texts() == ["to the old key"])
        #expect(try await layla.number("SELECT count(*) FROM client_opened") == 1)
        house.hub.time.advance(1)
        try await layla.prepareContact()
        #expect(try await secrets(layla).contains(first) == false)
        #expect(try await layla.number("SELECT count(*) FROM client_opened") == 0)
        try await layla.close()
        try house.laylaStore.writeBackLog()
        let bytes = house.laylaStore.databaseBytes()
        let found = (bytes.contains(first), bytes.contains(seed))
        #expect(!found.0 && !found.1)
    }

    @Test("the pre-key with which a channel was joined is kept: its epochs are wrapped for it")
    func channelKey() async throws {
        let house = try await Household()
        let layla = house.layla[0]
        let first = try #require(try await secrets(layla).first)
        let id = try house.hub.channelID("#flood-response")
        try await house.amina.createChannel(id.name)
        try await house.hub.settle(house.all)
        try await layla.joinChannel(id)
        try await house.hub.settle(house.all)
        for _ in 0..<8 {
            house.hub.time.advance(7 * Self.day)
            try await layla.prepareContact()
        }
        let kept = try await secrets(layla)
        #expect(kept.first == first && kept.count == 8)
    }

    @Test("low stocks are refilled in the same contact, once for several notices")
    func refill() async throws {
        let house = try await Household()
        let layla = house.layla[0]
        let stock = ClientTransaction.stock(over: layla.store.context.tier)
        for left: Int64 in [20, 10] {
            await house.hub.push(
                PreKeyStock(to: layla.party, oneTimePreKeys: left, at: house.hub.time.now()).object, to: layla.party)
        }
        try await layla.deliver(await house.hub.drain(layla.party))
        try await house.hub.collect(from: layla)
        let data = try #require(await publications(house.hub).first)
        #expect(await publications(house.hub).count == 1)
        let keys = try #require(data["one_time_pre_keys"]?.array)
        #expect(keys.count == stock - 20)
        #expect(data["kem_pre_key"] == nil && data["signed_pre_key"] != nil)
        let ids = keys.compactMap { $0.object?["id"]?.integer }
        #expect(ids == (1...Int64(stock - 20)).map { Int64(Device.oneTimePreKeyCount) + $0 })
        // What is full is left alone, and what is another's is no use.
        house.hub.time.advance(ClientTransaction.refillPause)
        for party in [layla.party, house.amina.party] {
            await house.hub.push(
                PreKeyStock(to: party, oneTimePreKeys: 150, at: house.hub.time.now()).object, to: layla.party)
        }
        try await layla.deliver(await house.hub.drain(layla.party))
        try await house.hub.collect(from: layla)
        #expect(await publications(house.hub).count == 1)
        #expect(try await layla.codes() == [.misdirected])
    }

    @Test("private halves of one-time pre-keys that were given out and never used are bounded")
    func bounded() async throws {
        let house = try await Household()
        let layla = house.layla[0]
        for _ in 0..<8 {
            house.hub.time.advance(ClientTransaction.refillPause)
            try await layla.deliver([
                BatchItem(
                    kind: .object,
                    body: PreKeyStock(to: layla.party, oneTimePreKeys: 0, at: house.hub.time.now()).object
                        .canonicalBytes(), created: house.hub.time.now(), priority: .control)
            ])
        }
        let count = try await layla.status().oneTimePreKeys
        #expect(count <= ClientTransaction.oneTimePreKeysMax && count > 200)
    }

    // MARK: Keys in advance

    private func prefetch(_ device: Device, over tier: Tier) async throws {
        var context = device.store.context
        context.tier = tier
        let store = DeviceStore(spool: device.store.spool, context: context, time: device.store.time)
        try await store.write { try $0.prefetch() }
    }

    @Test("over a good link some of those who share a channel are looked up in advance, over a thin one nobody is")
    func prefetched() async throws {
        let hub = try Hub()
        let scratches = try (0..<7).map { _ in try Scratch() }
        var devices: [Device] = []
        for (index, scratch) in scratches.enumerated() {
            devices.append(try await hub.enrol("person-\(index)", in: scratch))
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        for device in devices.dropFirst() {
            try await device.joinChannel(id)
            try await hub.settle(devices)
        }
        let first = devices[0]
        for tier in [Tier.ultraLow, .low] { try await prefetch(first, over: tier) }
        #expect(try await first.number("SELECT count(*) FROM client_lookup") == 0)
        try await prefetch(first, over: .medium)
        #expect(try await first.number("SELECT count(*) FROM client_lookup") == Int64(ClientTransaction.prefetchMax))
        try await hub.settle(devices)
        #expect(try await first.status().sessions == ClientTransaction.prefetchMax)
        try await prefetch(first, over: .high)
        try await hub.settle(devices)
        #expect(try await first.status().sessions == 6)
        // The first message waits for nothing.
        let entry = try await first.send(text: "at once", to: .user(devices[3].userID))
        #expect(entry.state == .sealed)
        try await hub.settle(devices)
        #expect(try await devices[3].texts() == ["at once"])
        // A session that was opened in advance is good as long as the pre-key it was opened with.
        hub.time.advance(7 * Self.day)
        let late = try await first.send(text: "much later", to: .user(devices[4].userID))
        #expect(late.state == .waitingKeys)
        try await hub.settle(devices)
        #expect(try await devices[4].texts() == ["much later"])
        #expect(try await devices[4].codes() == [])
    }

    @Test("somebody of another node is looked up in advance only behind a link that is known to be good")
    func prefetchedElsewhere() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.settle([ines, olena])
        // As if she had come from another node.
        for table in ["client_contact", "client_device", "client_member"] {
            let names = try await ines.store.read { try $0.database.columns(in: table).map(\.name) }
            let others = names.filter { $0 != "user" }.joined(separator: ", ")
            try await ines.execute(
                """
                INSERT INTO \(table) (user, \(others)) SELECT 'b4n8p2x7.olena', \(others) FROM \(table)
                WHERE user = '\(olena.userID.text)'
                """)
        }
        func asked() async throws -> [String] {
            try await prefetch(ines, over: .high)
            return try await ines.store.read { transaction in
                try transaction.rows("SELECT user FROM client_lookup ORDER BY user").map { $0["user"] }
            }
        }
        #expect(try await asked() == [olena.userID.text])
        for tier in 1...2 {
            try await ines.execute(
                """
                INSERT OR REPLACE INTO client_link (node, at, status)
                VALUES ('b4n8p2x7', 1, CAST('{"tier":\(tier)}' AS BLOB))
                """)
            #expect(try await asked() == [olena.userID.text])
        }
        try await ines.execute("UPDATE client_link SET status = CAST('{\"tier\":3}' AS BLOB)")
        #expect(try await asked() == [olena.userID.text, "b4n8p2x7.olena"].sorted())
    }
}
