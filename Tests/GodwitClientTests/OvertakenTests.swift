import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Joins and leavings that pass each other on the way, as a simulated year has brought them to light (D-14).
@Suite("Joins overtaken by departures")
struct OvertakenTests {
    private static let day: Int64 = 86_400_000

    private static func commands(in items: [BatchItem]) throws -> [SignedCommand] {
        try items.compactMap { item in
            guard case .command(let command) = try ProtocolObject(parsing: item.body) else { return nil }
            return command
        }
    }

    /// What the device of this name asks its node for now.
    private static func asks(_ device: Device) async throws -> [SignedCommand] {
        try await device.prepareContact()
        return try await commands(in: device.handOver())
    }

    private static func askAgain(_ device: Device, for id: ChannelID) async throws {
        try await device.store.write { transaction in
            try transaction.askAgain(for: #require(try transaction.channel(id)))
        }
    }

    @Test("a join names the version that its device knows; one refused for a later departure ends in being out")
    func refused() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, rafiq) = (scene.hub, scene.id, scene.devices[2])
        #expect(await hub.commands.last?.data["version"] == 0)
        // It is taken out, and what says so is lost; then it misses a secret, and asks.
        try await hub.remove(rafiq, from: id, sponsor: scene.devices[0])
        _ = await hub.drain(rafiq.party)
        try await Self.askAgain(rafiq, for: id)
        hub.time.advance(ClientTransaction.joinPatience)
        let join = try #require(try await Self.asks(rafiq).last { $0.name == "join_channel" })
        #expect(join.data["version"] == 3)
        let error = ProtocolError(
            .insufficientPermissions, "The device has been taken out since it asked.", details: ["departed": 4])
        await hub.push(
            Refusal(
                item: SHA256Digest.of(join.object.canonicalBytes()), to: rafiq.party, error: error, at: hub.time.now()
            ).object, to: rafiq.party)
        try await rafiq.deliver(await hub.drain(rafiq.party))
        #expect(try await rafiq.channels().map(\.state) == [.left])
        #expect(try await rafiq.warnings().map(\.code) == [.removed])
        // Who wants in all the same says that the departure is known.
        try await rafiq.joinChannel(id)
        #expect(try await Self.asks(rafiq).last { $0.name == "join_channel" }?.data["version"] == 4)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("who is taken out by a change or a list knows its version when joining again")
    func known() async throws {
        for byList in [false, true] {
            let scene = try await DepartureTests.scene()
            let (hub, id, rafiq) = (scene.hub, scene.id, scene.devices[2])
            try await hub.remove(rafiq, from: id, sponsor: scene.devices[0])
            if byList {
                _ = await hub.drain(rafiq.party)
                await hub.push(MemberList(channel: id, version: 9, devices: []).object, to: rafiq.party)
            }
            try await rafiq.deliver(await hub.drain(rafiq.party))
            #expect(try await rafiq.channels().map(\.state) == [.left])
            try await rafiq.joinChannel(id)
            let join = try await Self.asks(rafiq).last { $0.name == "join_channel" }
            #expect(join?.data["version"]?.integer == (byList ? 9 : 4))
            withExtendedLifetime(scene.scratches) {}
        }
    }

    @Test("a store of an earlier program does not know by which version it was out, and names none")
    func unknown() async throws {
        let scene = try await DepartureTests.scene()
        let rafiq = scene.devices[2]
        try await scene.hub.remove(rafiq, from: scene.id, sponsor: scene.devices[0])
        try await rafiq.deliver(await scene.hub.drain(rafiq.party))
        try await rafiq.execute("UPDATE client_channel SET ended = NULL")
        try await rafiq.joinChannel(scene.id)
        let join = try #require(try await Self.asks(rafiq).last { $0.name == "join_channel" })
        #expect(join.data["version"] == nil)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("who leaves while a join is under way sends no join any more, and cannot join again before it is out")
    func leaving() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, rafiq) = (scene.hub, scene.id, scene.devices[2])
        try await Self.askAgain(rafiq, for: id)
        try await rafiq.leaveChannel(id)
        hub.time.advance(3_600_000)
        #expect(try await Self.asks(rafiq).map(\.name) == ["leave_channel"])
        let error = await #expect(throws: ProtocolError.self) { try await rafiq.joinChannel(id) }
        #expect(error?.code == .insufficientPermissions && error?.hint != nil)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("leaving that expired before the node took it is asked for again")
    func leavingExpired() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, rafiq) = (scene.hub, scene.id, scene.devices[2])
        try await rafiq.leaveChannel(id)
        try await rafiq.prepareContact()
        hub.time.advance(Message.defaultLifetime)
        let first = try await rafiq.store.read { try $0.channel(id)?.isLeaving }
        #expect(first == true)
        let asked = try await Self.asks(rafiq).filter { $0.name == "leave_channel" }
        #expect(asked.count == 1)
        let known = try await rafiq.store.read { try $0.rows("SELECT leaves FROM client_channel")[0].blob("leaves") }
        #expect(try known == SHA256Digest.of(#require(asked.first).object.canonicalBytes()))
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("what has waited a day for an epoch to be written in makes the device ask to be let in again, once a day")
    func waits() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, ines) = (scene.hub, scene.id, scene.devices[0])
        // The sponsor of the fresh epoch is never heard of again.
        try await hub.remove(scene.devices[2], from: id, sponsor: scene.devices[1])
        try await ines.deliver(await hub.drain(ines.party))
        #expect(try await ines.send(text: "later", to: .channel(id)).state == .waitingKeys)
        try await ines.prepareContact()
        hub.time.advance(Self.day - 1)
        #expect(try await Self.asks(ines).isEmpty)
        hub.time.advance(1)
        try await ines.prepareContact()
        hub.time.advance(ClientTransaction.joinPatience)
        #expect(try await Self.asks(ines).map(\.name) == ["join_channel"])
        // As if it had been let in, and the epoch were still to come.
        try await ines.execute("UPDATE client_channel SET state = 'member'")
        hub.time.advance(Self.day / 2)
        #expect(try await Self.asks(ines).filter { $0.name == "join_channel" }.isEmpty)
        hub.time.advance(Self.day)
        try await ines.prepareContact()
        hub.time.advance(ClientTransaction.joinPatience)
        #expect(try await Self.asks(ines).map(\.name).contains("join_channel"))
        withExtendedLifetime(scene.scratches) {}
    }
}
