import GodwitBatch
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Epochs of joins (D-14, E2E-11)")
struct JoinEpochTests {
    private static func objects(_ items: [BatchItem]) throws -> [ProtocolObject] {
        try items.filter { $0.kind == .object }.map { try ProtocolObject(parsing: $0.body) }
    }

    private static func keys(_ hub: Hub) async throws -> [EpochKey] {
        try objects(await hub.log).compactMap { if case .epochKey(let key) = $0 { key } else { nil } }
    }

    private static func isEpoch(_ item: BatchItem) throws -> Bool {
        guard item.kind == .object, case .epoch = try ProtocolObject(parsing: item.body) else { return false }
        return true
    }

    @Test("a join costs one key for the joiner and nothing for the others, and everybody reads everybody")
    func oneKey() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena", "rafiq", "layla"])
        let log = await scene.hub.log
        #expect(try log.filter(Self.isEpoch).count == 1, "the first epoch is the only one that anybody sends")
        let keys = try await Self.keys(scene.hub)
        guard case .device(_, let last) = scene.devices[3].party else { return }
        #expect(keys.count == 3 && keys.last?.device == last && Set(keys.map(\.keyID)).count == 3)
        for device in scene.devices {
            try await device.send(text: device.userID.username.text, to: .channel(scene.id))
            try await scene.hub.settle(scene.devices)
        }
        for device in scene.devices {
            let others = scene.devices.filter { $0.party != device.party }.map(\.userID.username.text)
            #expect(try await device.texts() == others)
            #expect(try await device.codes() == [])
        }
    }

    @Test("the keys of a join cost at most 120 bytes on the wire in all, beside what a frame costs in any case (D-14)")
    func size() async throws {
        let scene = try await DepartureTests.scene(["amina-1", "b2-olena", "rafiq"])
        let items = try await scene.hub.log.filter { item in
            guard item.kind == .object, case .epochKey = try ProtocolObject(parsing: item.body) else { return false }
            return true
        }
        #expect(items.count == 2)
        // Each alone in a frame, which has nothing else to lean on.
        let bare = try FrameCodec.encode(Frame(items: [])).count
        for item in items {
            let bytes = try FrameCodec.encode(Frame(items: [item])).count - bare
            #expect(bytes <= 120, "\(bytes) bytes")
        }
    }

    @Test("a key that comes after this device has left is dropped in the end, and warned of to nobody")
    func leftMeanwhile() async throws {
        let scene = try await DepartureTests.scene(["ines", "olena"])
        let key = try #require(
            try await scene.hub.log.first { item in
                guard item.kind == .object, case .epochKey = try ProtocolObject(parsing: item.body) else {
                    return false
                }
                return true
            })
        let olena = scene.devices[1]
        try await scene.hub.remove(olena, from: scene.id, sponsor: scene.devices[0])
        try await scene.hub.settle(scene.devices)
        let codes = try await olena.codes()
        try await olena.deliver([key])
        #expect(try await olena.status().pending == 1)
        scene.hub.time.advance(ClientTransaction.pendingTime)
        try await olena.prepareContact()
        #expect(try await olena.status().pending == 0)
        #expect(try await olena.codes() == codes)
        withExtendedLifetime(scene.scratches) {}
    }

    /// Three members, of whom the last has not got the epoch that started by time, and one who joined after it and wrote.
    private static func late() async throws -> (room: RotationTests.Room, late: [BatchItem], joiner: Device, Scratch) {
        let room = try await RotationTests.Room.make(3)
        try await room.pass(ClientTransaction.epochTime)
        try await room.devices[0].send(text: "one", to: .channel(room.id))
        try await room.hub.collect(from: room.devices[0])
        let items = await room.hub.drain(room.devices[2].party)
        let late = try items.filter(Self.isEpoch)
        try #require(late.count == 1)
        try await room.devices[2].deliver(try items.filter { try !Self.isEpoch($0) })
        let scratch = try Scratch()
        let joiner = try await room.hub.enrol("layla", in: scratch)
        try await joiner.joinChannel(room.id)
        try await room.hub.settle(room.devices + [joiner])
        try await joiner.send(text: "two", to: .channel(room.id))
        try await room.hub.settle(room.devices + [joiner])
        #expect(try await room.devices[2].texts() == [])
        return (room, late, joiner, scratch)
    }

    @Test(
        "the epochs of joins that came before the one which they follow from are there as soon as it comes",
        arguments: [false, true])
    func early(isGivenUp: Bool) async throws {
        let (room, late, joiner, scratch) = try await Self.late()
        let reader = room.devices[2]
        if isGivenUp {
            // It has asked to be let in again meanwhile.
            for _ in 0..<3 { try await room.pass(ClientTransaction.stuckPatience) }
            #expect(try await reader.channels().map(\.state) == [.joining])
        }
        try await reader.deliver(late)
        #expect(Set(try await reader.texts()) == ["one", "two"])
        #expect(try await room.writing(reader) == room.writing(joiner))
        try await room.pass(ClientTransaction.stuckPatience)
        #expect(try await reader.channels().map(\.state) == [.member], "nothing is waited for")
        withExtendedLifetime(scratch) {}
    }

    @Test("where that one never comes, the device asks to be let in again after an hour, and reads on")
    func never() async throws {
        let (room, _, joiner, scratch) = try await Self.late()
        try await room.pass(ClientTransaction.stuckPatience - 1)
        #expect(try await room.devices[2].channels().map(\.state) == [.member])
        for _ in 0..<3 {
            try await room.pass(ClientTransaction.stuckPatience)
            try await room.hub.settle(room.devices + [joiner])
        }
        #expect(try await room.writing(room.devices[2]) == room.writing(joiner))
        #expect(Set(try await room.devices[2].texts()) == ["one", "two"])
        #expect(try await room.devices[2].codes() == [])
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "with one who asks again those get a key who came after him; not those who have the last fresh secret",
        arguments: [false, true])
    func othersToo(isRenewed: Bool) async throws {
        let room = try await RotationTests.Room.make(2)
        let (hub, away, here) = (room.hub, room.devices[0], room.devices[1])
        await hub.makeLazy(away.party)
        let scratches = [try Scratch(), try Scratch()]
        var joiners: [Device] = []
        for (name, scratch) in zip(["rafiq", "layla"], scratches) {
            joiners.append(try await hub.enrol(name, in: scratch))
            try await joiners[joiners.count - 1].joinChannel(room.id)
            try await hub.settle([here] + joiners)
        }
        // The sponsor of both is away.
        #expect(try await joiners[0].channels().map(\.state) == [.joining])
        if isRenewed {
            hub.time.advance(ClientTransaction.epochTime)
            try await here.prepareContact()
            try await here.send(text: "asks for keys", to: .channel(room.id))
            try await hub.settle([here])
            try await here.send(text: "renewed", to: .channel(room.id))
            try await hub.settle([here])
        }
        let before = try await Self.keys(hub).count
        let again = try #require(await hub.joiners[joiners[0].party])
        try await hub.join(room.id, again)
        try await hub.settle([here] + joiners)
        let made = try await Self.keys(hub).dropFirst(before)
        let devices = joiners.compactMap { if case .device(_, let device) = $0.party { device } else { nil } }
        #expect(Set(made.map(\.device)) == Set(isRenewed ? [devices[0]] : devices))
        for joiner in joiners { #expect(try await joiner.channels().map(\.state) == [.member]) }
        withExtendedLifetime(scratches) {}
    }
}
