import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

@Suite("Outbox (MSG-17, D-6, D-12)")
struct OutboxTests {
    @Test(
        "the largest text is accepted and becomes a valid message; one byte more is refused with 2001 and not kept (MSG-17)"
    )
    func largestText() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let target = MessageTarget.user(olena.userID)
        // Letters that no compression shortens below the limit.
        var random = SeededRandom(11)
        let letters = (0..<70_000).map { _ in UInt8.random(in: 33...126, using: &random) }
        let text = { (count: Int) in String(decoding: letters.prefix(count), as: UTF8.self) }
        let fits = { (count: Int) throws in
            let content: JSONObject = [
                "text": .string(text(count)), "format": "plain", "mentions": [], "reply_to": nil,
            ]
            guard let packed = try? MessageDraft.pack(content) else { return false }
            return MessageDraft.sizeMax(
                of: packed, author: ines.userID, device: ines.deviceID, target: target, created: hub.time.now())
                <= Message.bytesMax
        }
        var (low, high) = (1_000, 70_000)
        while high - low > 1 {
            let middle = (low + high) / 2
            if try fits(middle) { low = middle } else { high = middle }
        }
        #expect(low > 40_000)
        let refused = await #expect(throws: ProtocolError.self) { try await ines.send(text: text(high), to: target) }
        #expect(refused?.code == .messageTooLarge)
        #expect(refused?.details["max_size"] == 65_536)
        let afterRefusal = try await ines.status()
        #expect(afterRefusal.outbox.isEmpty)
        #expect(afterRefusal.queued == 0)
        try await ines.send(text: text(low), to: target)
        try await hub.settle([ines, olena])
        let arrived = try await olena.texts() == [text(low)]
        #expect(arrived)
        let size = await hub.log.filter { $0.kind == .message }.map(\.body.count).max() ?? 0
        #expect(size <= Message.bytesMax)
        #expect(size > Message.bytesMax - 200)
    }

    @Test("a copy that expired on the way to one reader leaves a channel's message as it is, one to its node does not")
    func expiredCopy() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, ines) = (scene.hub, scene.id, scene.devices[0])
        try await ines.send(text: "to all", to: .channel(id))
        try await hub.settle(scene.devices)
        let hash = try #require(try await ines.outbox().last?.hash)
        for (destination, state) in [
            (scene.devices[1].party, OutboxEntry.State.atNode), (.node(try NodeID("elsewher")), .atNode),
            (.node(id.node), .expired),
        ] {
            let error = ProtocolError(
                .nodeUnreachable, "It expired.", details: ["destination": .string(destination.text)])
            await hub.push(
                Refusal(item: hash.bytes, to: ines.party, error: error, at: hub.time.now()).object, to: ines.party)
            try await ines.deliver(await hub.drain(ines.party))
            let entry = try await ines.outbox().last
            #expect(entry?.state == state && (entry?.error == nil) == (state == .atNode))
        }
        #expect(try await ines.codes() == [])
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a direct message that expired on the way is sealed again when its reader asks, and then counts as delivered")
    func expiredDirect() async throws {
        let house = try await Household()
        let (hub, amina, layla) = (house.hub, house.amina, house.layla[0])
        for text in ["zero", "late"] {
            try await amina.send(text: text, to: .user(layla.userID))
            try await hub.settle(text == "zero" ? house.all : [amina])
        }
        _ = await hub.drain(layla.party)
        let hash = try #require(try await amina.outbox().last?.hash)
        let error = ProtocolError(
            .nodeUnreachable, "It expired.", details: ["destination": .string(layla.party.text)])
        await hub.push(
            Refusal(item: hash.bytes, to: amina.party, error: error, at: hub.time.now()).object, to: amina.party)
        try await amina.deliver(await hub.drain(amina.party))
        #expect(try await amina.outbox().map(\.state) == [.delivered, .expired])
        // The next one shows that something is missing.
        try await amina.send(text: "next", to: .user(layla.userID))
        try await hub.settle(house.all)
        hub.time.advance(ClientTransaction.wantPatience)
        try await layla.prepareContact()
        try await hub.settle(house.all)
        #expect(try await layla.texts() == ["zero", "late", "next"])
        let entries = try await amina.outbox()
        #expect(entries.allSatisfy { $0.state == .delivered && $0.error == nil })
    }

    @Test("a message that waits for keys holds up its own conversation only")
    func waitingConversation() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines, olena])
        try await ines.send(text: "private", to: .user(olena.userID))
        try await ines.send(text: "public", to: .channel(id))
        #expect(try await ines.outbox().map(\.state) == [.waitingKeys, .sealed])
    }

    @Test("a lookup is sent once, however many messages wait for it")
    func oneLookup() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        for number in 0..<5 { try await ines.send(text: "\(number)", to: .user(olena.userID)) }
        #expect(try await ines.status().queued == 1)
    }

    @Test("writing to a channel that was not joined is refused with 2002 and a hint, to oneself with 2003")
    func refusedTargets() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#elsewhere")
        let channel = await #expect(throws: ProtocolError.self) { try await ines.send(text: "x", to: .channel(id)) }
        #expect(channel?.code == .channelNotFound)
        #expect(channel?.hint != nil)
        let oneself = await #expect(throws: ProtocolError.self) {
            try await ines.send(text: "x", to: .user(ines.userID))
        }
        #expect(oneself?.code == .userNotFound)
        #expect(try await ines.outbox().isEmpty)
    }

    @Test("a refusal reaches the entry that it is about, a receipt counts from the reader only")
    func refusalAndReceipt() async throws {
        let hub = try Hub()
        let (one, two, three) = (try Scratch(), try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let rafiq = try await hub.enrol("rafiq", in: three)
        try await ines.send(text: "first", to: .user(olena.userID))
        try await hub.collect(from: ines)
        try await ines.deliver(await hub.drain(ines.party))
        try await ines.send(text: "second", to: .user(olena.userID))
        _ = try await ines.handOver()
        let hashes = try await ines.outbox().compactMap { $0.hash?.bytes }
        #expect(hashes.count == 2)
        let forged = Receipt(state: .delivered, items: hashes, to: ines.party, from: rafiq.party, at: hub.time.now())
        await hub.push(forged.object, to: ines.party, kind: .receipt)
        let error = ProtocolError(.rateLimited, "Too many.", hint: "Wait.")
        await hub.push(
            Refusal(item: hashes[1], to: ines.party, error: error, at: hub.time.now()).object, to: ines.party)
        try await ines.deliver(await hub.drain(ines.party))
        let entries = try await ines.outbox()
        #expect(entries.map(\.state) == [.atNode, .refused])
        #expect(entries[1].error?.hint == "Wait.")
        let real = Receipt(state: .delivered, items: [hashes[0]], to: ines.party, from: olena.party, at: hub.time.now())
        await hub.push(real.object, to: ines.party, kind: .receipt)
        try await ines.deliver(await hub.drain(ines.party))
        #expect(try await ines.outbox().map(\.state) == [.delivered, .refused])
    }

    @Test("what lives past its lifetime on the device is expired, by uptime and not by the clock on the wall (D-16)")
    func expired() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await ines.send(text: "old", to: .channel(id))
        hub.time.advance(Message.defaultLifetime - 1)
        try await ines.prepareContact()
        #expect(try await ines.outbox().map(\.state) == [.sealed])
        hub.time.advance(1)
        try await ines.prepareContact()
        #expect(try await ines.outbox().map(\.state) == [.expired])
    }

    @Test("commands carry counters that only grow, over openings of the store too (D-8)")
    func counters() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        var ines = try await hub.enrol("ines", in: scratch)
        for name in ["#one", "#two", "#three"] {
            try await ines.createChannel(try ChannelName(name))
            try await ines.close()
            ines = try await Device(directory: scratch.path, time: hub.time)
        }
        let counters = try await ines.handOver().map { item in
            let object = try ProtocolObject(parsing: item.body)
            guard case .command(let command) = object else { return Int64(0) }
            return command.counter
        }
        #expect(counters == counters.sorted() && Set(counters).count == 3)
    }
}
