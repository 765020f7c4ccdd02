import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Rotation of sessions (E2E-11, D-13)")
struct SessionRotationTests {
    private static let day: Int64 = 86_400_000

    private func form(_ message: Message) throws -> UInt8 { try #require(message.encryption.header.first) }

    private func say(_ text: String, from author: Device, to reader: Device, _ house: Household) async throws {
        try await author.send(text: text, to: .user(reader.userID))
        try await house.hub.settle(house.all)
    }

    /// An answered conversation: Amina has the newest chain of the two, and has written in it.
    private func talking() async throws -> Household {
        let house = try await Household()
        try await say("a0", from: house.amina, to: house.layla[0], house)
        try await say("l0", from: house.layla[0], to: house.amina, house)
        try await say("a1", from: house.amina, to: house.layla[0], house)
        return house
    }

    /// Seals a text without anything of it leaving the hub; the message is what Layla will get.
    private func write(_ text: String, _ house: Household) async throws -> BatchItem {
        try await house.amina.send(text: text, to: .user(house.layla[0].userID))
        try await house.hub.collect(from: house.amina)
        return try #require(await house.hub.drain(house.layla[0].party).last { $0.kind == .message })
    }

    private func sessions(_ device: Device) async throws -> Int64 {
        try await device.number("SELECT count(*) FROM client_session") ?? 0
    }

    @Test("the 1,001st message without an answer goes in a new session, and all are read in any order")
    func messages() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "0", to: .user(layla.userID))
        try await house.lookUp()
        let target = MessageTarget.user(layla.userID)
        try await amina.store.write { transaction in
            for number in 1..<1_002 {
                _ = try transaction.compose(Device.content("\(number)", .plain), to: target)
            }
        }
        try await house.hub.collect(from: amina)
        let sent = try await house.hub.messages(to: layla.party)
        #expect(sent.count == 1_002)
        #expect(Set(sent.prefix(1_000).map(\.encryption.keyID)).count == 1)
        #expect(sent[1_000].encryption.keyID != sent[999].encryption.keyID)
        #expect(try sent.map(form) == [UInt8](repeating: 3, count: 1_000) + [6, 6])
        var random = SeededRandom(5)
        let items = await house.hub.drain(layla.party)
        let others = items.filter { $0.kind != .message }
        try await layla.deliver(others + items.filter { $0.kind == .message }.shuffled(using: &random))
        // So many out of order are shown with gaps; none is missing.
        #expect(try await layla.texts().compactMap { Int($0) }.sorted() == Array(0..<1_002))
        #expect(try await layla.codes() == [])
    }

    @Test("a chain is used for 24 hours of uptime after its first message, whatever the clock on the wall says")
    func hours() async throws {
        let house = try await talking()
        let before = try #require(try await house.amina.session(with: house.layla[0]))
        house.hub.time.jump(5 * Self.day)
        #expect(try await house.amina.session(with: house.layla[0])?.id == before.id)
        house.hub.time.jump(-5 * Self.day)
        house.hub.time.advance(Self.day - 1)
        #expect(try await house.amina.session(with: house.layla[0])?.id == before.id)
        house.hub.time.advance(1)
        let item = try await write("next day", house)
        let message = try Message(parsing: item.body)
        #expect(message.encryption.keyID != before.id)
        #expect(try form(message) == 4)
        try await house.layla[0].deliver([item])
        #expect(try await house.layla[0].texts() == ["a0", "a1", "next day"])
        try await say("answer", from: house.layla[0], to: house.amina, house)
        let after = try await write("and on", house)
        #expect(try Message(parsing: after.body).encryption.keyID == message.encryption.keyID)
        #expect(try form(Message(parsing: after.body)) == 1)
    }

    @Test("an answer turns the ratchet: a conversation that goes to and fro needs no rotation")
    func answered() async throws {
        let house = try await talking()
        let before = try #require(try await house.amina.session(with: house.layla[0]))
        for number in 0..<4 {
            house.hub.time.advance(Self.day * 3 / 4)
            try await say("l\(number)", from: house.layla[0], to: house.amina, house)
            try await say("a\(number)", from: house.amina, to: house.layla[0], house)
        }
        #expect(try await house.amina.session(with: house.layla[0])?.id == before.id)
        #expect(try await sessions(house.layla[0]) == 1)
    }

    @Test("when both sides rotate at the same time, both are read and one session goes on")
    func simultaneous() async throws {
        let house = try await talking()
        let (amina, layla) = (house.amina, house.layla[0])
        let user = amina.userID
        try await layla.store.write { try $0.lookUp(user, refresh: true) }
        try await house.hub.settle(house.all)
        // Both have written in their newest chains, and neither has heard of the other's.
        try await layla.send(text: "l1", to: .user(amina.userID))
        try await house.hub.collect(from: layla)
        house.hub.time.advance(Self.day)
        try await amina.send(text: "from amina", to: .user(layla.userID))
        try await layla.send(text: "from layla", to: .user(amina.userID))
        for device in house.all { try await house.hub.collect(from: device) }
        let ids = [
            try #require(try await house.hub.messages(to: layla.party).last).encryption.keyID,
            try #require(try await house.hub.messages(to: amina.party).last).encryption.keyID,
        ]
        #expect(ids[0] != ids[1])
        for device in house.all { try await device.deliver(await house.hub.drain(device.party)) }
        #expect(try await layla.texts().last == "from amina")
        #expect(try await amina.texts().last == "from layla")
        let chosen = [
            try await amina.session(with: layla)?.id, try await layla.session(with: amina)?.id,
        ]
        #expect(chosen == [ids.min(), ids.min()])
        for number in 0..<3 {
            try await say("a\(number)", from: amina, to: layla, house)
            try await say("l\(number)", from: layla, to: amina, house)
        }
        #expect(try await layla.texts().suffix(3) == ["a0", "a1", "a2"])
        for device in house.all { #expect(try await device.codes() == []) }
    }

    @Test("a rotation that was lost does not keep the next one from being read, nor itself when it comes after all")
    func lostRotation() async throws {
        let house = try await talking()
        let layla = house.layla[0]
        house.hub.time.advance(Self.day)
        let lost = try await write("first", house)
        house.hub.time.advance(Self.day)
        let second = try await write("second", house)
        house.hub.time.advance(Self.day)
        let third = try await write("third", house)
        let ids = try [lost, second, third].map { try Message(parsing: $0.body).encryption.keyID }
        #expect(Set(ids).count == 3)
        try await layla.deliver([third, second])
        #expect(try await layla.status().held == 2)
        #expect(try await layla.codes() == [])
        try await layla.deliver([lost])
        #expect(try await layla.texts().suffix(3) == ["first", "second", "third"])
        // The newest of those that came is answered on.
        #expect(try await layla.session(with: house.amina)?.id == ids[2])
    }

    @Test("a rotation of an unanswered first contact is read where nothing of the first contact ever came")
    func lostFirstContact() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "lost", to: .user(layla.userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        let first = await house.hub.drain(layla.party)
        house.hub.time.advance(Self.day)
        let next = try await write("next", house)
        #expect(try form(Message(parsing: next.body)) == 6)
        try await layla.deliver(first.filter { $0.kind != .message } + [next])
        #expect(try await layla.status().held == 1)
        #expect(try await layla.codes() == [])
        #expect(try await layla.status().oneTimePreKeys == Device.oneTimePreKeyCount - 1)
        try await layla.deliver(first)
        #expect(try await layla.texts() == ["lost", "next"])
        #expect(try await layla.codes() == [])
    }

    @Test("an old pre-key is asked for anew before it is used; the session goes on meanwhile")
    func oldPreKey() async throws {
        let house = try await talking()
        let (amina, layla) = (house.amina, house.layla[0])
        let before = try #require(try await amina.session(with: layla))
        house.hub.time.advance(7 * Self.day)
        try await amina.send(text: "later", to: .user(layla.userID))
        try await house.hub.collect(from: amina)
        let sent = try #require(try await house.hub.messages(to: layla.party).first)
        #expect(sent.encryption.keyID == before.id)
        let asked = await house.hub.log.compactMap { try? ProtocolObject(parsing: $0.body) }.filter { object in
            if case .lookup(let lookup) = object { lookup.isRefresh } else { false }
        }
        #expect(asked.count == 1)
        try await house.hub.settle(house.all)
        #expect(try await amina.session(with: layla)?.id != before.id)
        try await say("on", from: amina, to: layla, house)
        #expect(try await layla.texts().suffix(2) == ["later", "on"])
    }

    @Test("45 daily rotations without an answer leave at most 40 sessions at either end, and no message unread")
    func bounded() async throws {
        let house = try await Household()
        let (amina, layla) = (house.amina, house.layla[0])
        try await amina.send(text: "0", to: .user(layla.userID))
        try await house.lookUp()
        try await house.hub.collect(from: amina)
        var waiting = await house.hub.drain(layla.party)
        for number in 1..<46 {
            house.hub.time.advance(Self.day)
            try await amina.send(text: "\(number)", to: .user(layla.userID))
            try await house.lookUp()
            waiting += await house.hub.drain(layla.party).filter { $0.kind == .message }
            // Layla's home node keeps what her device will read.
            #expect(try await sessions(amina) <= 41)
        }
        var random = SeededRandom(9)
        let messages = waiting.filter { $0.kind == .message }
        #expect(messages.count == 46)
        #expect(try Set(messages.map { try Message(parsing: $0.body).encryption.keyID }).count >= 38)
        try await layla.deliver(waiting.filter { $0.kind != .message } + messages.shuffled(using: &random))
        #expect(try await layla.texts() == (0..<46).map { "\($0)" })
        #expect(try await layla.codes() == [])
        #expect(try await sessions(layla) <= 42)
        try await say("there you are", from: layla, to: amina, house)
        #expect(try await amina.texts() == ["there you are"])
    }

    @Test("sessions that nothing can come for any more are forgotten, the one in use and its parent are not")
    func forgotten() async throws {
        let house = try await talking()
        let (amina, layla) = (house.amina, house.layla[0])
        for _ in 0..<3 {
            house.hub.time.advance(Self.day)
            try await say("a", from: amina, to: layla, house)
        }
        #expect(try await sessions(amina) == 4)
        house.hub.time.advance(ClientTransaction.keptAgeMax)
        for device in house.all { try await device.prepareContact() }
        for device in house.all { #expect(try await sessions(device) == 2) }
        try await say("after the silence", from: layla, to: amina, house)
        #expect(try await amina.texts().last == "after the silence")
        #expect(try await amina.codes() == [])
    }
}
