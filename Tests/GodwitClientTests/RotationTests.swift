import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Epochs start anew by time and number (E2E-05, E2E-11, D-14)")
struct RotationTests {
    struct Room {
        var hub: Hub
        var id: ChannelID
        var devices: [Device]
        var scratches: [Scratch]

        static func make(_ count: Int) async throws -> Room {
            let hub = try Hub()
            let scratches = try (0..<count).map { _ in try Scratch() }
            var devices: [Device] = []
            for number in 0..<count { devices.append(try await hub.enrol("user-\(number)", in: scratches[number])) }
            let id = try hub.channelID("#flood-response")
            try await devices[0].createChannel(id.name)
            try await hub.settle(devices)
            for device in devices.dropFirst() {
                try await device.joinChannel(id)
                try await hub.settle(devices)
            }
            return Room(hub: hub, id: id, devices: devices, scratches: scratches)
        }

        /// Lets time pass for everybody.
        func pass(_ milliseconds: Int64) async throws {
            hub.time.advance(milliseconds)
            for device in devices { try await device.prepareContact() }
        }

        func rotations() async throws -> [EpochStart] {
            try await hub.log.filter { $0.kind == .object }.compactMap { item in
                guard case .epoch(let start) = try ProtocolObject(parsing: item.body), start.rotation != nil else {
                    return nil
                }
                return start
            }
        }

        func writing(_ device: Device) async throws -> [UInt8]? {
            let id = id
            return try await device.store.read { transaction in
                try transaction.channel(id).flatMap { try transaction.writingEpoch(of: $0)?.name }
            }
        }
    }

    @Test("the first sending after a day draws a fresh secret, one millisecond before it does not")
    func afterADay() async throws {
        let room = try await Room.make(3)
        let (author, reader) = (room.devices[0], room.devices[1])
        try await room.pass(ClientTransaction.epochTime - 1)
        try await author.send(text: "one", to: .channel(room.id))
        #expect(try await room.writing(author) == room.writing(reader))
        let before = try await room.writing(author)
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().isEmpty)
        try await room.pass(1)
        try await author.send(text: "two", to: .channel(room.id))
        // It writes at once; nobody has to answer first.
        #expect(try await author.outbox().last?.state == .sealed)
        #expect(try await room.writing(author) != before)
        try await room.hub.settle(room.devices)
        let starts = try await room.rotations()
        #expect(starts.count == 1)
        #expect(starts.first?.predecessor == before)
        #expect(starts.first?.rotation == 1)
        #expect(starts.first?.wraps.count == 2)
        for device in room.devices.dropFirst() {
            #expect(try await device.texts() == ["one", "two"])
            #expect(try await room.writing(device) == starts.first?.name)
            #expect(try await device.codes() == [])
        }
        // Nobody starts another one within the next day.
        try await reader.send(text: "three", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().count == 1)
        #expect(try await author.texts() == ["three"])
    }

    @Test("so does the one after the 1,000th message of an epoch, whoever wrote them")
    func afterManyMessages() async throws {
        let room = try await Room.make(2)
        for number in 0..<500 {
            try await room.devices[0].send(text: "\(number)", to: .channel(room.id))
            try await room.devices[1].send(text: "\(number)", to: .channel(room.id))
            // The second one has not seen the first come in, and asks for its keys in time.
            if number == 300 { try await room.hub.settle(room.devices) }
        }
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().isEmpty)
        try await room.devices[1].send(text: "last", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().count == 1)
        #expect(try await room.devices[0].texts().count == 501)
    }

    @Test("what was read before is of no use for a rotation: its secret follows from none before")
    func isFresh() async throws {
        let room = try await Room.make(2)
        let old = try await room.writing(room.devices[0])
        let next = try await room.devices[1].store.read { transaction in
            try transaction.epoch(try #require(old))?.next?.secret.copyBytes()
        }
        try await room.pass(ClientTransaction.epochTime)
        try await room.devices[0].send(text: "one", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        let start = try #require(try await room.rotations().first)
        let derived = try EpochNext(Secret(try #require(next))).joined(joinHash: SHA256Digest.of(start.name))
        #expect(derived.commitment != start.commitment)
        // A third one without a wrap learns nothing, and asks to be let in again.
        #expect(start.wraps.map(\.userID) == [room.devices[1].userID])
    }

    @Test(
        "of two that start at once the first at the node is picked; both are read, and all write in one"
    )
    func atOnce() async throws {
        let room = try await Room.make(3)
        try await room.pass(ClientTransaction.epochTime / 2)
        for device in room.devices { try await device.send(text: "noon", to: .channel(room.id)) }
        try await room.hub.settle(room.devices)
        try await room.pass(ClientTransaction.epochTime / 2)
        try await room.devices[1].send(text: "from one", to: .channel(room.id))
        try await room.devices[2].send(text: "from two", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        let starts = try await room.rotations()
        #expect(starts.count == 2)
        for device in room.devices {
            #expect(try await room.writing(device) == starts.first?.name)
            #expect(try await device.codes() == [])
        }
        #expect(Set(try await room.devices[0].texts()) == ["noon", "from one", "from two"])
        // The next one follows the one that was picked.
        try await room.pass(ClientTransaction.epochTime)
        try await room.devices[2].send(text: "later", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().last?.predecessor == starts.first?.name)
        #expect(try await room.rotations().last?.rotation == 2)
        #expect(try await room.devices[1].texts().last == "later")
    }

    @Test("a message of an epoch that comes later waits for it")
    func epochComesLater() async throws {
        let room = try await Room.make(2)
        try await room.pass(ClientTransaction.epochTime)
        try await room.devices[0].send(text: "early", to: .channel(room.id))
        try await room.hub.collect(from: room.devices[0])
        let items = await room.hub.drain(room.devices[1].party)
        try await room.devices[1].deliver(items.filter { $0.kind == .message })
        #expect(try await room.devices[1].texts() == [])
        #expect(try await room.devices[1].status().pending == 1)
        try await room.devices[1].deliver(items.filter { $0.kind != .message })
        #expect(try await room.devices[1].texts() == ["early"])
    }

    @Test("keys of members that are a week old are asked for first; until they come the old epoch serves")
    func freshKeys() async throws {
        let room = try await Room.make(2)
        try await room.pass(ClientTransaction.memberKeysTime)
        let before = try await room.writing(room.devices[0])
        try await room.devices[0].send(text: "one", to: .channel(room.id))
        #expect(try await room.devices[0].outbox().last?.state == .sealed)
        #expect(try await room.writing(room.devices[0]) == before)
        try await room.hub.settle(room.devices)
        try await room.devices[0].send(text: "two", to: .channel(room.id))
        try await room.hub.settle(room.devices)
        #expect(try await room.rotations().count == 1)
        #expect(try await room.devices[1].texts() == ["one", "two"])
    }

    @Test("a rotation by who is no member, or for other devices, is not used")
    func forged() async throws {
        let room = try await Room.make(2)
        let scratch = try Scratch()
        let eve = try await room.hub.enrol("eve", in: scratch)
        await room.hub.introduce([eve.userID], to: room.devices[1].party)
        try await room.devices[1].deliver(await room.hub.drain(room.devices[1].party))
        let members = MemberList(channel: room.id, version: 2, devices: room.devices.map(\.party))
        let old = try await room.writing(room.devices[1])
        func start(by device: Device, _ set: [UInt8]) throws -> BatchItem {
            let unsigned = EpochStart.unsigned(
                channel: room.id, predecessor: old, membership: 2, deviceSet: set,
                commitment: SHA256Digest.of([1]), author: device.userID, device: device.deviceID,
                created: room.hub.time.now(), rotation: 1)
            return BatchItem(
                kind: .object, body: device.store.context.signing.signed(unsigned, purpose: .epoch).canonicalBytes(),
                created: room.hub.time.now(), priority: .control)
        }
        try await room.devices[1].deliver([try start(by: eve, members.hash)])
        try await room.devices[1].deliver([try start(by: room.devices[0], SHA256Digest.of([2]))])
        #expect(try await room.writing(room.devices[1]) == old)
        #expect(try await room.devices[1].codes() == [.epochMismatch, .epochMismatch])
    }

    @Test("a year of daily rotations leaves no more chains than a month does")
    func year() async throws {
        let room = try await Room.make(3)
        func chains(_ device: Device) async throws -> Int64 {
            try await device.store.read { try $0.integer("SELECT count(*) FROM client_chain") ?? 0 }
        }
        var most: Int64 = 0
        for day in 0..<365 {
            try await room.pass(ClientTransaction.epochTime)
            try await room.devices[day % 2].send(text: "\(day)", to: .channel(room.id))
            try await room.hub.settle(room.devices)
            if day == 45 { most = try await chains(room.devices[2]) }
        }
        for device in room.devices {
            let epochs = try await device.store.read { try $0.integer("SELECT count(*) FROM client_epoch") ?? 0 }
            #expect(epochs <= 40)
            #expect(try await device.codes() == [])
        }
        #expect(try await chains(room.devices[2]) <= most)
        #expect(try await room.devices[2].texts().count == 365)
    }
}

/// What rotations cost (D-14).
@Suite("Bytes of a rotation (D-14)")
struct RotationSizeTests {
    @Test("a rotation costs at most 80 bytes on the wire for each reading device (D-14)")
    func size() async throws {
        let room = try await RotationTests.Room.make(16)
        try await room.pass(ClientTransaction.epochTime)
        try await room.devices[0].send(text: "one", to: .channel(room.id))
        let item = try #require(
            try await room.devices[0].handOver().first { item in
                guard case .epoch? = try? ProtocolObject(parsing: item.body) else { return false }
                return true
            })
        guard case .epoch(let start) = try ProtocolObject(parsing: item.body) else { return }
        #expect(start.wraps.count == 15)
        func bytes(_ count: Int) throws -> Int {
            let kept = Set(start.wraps.prefix(count).map(\.userID))
            var part = item
            part.body = start.keepingWraps { kept.contains($0.userID) }.canonicalBytes()
            return try FrameCodec.encode(Frame(items: [part])).count
        }
        let (one, all) = (try bytes(1), try bytes(15))
        let each = Double(all - one) / 14
        #expect(each <= 80, "\(each) bytes for each device; \(one) with one wrap")
    }
}
