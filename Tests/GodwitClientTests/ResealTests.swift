import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Messages that cannot be opened are sealed again (D-3, D-13)")
struct ResealTests {
    private struct Pair {
        var hub: Hub
        var amina: Device
        var layla: Device
        var laylasKey: SigningKey
        var scratches: [Scratch]
        var all: [Device] { [amina, layla] }
    }

    /// Amina has written to Layla and has been answered.
    private func pair() async throws -> Pair {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let amina = try await hub.enrol("amina", in: scratches[0])
        let key = try SigningKey.generate()
        let layla = try await hub.enrol("layla", in: scratches[1], key: key)
        let pair = Pair(hub: hub, amina: amina, layla: layla, laylasKey: key, scratches: scratches)
        try await amina.send(text: "zero", to: .user(layla.userID))
        try await hub.settle(pair.all)
        try await layla.send(text: "heard", to: .user(amina.userID))
        try await hub.settle(pair.all)
        return pair
    }

    /// What a device's sessions are worth after its store was damaged.
    private func loseSessions(_ device: Device) async throws {
        try await device.store.write { try $0.run("DELETE FROM client_session") }
    }

    private func requests(_ hub: Hub) async throws -> [MessageRequest] {
        try await hub.log.filter { $0.kind == .object }.compactMap { item in
            guard case .messageRequest(let request) = try ProtocolObject(parsing: item.body) else { return nil }
            return request
        }
    }

    @Test("a message of a lost session is shown in its place, with the reason, once its author has sealed it again")
    func lostSession() async throws {
        let pair = try await pair()
        try await loseSessions(pair.layla)
        for text in ["one", "two"] { try await pair.amina.send(text: text, to: .user(pair.layla.userID)) }
        try await pair.hub.settle(pair.all)
        #expect(try await pair.layla.texts() == ["zero"])
        pair.hub.time.advance(ClientTransaction.wantPatience)
        try await pair.layla.prepareContact()
        // Until the answer comes both are holes with a reason.
        let holes = try await pair.layla.inbox().dropFirst()
        #expect(holes.map(\.hole?.reason) == ["unknown_session", "unknown_session"])
        #expect(holes.allSatisfy { $0.hole?.isAskedFor ?? false })
        try await pair.hub.settle(pair.all)
        let shown = try await pair.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "one", "two"])
        #expect(shown.map(\.late?.reason) == [nil, "unknown_session", "unknown_session"])
        #expect(shown.allSatisfy { $0.hole == nil && !$0.followsGap })
        let sent = try await requests(pair.hub)
        #expect(sent.count == 1)
        #expect(sent.first?.items.count == 2)
        #expect(try await pair.layla.status().wanted == 0)
        #expect(try await pair.layla.codes() == [])
        #expect(try await pair.amina.outbox().allSatisfy { $0.state == .delivered })
    }

    @Test(
        "what follows from a first contact whose pre-key is gone is sealed again over a new one, at the first request")
    func deadFirstContact() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let amina = try await hub.enrol("amina", in: scratches[0])
        let layla = try await hub.enrol("layla", in: scratches[1])
        // The first contact expires on its way, and its pre-key is gone by the time that the next comes.
        try await amina.send(text: "lost", to: .user(layla.userID))
        try await hub.settle([amina])
        let first = await hub.drain(layla.party)
        try await layla.deliver(first.filter { $0.kind != .message })
        let lost = try #require(try first.filter { $0.kind == .message }.map { try Message(parsing: $0.body) }.first)
        let used = try #require(try SessionHeader(lost.encryption.header).preKey?.oneTimePreKeyID)
        try await layla.execute("DELETE FROM client_one_time_key WHERE id = \(used)")
        hub.time.advance(86_400_000)
        for text in ["one", "two"] {
            try await amina.send(text: text, to: .user(layla.userID))
            try await hub.settle([amina, layla])
        }
        for _ in 0..<2 {
            hub.time.advance(ClientTransaction.wantPatience)
            try await layla.prepareContact()
            try await hub.settle([amina, layla])
        }
        #expect(try await layla.texts().sorted() == ["lost", "one", "two"])
        let times = try await amina.store.read {
            try $0.rows("SELECT times FROM client_reseal").map { $0["times"] as Int64 }
        }
        #expect(times.max() == 1)
        #expect(try await layla.status().wanted == 0)
        withExtendedLifetime(scratches) {}
    }

    @Test("after a session was lost, what is written next goes over the new one")
    func nextMessage() async throws {
        let pair = try await pair()
        try await loseSessions(pair.layla)
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        pair.hub.time.advance(ClientTransaction.wantPatience)
        try await pair.layla.prepareContact()
        try await pair.hub.settle(pair.all)
        try await pair.amina.send(text: "two", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        let shown = try await pair.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "one", "two"])
        #expect(shown.last?.late == nil)
    }

    @Test("a first message whose pre-key is gone is asked for at once and sealed again with the current one")
    func preKeyGone() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let amina = try await hub.enrol("amina", in: scratches[0])
        let layla = try await hub.enrol("layla", in: scratches[1])
        try await layla.store.write { try $0.run("DELETE FROM client_one_time_key WHERE id = 1") }
        try await amina.send(text: "Room ready?", to: .user(layla.userID))
        try await hub.settle([amina, layla])
        let shown = try await layla.inbox()
        #expect(shown.map(\.text) == ["Room ready?"])
        #expect(shown.map(\.late?.reason) == ["pre_key_gone"])
        #expect(try await layla.codes() == [])
    }

    @Test("what the author no longer has is a hole that says so, and holds up nothing")
    func gone() async throws {
        let pair = try await pair()
        try await loseSessions(pair.layla)
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        try await pair.amina.store.write { try $0.run("DELETE FROM client_sealed") }
        pair.hub.time.advance(ClientTransaction.wantPatience)
        try await pair.layla.prepareContact()
        try await pair.hub.settle(pair.all)
        try await pair.amina.send(text: "two", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        let shown = try await pair.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "", "two"])
        #expect(shown[1].hole == MessageHole("gone"))
        #expect(shown[1].hole?.isAskedFor == false)
        #expect(try await pair.layla.status().wanted == 0)
    }

    @Test("the first form that opens after all is shown once, whatever comes later of the second")
    func bothForms() async throws {
        let pair = try await pair()
        try await pair.layla.store.write { try $0.run("UPDATE client_session SET session = 'lost ' || session") }
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        pair.hub.time.advance(ClientTransaction.wantPatience)
        try await pair.layla.prepareContact()
        try await pair.hub.collect(from: pair.layla)
        try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
        // The session comes back, say from the other one's first message on another path.
        try await pair.layla.store.write { transaction in
            for row in try transaction.rows("SELECT session FROM client_session WHERE session LIKE 'lost %'") {
                let session = String((row["session"] as String).dropFirst(5))
                try transaction.run(
                    "UPDATE client_session SET session = ? WHERE session = ?", [session, row["session"] as String])
                transaction.arrived.append(.session(session))
            }
        }
        #expect(try await pair.layla.texts() == ["zero", "one"])
        try await pair.hub.settle(pair.all)
        let shown = try await pair.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "one"])
        #expect(shown.allSatisfy { $0.late == nil && $0.hole == nil })
        #expect(try await pair.layla.codes() == [])
    }

    /// A message of Amina's that Layla's device asks for, and what Amina's device says to that.
    private struct Asked {
        var pair: Pair
        var hash: MessageHash

        init(_ pair: Pair) async throws {
            self.pair = pair
            try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
            try await pair.hub.settle(pair.all)
            hash = try #require(try await pair.amina.outbox().last?.hash)
        }

        /// - Parameter session: one in which it could not be read.
        func request(_ number: Int64, failed session: String? = nil, signedBy device: Device? = nil) -> BatchItem {
            let question = MessageRequest.Question(
                from: DeviceAddress(user: pair.layla.userID, device: pair.layla.deviceID),
                to: DeviceAddress(user: pair.amina.userID, device: pair.amina.deviceID),
                name: ConversationName(.between(pair.amina.userID, pair.layla.userID), of: pair.layla.userID),
                reason: session == nil ? .keyGone : .unknownSession, items: [Array(hash.bytes.prefix(10))],
                sessions: session.map { [$0] } ?? [])
            let unsigned = MessageRequest.unsigned(question, number: number, at: pair.hub.time.now())
            let object = (device ?? pair.layla).store.context.signing.signed(unsigned, purpose: .reseal)
            return BatchItem(
                kind: .object, body: object.canonicalBytes(), created: pair.hub.time.now(), priority: .control)
        }

        /// Sessions in which it was sealed again, and reasons why it was not.
        func answers() async throws -> [String] {
            // With the answer to a lookup, where a session had to be opened first.
            try await pair.hub.collect(from: pair.amina)
            try await pair.amina.deliver(await pair.hub.drain(pair.amina.party))
            try await pair.hub.collect(from: pair.amina)
            return try await pair.hub.drain(pair.layla.party).compactMap { item in
                guard item.kind == .object else { return nil }
                switch try ProtocolObject(parsing: item.body) {
                case .resealed(let resealed): return resealed.encryption.keyID
                case .messageAnswer(let answer): return answer.holes.values.first?.rawValue
                default: return nil
                }
            }
        }
    }

    @Test("a request that comes again does nothing; one message is sealed again three times for one device")
    func limits() async throws {
        let asked = try await Asked(pair())
        let amina = asked.pair.amina
        var failed: String?
        for number in [1001, 1002, 1003] as [Int64] {
            let request = asked.request(number, failed: failed)
            try await amina.deliver([request, request])
            let answers = try await asked.answers()
            #expect(answers.count == 1 && answers != [failed ?? ""] && answers != ["too_often"])
            try await amina.deliver([request, asked.request(number - 1, failed: failed)])
            #expect(try await asked.answers() == [])
            failed = answers.first
        }
        try await amina.deliver([asked.request(1004, failed: failed)])
        #expect(try await asked.answers() == ["too_often"])
        // Somebody else's signature.
        try await amina.deliver([asked.request(1005, signedBy: amina)])
        #expect(try await asked.answers() == [])
        #expect(try await amina.codes() == [.badSignature])
    }

    @Test("requests that cross the sealing again on their way bring no second one, as long as the first may come")
    func crossing() async throws {
        let asked = try await Asked(pair())
        let (amina, time) = (asked.pair.amina, asked.pair.hub.time)
        try await amina.deliver([asked.request(1001)])
        #expect(try await asked.answers().count == 1)
        for number in [1002, 1003, 1004, 1005] as [Int64] {
            try await amina.deliver([asked.request(number), asked.request(number + 100, failed: "another")])
            #expect(try await asked.answers() == [])
        }
        try await amina.prepareContact()
        time.advance(ClientTransaction.resealPatience - 1)
        try await amina.prepareContact()
        try await amina.deliver([asked.request(2001)])
        #expect(try await asked.answers() == [])
        time.advance(1)
        try await amina.prepareContact()
        // Which request it was is remembered all the same.
        try await amina.deliver([asked.request(2001)])
        #expect(try await asked.answers() == [])
        try await amina.deliver([asked.request(2002)])
        #expect(try await asked.answers().count == 1)
    }

    @Test("of a body for several devices the request names the session of the own entry, and the first answer is read")
    func sharedBody() async throws {
        let families = try await Families(amina: 1)
        let (hub, amina, layla) = (families.hub, families.amina[0], families.layla[0])
        try await amina.send(text: "zero", to: .user(layla.userID))
        try await families.settle()
        for device in families.layla { try await device.send(text: "heard", to: .user(amina.userID)) }
        try await families.settle()
        try await loseSessions(layla)
        try await amina.send(text: "one", to: .user(layla.userID))
        try await hub.collect(from: amina)
        let message = try #require(try await hub.messages(to: layla.party).last)
        let wrap = try #require(message.wraps.first { $0.party == layla.party })
        #expect(wrap.session != message.encryption.keyID)
        try await families.settle()
        hub.time.advance(ClientTransaction.wantPatience)
        try await layla.prepareContact()
        try await families.settle()
        #expect(try await requests(hub).map(\.sessions) == [[wrap.session]])
        #expect(try await layla.texts(from: amina.userID) == ["zero", "one"])
        #expect(try await amina.number("SELECT max(times) FROM client_reseal") == 1)
    }

    @Test("nobody gets a message of somebody else's conversation")
    func stranger() async throws {
        let pair = try await pair()
        let scratch = try Scratch()
        let eve = try await pair.hub.enrol("eve", in: scratch)
        let hash = try #require(try await pair.amina.outbox().last?.hash)
        await pair.hub.introduce([eve.userID], to: pair.amina.party)
        let question = MessageRequest.Question(
            from: DeviceAddress(user: eve.userID, device: eve.deviceID),
            to: DeviceAddress(user: pair.amina.userID, device: pair.amina.deviceID),
            name: ConversationName(.between(pair.amina.userID, eve.userID), of: eve.userID), reason: .keyGone,
            items: [Array(hash.bytes.prefix(10))])
        let unsigned = MessageRequest.unsigned(question, number: 1, at: pair.hub.time.now())
        let request = eve.store.context.signing.signed(unsigned, purpose: .reseal)
        await pair.hub.push(request, to: pair.amina.party)
        try await pair.hub.settle(pair.all + [eve])
        let resealed = try await pair.amina.store.read { try $0.integer("SELECT count(*) FROM client_reseal") }
        #expect(resealed == 0)
        #expect(try await eve.texts() == [])
    }

    @Test(
        "a missing message is asked for after ten minutes; the journal or else the author brings it",
        arguments: [true, false])
    func missing(journal: Bool) async throws {
        let pair = try await pair()
        await pair.hub.setJournal(journal)
        for number in 1...4 { try await pair.amina.send(text: "\(number)", to: .user(pair.layla.userID)) }
        try await pair.hub.collect(from: pair.amina)
        // Two in a row are lost on the way.
        let items = await pair.hub.drain(pair.layla.party)
        let sent = items.filter { $0.kind == .message }
        try await pair.layla.deliver(items.filter { $0.kind != .message } + [sent[0], sent[3]])
        try await pair.layla.prepareContact()
        pair.hub.time.advance(ClientTransaction.wantPatience - 1)
        try await pair.layla.prepareContact()
        try await pair.hub.settle(pair.all)
        #expect(try await pair.layla.texts() == ["zero", "1"])
        pair.hub.time.advance(1)
        try await pair.layla.prepareContact()
        try await pair.hub.settle(pair.all)
        let shown = try await pair.layla.inbox()
        #expect(shown.map(\.text) == ["zero", "1", "2", "3", "4"])
        #expect(shown.allSatisfy { !$0.followsGap && $0.hole == nil })
        #expect(shown[2].late?.reason == (journal ? nil : "missing"))
        #expect(try await requests(pair.hub).first?.runs == [2])
        #expect(try await pair.layla.codes() == [])
    }

    @Test("a request without an answer is repeated 15 times; then the hole says that nobody has answered")
    func unanswered() async throws {
        let pair = try await pair()
        try await loseSessions(pair.layla)
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.collect(from: pair.amina)
        try await pair.layla.deliver(await pair.hub.drain(pair.layla.party))
        pair.hub.time.advance(ClientTransaction.wantPatience)
        var sent: [Int] = []
        for day in 0..<480 {
            try await pair.layla.prepareContact()
            let asked = try await pair.layla.handOver().contains { item in
                guard item.kind == .object, case .messageRequest = try ProtocolObject(parsing: item.body) else {
                    return false
                }
                return true
            }
            if asked { sent.append(day) }
            pair.hub.time.advance(ClientTransaction.askPatience)
        }
        #expect(sent.prefix(6) == [0, 1, 3, 7, 15, 31])
        #expect(sent.count == 15)
        #expect(try await pair.layla.inbox().last?.hole == MessageHole(ClientTransaction.unanswered))
        #expect(try await pair.layla.status().wanted == 0)
    }

    @Test("a hole that nobody had answered is asked for again when its author's device answers with keys that are gone")
    func answeredInVain() async throws {
        let pair = try await pair()
        try await loseSessions(pair.layla)
        try await pair.amina.send(text: "one", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.all)
        pair.hub.time.advance(ClientTransaction.wantPatience)
        try await pair.layla.prepareContact()
        let requests = try await pair.layla.handOver()
        try await pair.layla.store.write { transaction in
            try transaction.run("DELETE FROM client_want")
            try transaction.run(
                "UPDATE client_message SET lost = ? WHERE lost IS NOT NULL", [ClientTransaction.unanswered])
            try transaction.run("DELETE FROM client_signed_pre_key")
        }
        #expect(try await pair.layla.inbox().last?.hole?.isAskedFor == false)
        try await pair.amina.deliver(requests)
        try await pair.hub.settle(pair.all)
        #expect(try await pair.layla.inbox().last?.hole == MessageHole("unknown_session"))
        #expect(try await pair.layla.status().wanted == 1)
        #expect(try await pair.layla.codes() == [])
    }

    @Test("what came back because the reader's only device was gone goes to the one that the reader has enrolled since")
    func returned() async throws {
        let pair = try await pair()
        let scratch = try Scratch()
        for text in ["one", "two"] { try await pair.amina.send(text: text, to: .user(pair.layla.userID)) }
        try await pair.hub.collect(from: pair.amina)
        // Layla's box is lost; she enrols another, which her list names in place of the old one.
        _ = await pair.hub.drain(pair.layla.party)
        await pair.hub.forget(pair.layla.party)
        let other = try await pair.hub.enrolAgain("layla", in: scratch, key: pair.laylasKey)
        for entry in try await pair.amina.outbox() where entry.state == .atNode {
            let error = ProtocolError(.userNotFound, "The device is gone.", hint: "Look again.")
            let item = try #require(entry.hash)
            await pair.hub.push(
                Refusal(item: item.bytes, to: pair.amina.party, error: error, at: pair.hub.time.now()).object,
                to: pair.amina.party)
        }
        try await pair.hub.settle([pair.amina, other])
        let shown = try await other.inbox()
        #expect(shown.map(\.text) == ["one", "two"])
        #expect(shown.map(\.late?.reason) == ["no_entry", "no_entry"])
        #expect(try await pair.amina.outbox().allSatisfy { $0.state == .delivered })
    }

    @Test("a message in a channel whose epoch never comes is sealed again for who was a member then, for nobody else")
    func channel() async throws {
        let hub = try Hub()
        let scratches = try (0..<3).map { _ in try Scratch() }
        let ines = try await hub.enrol("ines", in: scratches[0])
        let olena = try await hub.enrol("olena", in: scratches[1])
        let late = try await hub.enrol("tomas", in: scratches[2])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.settle([ines, olena])
        try await olena.store.write { try $0.run("DELETE FROM client_epoch") }
        try await ines.send(text: "water rises", to: .channel(id))
        try await hub.settle([ines, olena])
        #expect(try await olena.texts() == [])
        try await late.joinChannel(id)
        try await hub.settle([ines, olena, late])
        hub.time.advance(ClientTransaction.wantPatience)
        try await olena.prepareContact()
        try await hub.settle([ines, olena, late])
        let shown = try await olena.inbox()
        #expect(shown.map(\.text) == ["water rises"])
        #expect(shown.map(\.late?.reason) == ["no_epoch"])
        // The late one asks for what was before it.
        let hash = try #require(try await ines.outbox().last?.hash)
        func ask() async throws {
            let question = MessageRequest.Question(
                from: DeviceAddress(user: late.userID, device: late.deviceID),
                to: DeviceAddress(user: ines.userID, device: ines.deviceID),
                name: ConversationName(.channel(id), of: late.userID), reason: .noEpoch,
                items: [Array(hash.bytes.prefix(10))])
            let number = try await late.store.write { try $0.nextCounter() }
            let unsigned = MessageRequest.unsigned(question, number: number, at: hub.time.now())
            await hub.push(late.store.context.signing.signed(unsigned, purpose: .reseal), to: ines.party)
        }
        try await ask()
        try await hub.settle([ines, olena, late])
        let forLate = try await ines.store.read { transaction in
            try transaction.integer("SELECT count(*) FROM client_reseal WHERE user = ?", [late.userID.text])
        }
        #expect(forLate == 0)
        // Unless the channel shares its history.
        var change = ChannelChange()
        change.settings = ChannelSettings(sharesHistory: true)
        try await hub.carryOut(change, in: id)
        try await hub.settle([ines, olena, late])
        try await ask()
        try await hub.settle([ines, olena, late])
        let shared = try await ines.store.read { transaction in
            try transaction.integer("SELECT count(*) FROM client_reseal WHERE user = ?", [late.userID.text])
        }
        #expect(shared == 1)
    }
}
