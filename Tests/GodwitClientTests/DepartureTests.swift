import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Whoever leaves reads nothing more, and nobody writes for those who have left (D-14, E2E-11).
@Suite("Departures from channels")
struct DepartureTests {
    struct Scene {
        var hub: Hub
        var id: ChannelID
        var devices: [Device]
        var scratches: [Scratch]
    }

    /// A channel whose members came in one after the other.
    static func scene(_ names: [String] = ["ines", "olena", "rafiq"]) async throws -> Scene {
        let hub = try Hub()
        var scene = Scene(hub: hub, id: try hub.channelID("#flood-response"), devices: [], scratches: [])
        for name in names {
            let scratch = try Scratch()
            let device = try await hub.enrol(name, in: scratch)
            scene.scratches.append(scratch)
            scene.devices.append(device)
            if scene.devices.count == 1 {
                try await device.createChannel(scene.id.name)
            } else {
                try await device.joinChannel(scene.id)
            }
            try await hub.settle(scene.devices)
        }
        return scene
    }

    private static func count(_ device: Device, _ sql: String) async throws -> Int64 {
        try await device.store.read { try $0.integer(sql) ?? 0 }
    }

    @Test("what is written after a removal cannot be read by the removed device, whatever a node sends to it")
    func unreadable() async throws {
        let scene = try await Self.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        try await devices[0].send(text: "for all three", to: .channel(id))
        try await hub.settle(devices)
        // The node keeps the removal from rafiq, and sends it all that follows, with all wraps.
        try await hub.remove(devices[2], from: id, sponsor: devices[1])
        _ = await hub.drain(devices[2].party)
        let rest = Array(devices.prefix(2))
        let before = await hub.log.count
        try await hub.settle(rest)
        try await devices[0].send(text: "for two", to: .channel(id))
        try await devices[1].send(text: "for two as well", to: .channel(id))
        try await hub.settle(rest)
        #expect(try await devices[0].texts() == ["for two as well"])
        #expect(try await devices[1].texts() == ["for all three", "for two"])
        let later = await Array(hub.log.dropFirst(before))
        #expect(later.contains { $0.kind == .message } && later.contains { $0.kind == .object })
        try await devices[2].deliver(later)
        let membership = try await devices[1].store.read { transaction in
            try transaction.rows("SELECT body FROM client_membership WHERE version = 4").first?.blob("body")
        }
        // Even shown the change without its own part in it, as if it had stayed.
        let change = try JSONObject.parse(try #require(membership)).omitting(["left"])
        await hub.push(hub.key.signed(change, purpose: .order), to: devices[2].party)
        try await devices[2].deliver(await hub.drain(devices[2].party))
        #expect(try await devices[2].texts() == ["for all three"])
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a device writes nothing in the old epoch once it knows of the removal; texts wait for the new one")
    func waiting() async throws {
        let scene = try await Self.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        try await hub.remove(devices[2], from: id, sponsor: devices[1])
        try await devices[0].deliver(await hub.drain(devices[0].party))
        #expect(try await devices[0].send(text: "later", to: .channel(id)).state == .waitingKeys)
        #expect(try await devices[0].channelDetails(id).waitsForEpoch)
        // The sponsor itself makes the epoch with the change, and writes at once.
        try await devices[1].deliver(await hub.drain(devices[1].party))
        #expect(try await devices[1].send(text: "now", to: .channel(id)).state == .sealed)
        try await hub.settle(Array(devices.prefix(2)))
        #expect(try await devices[0].outbox().last?.state == .atNode)
        #expect(try await devices[1].texts() == ["later"])
        let epochs = try await devices[0].store.read { transaction in
            try transaction.rows("SELECT epoch FROM client_outbox ORDER BY row").map { $0.blob("epoch") }
        }
        let newest = try await devices[1].store.read { transaction in
            try transaction.newestEpoch(of: #require(try transaction.channel(id)))?.name
        }
        #expect(epochs.last == newest)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("the removed device has left: no keys remain, what waited is refused, what was read stays; it may come back")
    func left() async throws {
        let scene = try await Self.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        try await devices[0].send(text: "read before", to: .channel(id))
        try await hub.settle(devices)
        try await hub.remove(devices[2], from: id, sponsor: devices[0])
        let gone = devices[2]
        try await gone.deliver(await hub.drain(gone.party))
        let channel = try #require(try await gone.channels().first)
        #expect(channel.state == .left && channel.members == 0)
        #expect(try await gone.codes() == [.removed])
        #expect(try await gone.texts() == ["read before"])
        await #expect(throws: ProtocolError.self) { try await gone.send(text: "still here", to: .channel(id)) }
        #expect(try await Self.count(gone, "SELECT count(*) FROM client_chain") == 0)
        #expect(try await Self.count(gone, "SELECT count(*) FROM client_epoch WHERE next IS NOT NULL") == 0)
        // What is late or repeated does nothing.
        try await devices[1].deliver(await hub.drain(devices[1].party))
        try await hub.settle(Array(devices.prefix(2)))
        let late = await hub.log.filter { $0.kind == .message }
        #expect(!late.isEmpty)
        try await gone.deliver(late)
        #expect(try await gone.status().pending == 0)
        try await gone.joinChannel(id)
        try await hub.settle(devices)
        #expect(try await gone.channels().first?.state == .member)
        try await devices[1].send(text: "back again", to: .channel(id))
        try await gone.send(text: "thank you", to: .channel(id))
        try await hub.settle(devices)
        #expect(try await gone.texts() == ["read before", "back again"])
        #expect(try await devices[0].texts().last == "thank you")
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a member without a wrap in the fresh epoch asks again and is let in by a join epoch")
    func withoutWrap() async throws {
        let scene = try await Self.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        var change = ChannelChange()
        change.left = [devices[2].party]
        // The sponsor came before it, and the node has not kept its key.
        try await devices[0].store.write { try $0.run("UPDATE client_member SET pre_key = NULL") }
        try await hub.carryOut(change, in: id, sponsor: devices[0].party, without: [devices[1].party])
        let rest = Array(devices.prefix(2))
        try await hub.settle(rest)
        #expect(try await devices[0].channels().first?.state == .member)
        #expect(try await devices[1].channels().first?.state == .joining)
        #expect(try await devices[1].send(text: "held", to: .channel(id)).state == .waitingKeys)
        hub.time.advance(ClientTransaction.joinPatience)
        try await devices[1].prepareContact()
        try await hub.settle(rest)
        #expect(try await devices[1].channels().first?.state == .member)
        #expect(try await devices[0].texts() == ["held"])
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a sponsor waits for the keys that it lacks; of those who came after it, it has them")
    func keys() async throws {
        for sponsor in [0, 1] {
            let scene = try await Self.scene()
            let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
            var change = ChannelChange()
            change.left = [devices[2].party]
            let made = try await hub.make(change, in: id, sponsor: devices[sponsor].party)
            await hub.introduce(devices.map(\.userID), to: devices[sponsor].party)
            await hub.push(made.membership, to: devices[sponsor].party)
            try await devices[sponsor].deliver(await hub.drain(devices[sponsor].party))
            let made1 = try await devices[sponsor].handOver().filter { $0.kind == .object }
            // ines was first and has seen all come; olena has not seen ines.
            #expect(made1.count == (sponsor == 0 ? 1 : 0))
            guard sponsor == 1 else { continue }
            await hub.push(try #require(made.keys).object, to: devices[1].party)
            try await devices[1].deliver(await hub.drain(devices[1].party))
            let epoch = try #require(try await devices[1].handOver().first { $0.kind == .object })
            guard case .epoch(let start) = try ProtocolObject(parsing: epoch.body) else {
                return #expect(Bool(false), "no epoch")
            }
            #expect(start.wraps.map(\.userID) == [devices[0].userID] && start.predecessor != nil)
            withExtendedLifetime(scene.scratches) {}
        }
    }

    @Test(
        "a change that takes out a stranger, or was signed for other members, is not applied; one that is early waits")
    func hostile() async throws {
        let scene = try await Self.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        let reader = devices[1]
        func state() async throws -> [String] {
            try await reader.store.read { transaction in
                try ["client_member", "client_role"].flatMap { table in
                    try transaction.rows("SELECT * FROM \(table)").map { "\($0)" }
                }
            }
        }
        func signed(_ version: Int64, left: Party?, set: [Party], by key: SigningKey? = nil) throws -> JSONObject {
            var change = ChannelChange()
            change.left = left.map { [$0] } ?? []
            change.isFresh = left != nil
            if left == nil { change.roles = [RoleGrant(userID: devices[2].userID, role: .moderator)] }
            let unsigned = Membership.unsigned(
                channel: id, version: version, at: hub.time.now(), joined: [],
                deviceSet: MemberList(channel: id, version: version, devices: set).hash,
                sponsor: left == nil ? nil : devices[0].party, change: change)
            return (key ?? hub.key).signed(unsigned, purpose: .order)
        }
        let all = devices.map(\.party)
        let ghost = Party.device(devices[0].userID, devices[1].deviceID)
        let before = try await state()
        for object in try [
            signed(4, left: ghost, set: all), signed(4, left: all[2], set: all),
            signed(4, left: all[2], set: [all[0], all[1]], by: .generate()),
        ] {
            await hub.push(object, to: reader.party)
            try await reader.deliver(await hub.drain(reader.party))
            #expect(try await state() == before)
        }
        #expect(try await reader.codes() == [.badSignature, .epochMismatch, .malformed])
        // The second of two changes comes first.
        await hub.push(try signed(5, left: all[2], set: [all[0], all[1]]), to: reader.party)
        try await reader.deliver(await hub.drain(reader.party))
        #expect(try await state() == before)
        #expect(try await reader.status().pending == 1)
        await hub.push(try signed(4, left: nil, set: all), to: reader.party)
        try await reader.deliver(await hub.drain(reader.party))
        #expect(try await reader.status().pending == 0)
        #expect(try await reader.channelDetails(id).members.map(\.user) == [devices[0].userID, devices[1].userID])
        // Again, both do nothing.
        let after = try await state()
        for version in [4, 5] as [Int64] {
            await hub.push(try signed(version, left: version == 5 ? all[2] : nil, set: all), to: reader.party)
        }
        try await reader.deliver(await hub.drain(reader.party))
        #expect(try await state() == after)
        withExtendedLifetime(scene.scratches) {}
    }

    @Test("a device that is told that it is out, by an empty list or by the channel's end, drops its keys")
    func ended() async throws {
        for isEnd in [true, false] {
            let scene = try await Self.scene(["ines", "olena"])
            let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
            if isEnd {
                var change = ChannelChange()
                change.isEnd = true
                try await hub.carryOut(change, in: id)
            } else {
                await hub.push(MemberList(channel: id, version: 9, devices: []).object, to: devices[1].party)
            }
            try await devices[1].deliver(await hub.drain(devices[1].party))
            #expect(try await devices[1].channels().first?.state == .left)
            #expect(try await Self.count(devices[1], "SELECT count(*) FROM client_chain") == 0)
            #expect(try await devices[1].channelEvents(of: id).first?.action == (isEnd ? "deleted" : "left"))
            withExtendedLifetime(scene.scratches) {}
        }
    }

    @Test("a distribution costs at most 80 bytes on the wire for each reading device (D-14)")
    func size() async throws {
        let names = (0..<17).map { "member-\($0)" }
        let scene = try await Self.scene(names)
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        try await hub.remove(devices[16], from: id, sponsor: devices[0])
        try await devices[0].deliver(await hub.drain(devices[0].party))
        let item = try #require(
            try await devices[0].handOver().last { item in
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
        withExtendedLifetime(scene.scratches) {}
    }
}
