import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("What a channel's members believe (D-14, E2E-11)")
struct EpochTrustTests {
    private struct Room {
        var hub: Hub
        var id: ChannelID
        var sponsor: Device
        var joiner: Device
        /// What waits for the joiner: introduction, member list, membership, epoch.
        var items: [BatchItem]
        var scratches: [Scratch]
    }

    /// - Parameter isFresh: the secret is fresh; else the joiner gets that of an epoch which follows from the one before.
    private func room(isFresh: Bool = true) async throws -> Room {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let sponsor = try await hub.enrol("ines", in: scratches[0])
        let joiner = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await sponsor.createChannel(id.name)
        try await hub.settle([sponsor])
        if isFresh { await hub.setHead(nil, of: id) }
        try await joiner.joinChannel(id)
        try await hub.collect(from: joiner)
        try await sponsor.deliver(await hub.drain(sponsor.party))
        try await hub.collect(from: sponsor)
        return Room(
            hub: hub, id: id, sponsor: sponsor, joiner: joiner, items: await hub.drain(joiner.party),
            scratches: scratches)
    }

    /// The items with the object of one type changed.
    private func altered(
        _ items: [BatchItem], _ type: String, _ change: (JSONObject) throws -> JSONObject
    ) throws -> [BatchItem] {
        try items.map { item in
            let object = try JSONObject.parse(item.body)
            guard object["type"]?.string == type else { return item }
            var item = item
            item.body = try change(object).canonicalBytes()
            return item
        }
    }

    private func expectUnused(_ room: Room, _ items: [BatchItem], _ code: ClientWarning.Code) async throws {
        try await room.joiner.deliver(items)
        #expect(try await room.joiner.codes() == [code])
        #expect(try await room.joiner.channels().map(\.state) == [.joining])
        #expect(try await room.joiner.send(text: "x", to: .channel(room.id)).state == .waitingKeys)
        // The true objects are used afterwards.
        try await room.joiner.deliver(room.items)
        #expect(try await room.joiner.channels().map(\.state) == [.member])
        #expect(try await room.joiner.outbox().map(\.state) == [.sealed])
    }

    @Test("a membership that the home node has not signed is not believed (MOD-03)")
    func forgedMembership() async throws {
        let room = try await room()
        let forger = try SigningKey.generate()
        try await expectUnused(
            room, altered(room.items, "membership") { forger.signed($0, purpose: .order) }, .badSignature)
    }

    @Test("an epoch whose secret is not the one committed to is reported and not used")
    func wrongCommitment() async throws {
        let room = try await room()
        let key = room.sponsor.store.context.signing
        let items = try altered(room.items, "epoch") { object in
            let other = object.setting("commitment", .string(Base64.encode([UInt8](repeating: 1, count: 32))))
            // The wrap is bound to the epoch's name, so it has to be made anew as a lying sponsor would.
            let start = try EpochStart(key.signed(other, purpose: .epoch))
            let joiner = try #require(start.wraps.first)
            let ephemeral = try AgreementKey.generate()
            let context = room.joiner.store.context
            let preKey = try self.preKey(in: room.items)
            let wrapped = try EpochWrap.wrap(
                try EpochSecret.generate(), epoch: EpochName(start.name), ephemeral: ephemeral,
                for: EpochWrap.Recipient(user: joiner.userID, device: joiner.device),
                signedPreKey: AgreementPublicKey(preKey.key), identity: context.agreement.publicKey)
            var wrap = joiner
            wrap.wrapped = wrapped
            return start.object.setting(
                "wraps", EpochStart.distribution(ephemeral: ephemeral.publicKey.bytes, wraps: [wrap]))
        }
        try await expectUnused(room, items, .epochMismatch)
    }

    private func preKey(in items: [BatchItem]) throws -> SignedPreKey {
        for item in items {
            if case .membership(let membership) = try ProtocolObject(parsing: item.body),
                let joiner = membership.joined.first
            {
                return joiner.preKey
            }
        }
        throw ProtocolError(.internalError, "no membership")
    }

    @Test(
        "an epoch by a device that is not its sponsor, or for other devices, is not used",
        arguments: ["author", "device_set"])
    func wrongSponsor(member: String) async throws {
        let room = try await room()
        let key = room.sponsor.store.context.signing
        let items = try altered(room.items, "epoch") { object in
            let value: JSONValue =
                member == "author"
                ? .string(room.joiner.userID.text) : .string(Base64.encode([UInt8](repeating: 2, count: 32)))
            return key.signed(object.setting(member, value), purpose: .epoch)
        }
        try await expectUnused(room, items, .epochMismatch)
    }

    @Test("an epoch that was altered after it was signed is not used")
    func alteredEpoch() async throws {
        let room = try await room()
        let items = try altered(room.items, "epoch") { $0.setting("created", "2026-03-14T05:37:13.000Z") }
        try await expectUnused(room, items, .badSignature)
    }

    @Test(
        "a joiner takes an epoch's key from the named sponsor alone, whole, and for the version that it was made for",
        arguments: ["node", "altered", "shifted", "other version"])
    func forgedKey(_ way: String) async throws {
        let room = try await room(isFresh: false)
        let context = room.joiner.store.context
        let change = try #require(
            try room.items.compactMap { item -> Membership? in
                guard case .membership(let change) = try ProtocolObject(parsing: item.body) else { return nil }
                return change
            }.last)
        // Whoever has the node's keys knows everything but the sponsor's.
        let forged = try EpochWrap.seal(
            try EpochSecret.generate(),
            epoch: EpochName(way == "other version" ? SHA256Digest.of([1]) : change.joinHash),
            ephemeral: .generate(), from: way == "node" ? room.hub.noise : room.sponsor.store.context.agreement,
            for: EpochWrap.Recipient(user: context.user, device: context.device),
            signedPreKey: AgreementPublicKey(change.joined[0].preKey.key), identity: context.agreement.publicKey)
        let items = try altered(room.items, "epoch_key") { object in
            guard case .epochKey(var key) = try ProtocolObject(object) else { return object }
            switch way {
            case "altered": key.key[79] ^= 1
            case "shifted": key.key[0] ^= 1
            default: key.key = forged
            }
            return key.object
        }
        #expect(items != room.items)
        try await expectUnused(room, items, .epochMismatch)
    }

    private static func writing(_ device: Device, in id: ChannelID) async throws -> [UInt8]? {
        try await device.store.read { transaction in
            try transaction.channel(id).flatMap { try transaction.writingEpoch(of: $0)?.name }
        }
    }

    @Test(
        "an epoch that would follow from one which somebody has left since is not used, and no key of it is given out")
    func rewound() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena", "rafiq"])
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        let old = await hub.heads[id]
        try await hub.remove(devices[2], from: id, sponsor: devices[0])
        try await hub.settle(Array(devices[..<2]))
        // A node in league with who has left makes the next epoch follow from one that he has.
        await hub.setHead(old, of: id)
        let (scratch, before) = (try Scratch(), try await Self.writing(devices[1], in: id))
        let layla = try await hub.enrol("layla", in: scratch)
        try await layla.joinChannel(id)
        try await hub.settle(Array(devices[..<2]) + [layla])
        for device in devices[..<2] { #expect(try await device.codes() == [.epochMismatch]) }
        #expect(try await Self.writing(devices[1], in: id) == before && before != nil)
        #expect(try await layla.channels().map(\.state) == [.joining])
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a message by a device that is not in the epoch is not shown")
    func stranger() async throws {
        let room = try await room()
        try await room.joiner.deliver(room.items)
        let scratch = try Scratch()
        let stranger = try await room.hub.enrol("mallory", in: scratch)
        let publication = try #require(await room.hub.publications[stranger.party])
        let key = try #require(await room.hub.userKeys[stranger.userID])
        await room.hub.push(
            Introduction(userID: stranger.userID, publicKey: key, deviceList: publication.deviceList).object,
            to: room.joiner.party)
        try await room.sponsor.send(text: "true", to: .channel(room.id))
        let sent = try #require(try await room.sponsor.handOver().first { $0.kind == .message })
        let context = stranger.store.context
        let real = try Message(parsing: sent.body)
        let draft = MessageDraft(
            author: context.user, device: context.device, target: .channel(room.id), created: real.timestamp,
            sequence: 0, previous: nil, epoch: real.epoch)
        let forged = try draft.sealed(real.encryption, ciphertext: real.ciphertext, signedBy: context.signing)
        await room.hub.push(
            BatchItem(kind: .message, body: forged.canonicalBytes, created: forged.timestamp, priority: .channelText),
            to: room.joiner.party)
        await room.hub.push(sent, to: room.joiner.party)
        try await room.joiner.deliver(await room.hub.drain(room.joiner.party))
        #expect(try await room.joiner.texts() == ["true"])
        #expect(try await room.joiner.codes() == [.epochMismatch])
    }

    @Test("bytes that are no object of the protocol give a warning and never stop a frame")
    func garbage() async throws {
        let room = try await room()
        let bad: [[UInt8]] = [Array("{}".utf8), Array("[".utf8), [0xFF, 0xFE], Array(#"{"type":"epoch"}"#.utf8)]
        let items = bad.flatMap { body in
            [BatchItem.Kind.message, .object, .receipt].map {
                BatchItem(kind: $0, body: body, created: room.hub.time.now(), priority: .control)
            }
        }
        try await room.joiner.deliver(items + room.items)
        #expect(try await room.joiner.codes() == [ClientWarning.Code](repeating: .malformed, count: items.count))
        #expect(try await room.joiner.channels().map(\.state) == [.member])
    }
}
