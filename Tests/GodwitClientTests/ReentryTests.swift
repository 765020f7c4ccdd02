import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// What a simulated year has brought to light.
@Suite("Asked again, used up")
struct ReentryTests {
    @Test("who asks to be let in again is nobody new: a reader waits for none of what was never for it (D-3)")
    func askedAgain() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "rafiq"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        try await devices[1].joinChannel(id)
        try await hub.settle(devices)
        try await devices[1].send(text: "early", to: .channel(id))
        try await hub.settle(devices)
        try await devices[2].joinChannel(id)
        try await hub.settle(devices)
        // No epoch came in time, or so it seemed.
        let joiner = try #require(await hub.joiners[devices[1].party])
        try await hub.join(id, joiner)
        try await hub.settle(devices)
        try await devices[1].send(text: "now", to: .channel(id))
        try await hub.settle(devices)
        let shown = try await devices[2].inbox()
        #expect(shown.map(\.text) == ["now"] && shown.allSatisfy { !$0.followsGap })
        #expect(try await devices[2].status().held == 0)
        withExtendedLifetime(scratches) {}
    }

    @Test("who comes in again sees the next message of each author at once, and nothing of the time between (D-3)")
    func cameBack() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "rafiq"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        for device in devices.dropFirst() { try await device.joinChannel(id) }
        try await hub.settle(devices)
        try await devices[1].send(text: "before", to: .channel(id))
        try await hub.settle(devices)
        try await hub.remove(devices[2], from: id, sponsor: devices[0])
        try await hub.settle(devices)
        try await devices[1].send(text: "between", to: .channel(id))
        try await hub.settle(devices)
        try await devices[2].joinChannel(id)
        try await hub.settle(devices)
        try await devices[1].send(text: "after", to: .channel(id))
        try await hub.settle(devices)
        #expect(try await devices[2].texts() == ["before", "after"])
        #expect(try await devices[2].status().held == 0)
        withExtendedLifetime(scratches) {}
    }

    @Test("where reader and author were both away, and nothing was said meanwhile, there is no gap (D-3)")
    func bothCameBack() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "rafiq"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        for device in devices.dropFirst() { try await device.joinChannel(id) }
        try await hub.settle(devices)
        try await devices[1].send(text: "before", to: .channel(id))
        try await hub.settle(devices)
        for device in [devices[2], devices[1]] {
            try await hub.remove(device, from: id, sponsor: devices[0])
            try await hub.settle(devices)
            try await device.joinChannel(id)
            try await hub.settle(devices)
        }
        try await devices[1].send(text: "after", to: .channel(id))
        try await hub.settle(devices)
        let shown = try await devices[2].inbox()
        #expect(shown.map(\.text) == ["before", "after"] && shown.allSatisfy { !$0.followsGap })
        withExtendedLifetime(scratches) {}
    }

    @Test("a device that has missed changes and epochs for good asks to be let in again, once (D-14)")
    func missed() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "rafiq", "layla"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        let (olena, rest) = (devices[1], [devices[0], devices[2], devices[3]])
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        try await olena.joinChannel(id)
        try await hub.settle(devices)
        // While it is dark two others come in, and what says so expires on its way to it.
        for number in [2, 3] {
            try await devices[number].joinChannel(id)
            try await hub.settle(rest)
            guard number == 2 else { continue }
            for item in await hub.drain(olena.party) {
                guard case .introduction = try ProtocolObject(parsing: item.body) else { continue }
                await hub.push(item, to: olena.party)
            }
        }
        try await devices[0].send(text: "missed", to: .channel(id))
        try await hub.settle(devices)
        #expect(try await olena.texts() == [])
        for _ in 0..<4 {
            try await olena.prepareContact()
            hub.time.advance(ClientTransaction.changePatience)
        }
        try await hub.settle(devices)
        #expect(try await olena.channels().map(\.state) == [.member])
        try await devices[0].send(text: "read", to: .channel(id))
        try await hub.settle(devices)
        // What it missed is sealed again for it.
        #expect(try await olena.texts() == ["missed", "read"])
        #expect(try await olena.inbox().map { $0.late?.reason } == ["no_epoch", nil])
        let asked = await hub.commands.count { $0.name == "join_channel" && $0.userID == olena.userID }
        for _ in 0..<4 {
            try await olena.prepareContact()
            hub.time.advance(ClientTransaction.changePatience)
        }
        try await hub.settle(devices)
        #expect(await hub.commands.count { $0.name == "join_channel" && $0.userID == olena.userID } == asked)
        withExtendedLifetime(scratches) {}
    }

    @Test("after a contact no state of a key that was used can be read in the device's files (E2E-10)")
    func usedKeys() async throws {
        let hub = try Hub()
        let gate = Gate(hub)
        let (one, two) = (try Scratch(), try Scratch())
        let ines = try await hub.enrol("ines", in: one)
        let olena = try await hub.enrol("olena", in: two)
        for text in ["first", "second"] {
            try await ines.send(text: text, to: .user(olena.userID))
            for device in [ines, ines, olena] { _ = try await device.sync(over: gate) }
        }
        let before = try await Self.states(of: olena)
        #expect(!before.isEmpty && before.allSatisfy { two.databaseBytes().contains($0) }, "the search finds them")
        try await ines.send(text: "third", to: .user(olena.userID))
        for device in [ines, olena] { _ = try await device.sync(over: gate) }
        #expect(try await olena.texts() == ["first", "second", "third"])
        let used = before.subtracting(try await Self.states(of: olena))
        #expect(!used.isEmpty)
        let bytes = two.databaseBytes()
        #expect(used.allSatisfy { !bytes.contains($0) })
        withExtendedLifetime((one, two)) {}
    }

    private static func states(of device: Device) async throws -> Set<[UInt8]> {
        try await device.store.read { transaction in
            Set(try transaction.rows("SELECT state FROM client_session").map { $0.blob("state") })
        }
    }
}
