import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Channels (D-3, D-14)")
struct ChannelTests {
    /// A channel whose members came in one after the other.
    private func channel(of names: [String]) async throws -> (hub: Hub, id: ChannelID, devices: [Device], Scratches) {
        let hub = try Hub()
        let id = try hub.channelID("#flood-response")
        var devices: [Device] = []
        var scratches = Scratches()
        for name in names {
            let scratch = try Scratch()
            scratches.all.append(scratch)
            let device = try await hub.enrol(name, in: scratch)
            devices.append(device)
            if devices.count == 1 { try await device.createChannel(id.name) } else { try await device.joinChannel(id) }
            try await hub.settle(devices)
        }
        return (hub, id, devices, scratches)
    }

    struct Scratches { var all: [Scratch] = [] }

    @Test(
        "five devices read everything once and in each author's order, whatever the order of arrival, with repeats",
        arguments: [1, 2, 3] as [UInt64])
    func shuffled(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let (hub, id, devices, scratches) = try await channel(of: ["ines", "olena", "rafiq", "baptiste", "layla"])
        for round in 0..<12 {
            for device in devices where Bool.random(using: &random) || round == 0 {
                try await device.send(text: "\(device.userID.username.text) \(round)", to: .channel(id))
            }
        }
        for device in devices { try await hub.collect(from: device) }
        var expected: [UserID: [String]] = [:]
        for device in devices { expected[device.userID] = try await device.outbox(limit: 1_000).map(\.text) }
        for device in devices {
            var items = await hub.drain(device.party)
            items += items.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            items.shuffle(using: &random)
            while !items.isEmpty {
                let count = min(items.count, Int.random(in: 1...7, using: &random))
                try await device.deliver(Array(items.prefix(count)))
                items.removeFirst(count)
            }
        }
        for reader in devices {
            for author in devices where author.userID != reader.userID {
                #expect(try await reader.texts(from: author.userID) == expected[author.userID])
            }
            let status = try await reader.status()
            #expect(status.held == 0 && status.pending == 0 && status.warnings == 0)
        }
        withExtendedLifetime(scratches) {}
    }

    @Test("a device that joins late reads from its epoch on, and nothing before holds it up")
    func lateJoiner() async throws {
        let (hub, id, devices, scratches) = try await channel(of: ["ines", "olena"])
        for text in ["one", "two"] { try await devices[0].send(text: text, to: .channel(id)) }
        try await hub.settle(devices)
        let scratch = try Scratch()
        let late = try await hub.enrol("rafiq", in: scratch)
        try await late.joinChannel(id)
        try await hub.collect(from: late)
        // Written after the join, but before its author has heard of it.
        try await devices[0].send(text: "unreadable for rafiq", to: .channel(id))
        try await hub.settle(devices + [late])
        for text in ["three", "four"] { try await devices[0].send(text: text, to: .channel(id)) }
        try await hub.collect(from: devices[0])
        try await late.deliver(await hub.drain(late.party).reversed())
        try await hub.settle(devices + [late])
        let texts = try await late.texts()
        #expect(texts == ["three", "four"])
        #expect(try await devices[1].texts() == ["one", "two", "unreadable for rafiq", "three", "four"])
        let status = try await late.status()
        #expect(status.held == 0)
        #expect(status.pending == 0)
        try await late.send(text: "here", to: .channel(id))
        try await hub.settle(devices + [late])
        #expect(try await devices[1].texts(from: late.userID) == ["here"])
        withExtendedLifetime((scratches, scratch)) {}
    }

    @Test("messages written before the channel has an epoch wait, and leave in order once it has one")
    func writtenAhead() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let ines = try await hub.enrol("ines", in: one)
        let olena = try await hub.enrol("olena", in: two)
        let id = try hub.channelID("#clinic/supplies")
        try await ines.createChannel(id.name)
        #expect(try await ines.send(text: "first", to: .channel(id)).state == .waitingKeys)
        #expect(try await ines.send(text: "second", to: .channel(id)).state == .waitingKeys)
        try await hub.collect(from: ines)
        try await ines.deliver(await hub.drain(ines.party))
        #expect(try await ines.outbox().map(\.state) == [.sealed, .sealed])
        #expect(try await ines.channels().map(\.state) == [.member])
        try await olena.joinChannel(id)
        #expect(try await olena.send(text: "third", to: .channel(id)).state == .waitingKeys)
        try await hub.settle([ines, olena])
        #expect(try await ines.texts() == ["third"])
        #expect(try await olena.outbox().map(\.state) == [.atNode])
    }

    @Test(
        "a member list, membership, epoch and message that arrive in the wrong order are used all the same",
        arguments: 0..<6)
    func wrongOrder(rotation: Int) async throws {
        let (hub, id, devices, scratches) = try await channel(of: ["ines"])
        let scratch = try Scratch()
        let late = try await hub.enrol("rafiq", in: scratch)
        try await late.joinChannel(id)
        try await hub.collect(from: late)
        let ines = devices[0]
        try await ines.deliver(await hub.drain(ines.party))
        try await ines.send(text: "welcome", to: .channel(id))
        try await hub.collect(from: ines)
        var items = await hub.drain(late.party)
        #expect(items.count >= 5)
        let turn = rotation % items.count
        items = rotation == 5 ? items.reversed() : Array(items[turn...] + items[..<turn])
        for item in items { try await late.deliver([item]) }
        #expect(try await late.texts() == ["welcome"])
        #expect(try await late.codes() == [])
        withExtendedLifetime((scratches, scratch)) {}
    }

    @Test("when the sponsor stays silent, the join is sent again and the next member lets the device in (D-14)")
    func silentSponsor() async throws {
        let (hub, id, devices, scratches) = try await channel(of: ["ines", "olena"])
        await hub.makeLazy(devices[0].party)
        let (scratch, other) = (try Scratch(), try Scratch())
        let late = try await hub.enrol("rafiq", in: scratch)
        let later = try await hub.enrol("layla", in: other)
        try await late.joinChannel(id)
        try await later.joinChannel(id)
        // devices[0] is away: it is sponsor of both joins and never hears of them.
        let present = [devices[1], late, later]
        try await hub.settle(present)
        #expect(try await late.channels().map(\.state) == [.joining])
        hub.time.advance(ClientTransaction.joinPatience - 1)
        try await late.prepareContact()
        #expect(try await late.status().queued == 0)
        hub.time.advance(1)
        try await late.prepareContact()
        #expect(try await late.status().queued == 1)
        try await hub.settle(present)
        #expect(try await late.channels().map(\.state) == [.member])
        #expect(try await later.channels().map(\.state) == [.member])
        try await late.send(text: "in", to: .channel(id))
        try await later.send(text: "in too", to: .channel(id))
        try await hub.settle(present)
        #expect(try await devices[1].texts() == ["in", "in too"])
        // Back again, the silent sponsor catches up and does what it still owes.
        try await hub.settle(present + [devices[0]])
        #expect(try await devices[0].texts() == ["in", "in too"])
        try await devices[0].send(text: "back", to: .channel(id))
        try await hub.settle(present + [devices[0]])
        #expect(try await later.texts(from: devices[0].userID) == ["back"])
        withExtendedLifetime((scratches, scratch, other)) {}
    }

    @Test("a join that the node refuses says so, and so do the messages that waited for it")
    func refusedJoin() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#nowhere")
        try await ines.joinChannel(id)
        try await ines.send(text: "anyone?", to: .channel(id))
        try await hub.settle([ines])
        let channel = try #require(try await ines.channels().first)
        #expect(channel.state == .refused && channel.error?.code == .channelNotFound)
        let entry = try #require(try await ines.outbox().first)
        #expect(entry.state == .refused && entry.error?.code == .channelNotFound)
        await #expect(throws: ProtocolError.self) { try await ines.send(text: "again", to: .channel(id)) }
    }
}
