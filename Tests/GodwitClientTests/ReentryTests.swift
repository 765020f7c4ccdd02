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
    private typealias Room = (hub: Hub, id: ChannelID, devices: [Device], scratches: [Scratch])

    /// People with a device each, of whom the first has made a channel.
    private func room(_ names: [String]) async throws -> Room {
        let hub = try Hub()
        let scratches = try names.map { _ in try Scratch() }
        var devices: [Device] = []
        for (name, scratch) in zip(names, scratches) { devices.append(try await hub.enrol(name, in: scratch)) }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        return (hub, id, devices, scratches)
    }

    @Test("who asks to be let in again is nobody new: a reader waits for none of what was never for it (D-3)")
    func askedAgain() async throws {
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq"])
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
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq"])
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
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq"])
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

    @Test(
        "what was asked for before leaving and refused since comes without a word; unasked it is one in a first stay",
        arguments: [true, false])
    func unasked(hasLeft: Bool) async throws {
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq"])
        let (olena, rafiq) = (devices[1], devices[2])
        for device in devices.dropFirst() { try await device.joinChannel(id) }
        try await hub.settle(devices)
        try await olena.send(text: "kept", to: .channel(id))
        try await hub.settle([devices[0], olena])
        _ = await hub.drain(rafiq.party)
        try await olena.send(text: "last", to: .channel(id))
        try await hub.settle(devices)
        hub.time.advance(ClientTransaction.wantPatience)
        try await rafiq.prepareContact()
        if hasLeft {
            try await hub.collect(from: rafiq)
            try await hub.remove(rafiq, from: id, sponsor: devices[0])
            try await hub.settle([devices[0], rafiq])
            try await rafiq.joinChannel(id)
            try await hub.settle([devices[0], rafiq])
        }
        // As a refusal of the request leaves it.
        for change in [
            "DELETE FROM client_want", "DELETE FROM client_message WHERE lost IS NOT NULL",
            "UPDATE client_message SET gap = 0, starts = 1, shown = 1 WHERE shown IS NULL OR gap = 1",
        ] { try await rafiq.execute(change) }
        let shown = try await rafiq.texts()
        try await hub.settle(devices)
        #expect(try await olena.number("SELECT count(*) FROM client_reseal WHERE times = 1") == 1)
        #expect(try await rafiq.codes().contains(.misdirected) == !hasLeft)
        #expect(try await rafiq.texts() == shown)
        withExtendedLifetime(scratches) {}
    }

    @Test(
        "an author that was taken out seals again for those who were members before, back in or not (D-3)",
        arguments: [true, false])
    func sealsAgain(isBack: Bool) async throws {
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq"])
        let (olena, rafiq) = (devices[1], devices[2])
        for device in devices.dropFirst() {
            try await device.joinChannel(id)
            try await hub.settle(devices)
        }
        for text in ["before", "kept", "last"] {
            try await olena.send(text: text, to: .channel(id))
            try await hub.settle([devices[0], olena])
            guard text == "kept" else { continue }
            // It expires on the way to rafiq.
            let items = await hub.drain(rafiq.party)
            for item in items.dropLast() { await hub.push(item, to: rafiq.party) }
        }
        try await hub.remove(olena, from: id, sponsor: devices[0])
        try await hub.settle([devices[0], olena])
        if isBack {
            try await olena.joinChannel(id)
            try await hub.settle(devices)
        }
        try await hub.settle([rafiq])
        hub.time.advance(ClientTransaction.wantPatience)
        try await rafiq.prepareContact()
        try await hub.settle(devices)
        #expect(try await rafiq.texts() == ["before", "kept", "last"])
        #expect(try await rafiq.inbox().map { $0.late?.reason } == [nil, "missing", nil])
        #expect(try await rafiq.status().held == 0)
        withExtendedLifetime(scratches) {}
    }

    @Test("who calls rarely waits for three contacts, and never for so long that what waits is gone (D-14)")
    func pace() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        func patience(_ least: Int64) async throws -> Int64 { try await ines.store.read { try $0.patience(least) } }
        let (hour, day) = (Int64(3_600_000), Int64(86_400_000))
        // Nothing is known of three distances yet.
        for _ in 0..<3 {
            try await ines.prepareContact()
            #expect(try await patience(hour) == hour)
            hub.time.advance(2 * day)
        }
        try await ines.prepareContact()
        #expect(try await patience(hour) == 6 * day)
        #expect(try await patience(7 * day) == 7 * day)
        // One dark month changes nothing, a life of them does.
        for (month, most) in [(1, 6 * day), (2, 6 * day), (3, 10 * day)] {
            hub.time.advance(30 * day)
            try await ines.prepareContact()
            #expect(try await patience(hour) == most, "after \(month) months")
        }
        withExtendedLifetime(scratch) {}
    }

    @Test("a device that has missed changes and epochs for good asks to be let in again, once (D-14)")
    func missed() async throws {
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq", "layla"])
        let (olena, rest) = (devices[1], [devices[0], devices[2], devices[3]])
        try await olena.joinChannel(id)
        try await hub.settle(devices)
        // It calls every ten minutes; what has not come after three contacts is late.
        for _ in 0..<4 {
            hub.time.advance(ClientTransaction.changePatience)
            try await olena.prepareContact()
        }
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
        for contact in 1...6 {
            hub.time.advance(ClientTransaction.changePatience)
            try await olena.prepareContact()
            #expect(try await olena.channels().map(\.state) == [contact < 3 ? .member : .joining], "\(contact)")
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

    @Test(
        "an epoch from between the last known change and the list of members is read in, and not written in (D-14)",
        arguments: [true, false])
    func passedEpoch(isWrapped: Bool) async throws {
        let (hub, id, devices, scratches) = try await room(["ines", "olena", "rafiq", "layla"])
        let (ines, olena, rest) = (devices[0], devices[1], [devices[0], devices[2], devices[3]])
        try await olena.joinChannel(id)
        try await hub.settle(devices)
        // While it is dark another one comes in, and an epoch starts by time: all of that is late.
        try await devices[2].joinChannel(id)
        try await hub.settle(rest)
        try await ines.prepareContact()
        hub.time.advance(ClientTransaction.epochTime)
        try await ines.prepareContact()
        try await ines.send(text: "asks for keys", to: .channel(id))
        try await hub.settle(rest)
        try await ines.send(text: "between", to: .channel(id))
        try await hub.settle(rest)
        let late = await hub.drain(olena.party)
        let starts = try late.filter { item in
            guard item.kind == .object, case .epoch = try ProtocolObject(parsing: item.body) else { return false }
            return isWrapped
        }
        let message = try #require(late.last { $0.kind == .message })
        try #require(starts.isEmpty != isWrapped)
        // A third one's coming, and the own asking again, bring the members as a list.
        try await devices[3].joinChannel(id)
        try await hub.settle(rest)
        _ = await hub.drain(olena.party)
        for item in late {
            guard item.kind == .object, case .introduction = try ProtocolObject(parsing: item.body) else { continue }
            try await olena.deliver([item])
        }
        let joiner = try #require(await hub.joiners[olena.party])
        try await hub.join(id, joiner)
        try await hub.settle(devices)
        let writes = try await olena.store.read { transaction in
            try transaction.channel(id).flatMap { try transaction.writingEpoch(of: $0)?.name }
        }
        try await olena.deliver(starts + [message])
        // Read, and held back for the one before it; or waiting for a secret.
        let status = try await olena.status()
        #expect(status.held == (isWrapped ? 1 : 0) && status.pending == (isWrapped ? 0 : 1))
        #expect(try await olena.codes() == [])
        let after = try await olena.store.read { transaction in
            try transaction.channel(id).flatMap { try transaction.writingEpoch(of: $0)?.name }
        }
        #expect(after == writes && writes != nil)
        // What cannot be read from what has come is asked for.
        for _ in 0..<3 {
            try await olena.prepareContact()
            hub.time.advance(ClientTransaction.wantPatience)
            try await olena.prepareContact()
            try await hub.settle(devices)
        }
        let shown = try await olena.inbox()
        #expect(shown.map(\.text) == ["between", "asks for keys"])
        #expect(shown.last?.late != nil && shown.last?.isOvertaken == true)
        withExtendedLifetime(scratches) {}
        #expect(try await olena.codes() == [])
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

    @Test("a hole after a message that is there follows no gap, also in a chain that was begun anew (D-3)")
    func holeWithoutHead() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        try await amina.send(text: "zero", to: .user(layla.userID))
        try await families.settle()
        for text in ["one", "two"] { try await amina.send(text: text, to: .user(layla.userID)) }
        try await hub.collect(from: amina)
        let messages = await hub.drain(layla.party).filter { $0.kind == .message }
        let missing = try Message(parsing: messages[0].body)
        try await layla.deliver([messages[1]])
        // As where a channel was left and entered again.
        try await layla.execute("DELETE FROM client_head")
        let answer = MessageAnswer.unsigned(
            from: .node(hub.id), to: DeviceAddress(user: layla.userID, device: layla.deviceID),
            author: DeviceAddress(user: amina.userID, device: amina.deviceID),
            holes: [Array(missing.hash.bytes.prefix(10)): .gone], at: hub.time.now())
        await hub.push(answer, to: layla.party)
        try await families.settle()
        let shown = try await layla.inbox()
        #expect(shown.map(\.text) == ["zero", "", "two"])
        #expect(shown.map { $0.hole?.reason } == [nil, "gone", nil])
        #expect(shown.allSatisfy { !$0.followsGap })
    }
}
