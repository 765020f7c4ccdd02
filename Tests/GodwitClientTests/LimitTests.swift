import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("Limits of the device's store (GW-09)")
struct LimitTests {
    @Test("1,000 warnings are kept; the oldest go first")
    func warnings() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        try await device.store.write { transaction in
            for number in 1...1_000 { try transaction.warn(Rejected(.malformed, "Number \(number).")) }
        }
        #expect(try await device.status().warnings == 1_000)
        #expect(try await device.warnings(limit: 1_001).last?.message == "Number 1.")
        try await device.store.write { try $0.warn(Rejected(.malformed, "Number 1,001.")) }
        #expect(try await device.status().warnings == 1_000)
        #expect(try await device.warnings(limit: 1_001).last?.message == "Number 2.")
    }

    @Test("a warning that comes again is counted, and stands first; it pushes out no other")
    func repeatedWarnings() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        let other = try await device.store.write { transaction in
            try transaction.warn(Rejected(.keyChanged, "Another key."), about: "somebody")
            return transaction.now
        }
        let item = BatchItem(kind: .object, body: Array("{}".utf8), created: hub.time.now(), priority: .control)
        try await device.deliver([BatchItem](repeating: item, count: 1_001))
        let warnings = try await device.warnings()
        #expect(warnings.map(\.code) == [.malformed, .keyChanged] && warnings.map(\.times) == [1_001, 1])
        #expect(try await device.warnings(code: .keyChanged).map(\.subject) == ["somebody"])

        // The same about somebody else, or about nobody, is another one.
        hub.time.advance(1_000)
        try await device.store.write { transaction in
            try transaction.warn(Rejected(.keyChanged, "Another key."), about: "somebody else")
            try transaction.warn(Rejected(.keyChanged, "Another key."))
            try transaction.warn(Rejected(.keyChanged, "Another key."), about: "somebody")
        }
        let changes = try await device.warnings(code: .keyChanged)
        #expect(changes.map(\.subject) == ["somebody", nil, "somebody else"] && changes.map(\.times) == [2, 1, 1])
        #expect(changes.first?.at == other.adding(milliseconds: 1_000))
    }

    @Test(
        "a node numbers commands on to 2^52, no further; joining goes again so, up to the eighth time (D-8)",
        arguments: [1 << 52, (1 << 52) + 1] as [Int64])
    func counter(last: Int64) async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        _ = try await device.handOver()
        func command(_ place: SourceLocation = #_sourceLocation) async throws -> SignedCommand {
            let items = try await device.handOver()
            return try SignedCommand(JSONObject.parse(try #require(items.last, sourceLocation: place).body))
        }
        func refuse(_ command: SignedCommand, last: Int64) async throws {
            let error = ProtocolError(.invalidMessageFormat, "Another has it.", details: ["counter": .integer(last)])
            let hash = SHA256Digest.of(command.object.canonicalBytes())
            let refusal = Refusal(item: hash, to: device.party, error: error, at: hub.time.now())
            await hub.push(refusal.object, to: device.party)
            try await device.deliver(await hub.drain(device.party))
        }
        let id = try hub.channelID("#crew")
        try await device.joinChannel(id)
        let join = try await command()
        try await refuse(join, last: last)
        guard last <= 1 << 52 else {
            #expect(try await device.channels().map(\.state) == [.refused])
            try await device.joinChannel(id)
            #expect(try await command().counter == join.counter + 1)
            return
        }
        var again = try await command()
        #expect(again.counter == last + 1 && again.name == "join_channel" && again.data == join.data)
        for attempt in Int64(2)...8 {
            // An earlier number takes nothing back.
            try await refuse(again, last: join.counter)
            again = try await command()
            #expect(again.counter == last + attempt)
        }
        #expect(try await device.codes() == [])
        try await refuse(again, last: last)
        #expect(try await device.channels().map(\.state) == [.refused])
        #expect(try await device.handOver().isEmpty)
    }

    @Test("a receipt names at most 1,024 messages; more make a second one (D-12)", arguments: [1_024, 1_025])
    func receipts(count: Int) async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        let author = olena.party
        try await ines.store.write { transaction in
            transaction.delivered[author] = (0..<count).map { SHA256Digest.of(Array(String($0).utf8)) }
        }
        let sizes = try await ines.handOver().map { item in
            guard case .receipt(let receipt) = try ProtocolObject(parsing: item.body) else { return 0 }
            return receipt.items.count
        }
        #expect(sizes == (count == 1_024 ? [1_024] : [1_024, 1]))
    }

    @Test("an unanswered join is repeated after one minute, two, four, and so on up to an hour")
    func joinPatience() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch)
        try await device.joinChannel(try hub.channelID("#silent"))
        #expect(try await device.handOver().count == 1)
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            hub.time.advance(minutes * 60_000 - 1)
            try await device.prepareContact()
            #expect(try await device.handOver().isEmpty)
            hub.time.advance(1)
            try await device.prepareContact()
            // While it waits to be handed over it is not repeated, however long that takes.
            hub.time.advance(7_200_000)
            try await device.prepareContact()
            #expect(try await device.handOver().count == 1)
            hub.time.advance(-7_200_000)
        }
    }
}
