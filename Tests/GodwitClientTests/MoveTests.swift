import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Following a channel that moves (D-18)")
struct MoveTests {
    /// A channel of another node that this hub plays as well; the first device's user owns it.
    private func room() async throws -> (RotationTests.Room, ChannelID) {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        var devices: [Device] = []
        for (name, scratch) in zip(["ines", "olena", "tomas"], scratches) {
            devices.append(try await hub.enrol(name, in: scratch))
        }
        let id = ChannelID(name: try ChannelName("#flood-response"), node: try NodeID("zzzzzzzz"))
        try await devices[0].createChannel(id, settings: ChannelSettings(topic: "water"))
        try await hub.settle(devices)
        for device in devices.dropFirst() {
            try await device.joinChannel(id)
            try await hub.settle(devices)
        }
        var change = ChannelChange()
        change.roles = [RoleGrant(userID: devices[0].userID, role: .owner)]
        try await hub.carryOut(change, in: id)
        try await hub.settle(devices)
        return (RotationTests.Room(hub: hub, id: id, devices: devices, scratches: scratches), id)
    }

    @Test("members follow the owner to the new node; what they write to the old name goes to the new channel")
    func follow() async throws {
        let (room, id) = try await room()
        let new = ChannelID(name: id.name, node: room.hub.id)
        try await room.devices[1].send(text: "before", to: .channel(id))
        try await room.hub.collect(from: room.devices[1])
        try await room.devices[0].moveChannel(id)
        try await room.hub.settle(room.devices)
        for device in room.devices {
            let states = try await device.channels()
            #expect(states.first { $0.id == new }?.state == .member)
            #expect(try await device.channelEvents(of: id).contains { $0.action == "moved" })
        }
        let entry = try await room.devices[1].send(text: "after", to: .channel(id))
        #expect(entry.target == .channel(new))
        try await room.hub.settle(room.devices)
        // What was on its way to the old one is read still.
        let shown = try await room.devices[2].inbox()
        #expect(shown.map(\.text) == ["before", "after"])
        #expect(shown.map(\.conversation) == [.channel(id), .channel(new)])
        #expect(try await room.devices[2].codes() == [])
    }

    @Test("a move by somebody else is not followed, and only an owner can make one")
    func strangers() async throws {
        let (room, id) = try await room()
        let thief = room.devices[1]
        await #expect(throws: ProtocolError.self) { try await thief.moveChannel(id) }
        let context = thief.store.context
        let unsigned = ChannelMove.unsigned(
            id, to: room.hub.id, by: thief.userID, thief.deviceID, at: room.hub.time.now())
        await room.hub.push(context.signing.signed(unsigned, purpose: .moved), to: room.devices[2].party)
        try await room.hub.settle(room.devices)
        #expect(try await room.devices[2].channels().map(\.id) == [id])
        #expect(try await room.devices[2].codes() == [.misdirected])
    }
}
