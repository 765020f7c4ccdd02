import GodwitBatch
import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitClient

/// A device that was dark for longer than messages live asks for what it has missed (D-3).
@Suite("What expired while a device was dark")
struct HeadsTests {
    /// Takes what waits for a device out of its queue, as if its time had ended, and tells the device.
    private static func expire(_ hub: Hub, for device: Device) async throws -> [Message] {
        let items = await hub.drain(device.party)
        let messages = try items.filter { $0.kind == .message }.map { try Message(parsing: $0.body) }
        for item in items where item.kind != .message { await hub.push(item, to: device.party) }
        for chain in Dictionary(grouping: messages, by: { $0.conversation.text + $0.device.text }).values {
            try await hub.push(heads(of: chain, for: device, at: hub.time.now()).object, to: device.party)
        }
        return messages
    }

    private static func heads(of chain: [Message], for device: Device, at: Timestamp) throws -> ConversationHeads {
        let last = try #require(chain.max { $0.sequence < $1.sequence })
        return ConversationHeads(
            to: device.party, name: ConversationName(last.conversation, of: device.userID), author: last.author,
            heads: [
                .init(device: last.device, sequence: last.sequence, hash: last.hash, count: Int64(chain.count))
            ], since: chain.map(\.timestamp).min() ?? at, at: at)
    }

    private static func requests(_ hub: Hub) async throws -> [MessageRequest] {
        await hub.log.filter { $0.kind == .object }.compactMap { item in
            guard case .messageRequest(let request)? = try? ProtocolObject(parsing: item.body) else { return nil }
            return request
        }
    }

    @Test(
        "the newest messages of a chain come though nobody writes any more, from the journal or from the author",
        arguments: [true, false])
    func newest(journal: Bool) async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        await hub.setJournal(journal)
        try await amina.send(text: "zero", to: .user(layla.userID))
        try await families.settle()
        for text in ["one", "two"] { try await amina.send(text: text, to: .user(layla.userID)) }
        try await hub.collect(from: amina)
        #expect(try await Self.expire(hub, for: layla).count == 2)
        try await families.settle()
        #expect(try await layla.texts() == ["zero"])
        hub.time.advance(ClientTransaction.wantPatience)
        try await layla.prepareContact()
        try await families.settle()
        #expect(try await layla.texts() == ["zero", "one", "two"])
        #expect(try await layla.inbox().allSatisfy { !$0.followsGap && $0.hole == nil })
        #expect(try await Self.requests(hub).map(\.runs) == [[2]])
        #expect(try await layla.codes() == [])
    }

    @Test("a conversation of which the device knows nothing comes from where it was dark, however long it is")
    func unknown() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        await hub.setJournal(true)
        try await layla.send(text: "hello", to: .user(amina.userID))
        try await families.settle()
        // Of what was written first nothing is told.
        for number in 0..<3 { try await amina.send(text: "early \(number)", to: .user(layla.userID)) }
        try await hub.collect(from: amina)
        let early = await hub.drain(layla.party)
        try await layla.deliver(early.filter { $0.kind != .message })
        for number in 0..<150 { try await amina.send(text: "\(number)", to: .user(layla.userID)) }
        try await hub.collect(from: amina)
        #expect(try await Self.expire(hub, for: layla).count == 150)
        for _ in 0..<4 {
            try await families.settle()
            hub.time.advance(ClientTransaction.wantPatience)
            try await layla.prepareContact()
        }
        try await families.settle()
        let shown = try await layla.inbox(limit: 1_000)
        #expect(Set(shown.map(\.text)) == Set((0..<150).map(String.init)) && shown.count == 150)
        #expect(shown.allSatisfy { !$0.followsGap && $0.hole == nil })
        #expect(try await Self.requests(hub).flatMap(\.runs) == [64, 64, 22])
        #expect(try await layla.number("SELECT count(*) FROM client_want") == 0)
    }

    @Test("what is here already is not asked for, and a later message asks for the rest by itself")
    func known() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        for text in ["one", "two"] { try await amina.send(text: text, to: .user(layla.userID)) }
        try await families.settle()
        let messages = try await hub.log.filter { $0.kind == .message }.map { try Message(parsing: $0.body) }
        for chain in [messages, [messages[0]]] {
            try await hub.push(
                Self.heads(of: chain, for: layla, at: hub.time.now()).object, to: layla.party)
        }
        try await families.settle()
        #expect(try await layla.number("SELECT count(*) FROM client_want") == 0)
    }

    @Test("over Tier 3 another own device is asked at once, and its history spares the authors the question")
    func ownDevice() async throws {
        let families = try await Families(amina: 1, layla: 2, link: .preset(.broadband))
        let (hub, amina, old, dark) = (
            families.hub, families.amina[0], families.layla[0], families.layla[1]
        )
        try await amina.send(text: "zero", to: .user(old.userID))
        try await families.settle()
        for text in ["one", "two"] { try await amina.send(text: text, to: .user(old.userID)) }
        try await hub.collect(from: amina)
        #expect(try await Self.expire(hub, for: dark).count == 2)
        try await families.settle()
        #expect(Set(try await dark.texts()) == ["zero", "one", "two"])
        #expect(try await dark.inbox().filter { $0.text != "zero" }.allSatisfy { $0.isSynced })
        hub.time.advance(ClientTransaction.askPatience)
        try await dark.prepareContact()
        try await families.settle()
        #expect(try await Self.requests(hub).isEmpty)
        #expect(try await dark.number("SELECT count(*) FROM client_want") == 0)
    }

    @Test("on a thin link no history is asked for, only what is missing")
    func thin() async throws {
        let families = try await Families(amina: 1, layla: 2)
        let (hub, amina, old, dark) = (
            families.hub, families.amina[0], families.layla[0], families.layla[1]
        )
        await hub.setJournal(true)
        try await amina.send(text: "zero", to: .user(old.userID))
        try await families.settle()
        try await amina.send(text: "one", to: .user(old.userID))
        try await hub.collect(from: amina)
        #expect(try await Self.expire(hub, for: dark).count == 1)
        try await families.settle()
        #expect(try await dark.texts() == ["zero"])
        hub.time.advance(ClientTransaction.wantPatience)
        try await dark.prepareContact()
        try await families.settle()
        #expect(try await dark.texts() == ["zero", "one"])
        #expect(try await dark.inbox().allSatisfy { !$0.isSynced })
    }

    @Test("a hole that nobody could fill is filled by another own device")
    func filled() async throws {
        let families = try await Families(amina: 1, layla: 2)
        let (hub, amina, old, dark) = (
            families.hub, families.amina[0], families.layla[0], families.layla[1]
        )
        for text in ["zero", "one"] { try await amina.send(text: text, to: .user(old.userID)) }
        try await families.settle()
        try await dark.store.write { transaction in
            try transaction.run("UPDATE client_message SET lost = 'gone', content = x'7b7d' WHERE seq = 1")
        }
        #expect(try await dark.inbox().map { $0.hole?.reason } == [nil, "gone"])
        try await dark.requestHistory()
        try await hub.settle(families.all)
        #expect(try await dark.inbox().map(\.text) == ["zero", "one"])
        #expect(try await dark.inbox().allSatisfy { $0.hole == nil })
    }

    @Test("heads for another device, or of somebody who is not in the conversation, are refused with a warning")
    func foreign() async throws {
        let families = try await Families(amina: 1, layla: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        let scratch = try Scratch()
        let eve = try await hub.enrol("eve", in: scratch)
        try await amina.send(text: "one", to: .user(layla.userID))
        try await families.settle()
        let message = try #require(
            try await hub.log.filter { $0.kind == .message }.map { try Message(parsing: $0.body) }.first)
        var heads = try Self.heads(of: [message], for: layla, at: hub.time.now())
        heads.heads[0].sequence = 7
        heads.heads[0].hash = MessageHash(linking: [UInt8](repeating: 1, count: 32), after: nil)
        heads.author = eve.userID
        await hub.push(heads.object, to: layla.party)
        heads.author = amina.userID
        heads.to = amina.party
        await hub.push(heads.object, to: layla.party)
        try await families.settle()
        #expect(Set(try await layla.codes()) == [.malformed, .misdirected])
        #expect(try await layla.number("SELECT count(*) FROM client_want") == 0)
    }
}
