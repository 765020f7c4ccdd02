import GodwitBatch
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

@Suite("What expires on the device itself (D-12, D-16)")
struct ExpiryTests {
    private static let lifetime = Message.defaultLifetime
    private static let day: Int64 = 86_400_000

    @Test(
        "a message that the node never took is shown as expired with a reason, however long the device slept",
        arguments: [0, 90] as [Int64])
    func message(daysMore: Int64) async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await ines.send(text: "old", to: .channel(id))
        hub.time.advance(Self.lifetime + daysMore * Self.day)
        try await ines.prepareContact()
        let entry = try #require(try await ines.outbox().first)
        #expect(entry.state == .expired)
        #expect(entry.error?.code == .nodeUnreachable && entry.error?.hint != nil)
    }

    @Test("a message whose reader's keys never came expires with a reason; the next one asks again")
    func lookup() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        try await ines.send(text: "old", to: .user(olena.userID))
        hub.time.advance(Self.lifetime - 1)
        try await ines.prepareContact()
        #expect(try await ines.outbox().map(\.state) == [.waitingKeys])
        hub.time.advance(1)
        try await ines.prepareContact()
        let entry = try #require(try await ines.outbox().first)
        #expect(entry.state == .expired)
        #expect(entry.error?.code == .nodeUnreachable)
        // Only the publication of new pre-keys.
        #expect(try await ines.status().queued == 1)
        try await ines.send(text: "new", to: .user(olena.userID))
        #expect(try await ines.status().queued == 2)
        try await hub.settle([ines, olena])
        #expect(try await olena.texts() == ["new"])
    }

    @Test(
        "a question that brought no answer is asked again after three days, once it was handed over, if something waits for it"
    )
    func lookupAgain() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let (ines, olena) = (try await hub.enrol("ines", in: one), try await hub.enrol("olena", in: two))
        func lookups() async throws -> Int {
            try await ines.prepareContact()
            return try await ines.handOver().count { item in
                guard item.kind == .object, case .lookup = try ProtocolObject(parsing: item.body) else { return false }
                return true
            }
        }
        /// Days with a contact each.
        func pass(days: Int) async throws {
            for _ in 0..<days {
                try await ines.prepareContact()
                hub.time.advance(Self.day)
            }
        }
        try await ines.send(text: "old", to: .user(olena.userID))
        try await pass(days: 4)
        // It has waited here all the time, and is the only one. It is lost on the way, and the next as well.
        #expect(try await lookups() == 1)
        #expect(try await lookups() == 1)
        try await pass(days: 2)
        #expect(try await lookups() == 0)
        try await pass(days: 1)
        try await ines.prepareContact()
        try await hub.settle([ines, olena])
        #expect(try await olena.texts() == ["old"])
        try await pass(days: 4)
        #expect(try await lookups() == 0)
    }

    @Test("a channel whose creation expired is asked for again, and comes about")
    func creation() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await ines.send(text: "old", to: .channel(id))
        hub.time.advance(Self.lifetime)
        try await ines.prepareContact()
        #expect(try await ines.outbox().map(\.state) == [.expired])
        #expect(try await ines.channels().map(\.state) == [.joining])
        // Besides it the publication of new pre-keys.
        #expect(try await ines.status().queued == 2)
        try await hub.settle([ines])
        #expect(try await ines.channels().map(\.state) == [.member])
        // Once is enough.
        try await ines.prepareContact()
        #expect(try await ines.status().queued == 0)
    }

    @Test("an epoch whose start expired before the node took it is sent again, so that its messages are read")
    func epoch() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let ines = try await hub.enrol("ines", in: scratches[0])
        let olena = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.collect(from: olena)
        try await ines.deliver(await hub.drain(ines.party))
        hub.time.advance(Self.lifetime)
        try await ines.prepareContact()
        // Besides it the publication of new pre-keys.
        #expect(try await ines.status().queued == 2)
        try await ines.send(text: "Road 7 is open", to: .channel(id))
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
        #expect(try await olena.texts() == ["Road 7 is open"])
    }

    @Test("what was written in an epoch that the node refused is shown as refused")
    func refusedEpoch() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        let start = try #require(await hub.log.first { Self.isEpoch($0) })
        try await ines.send(text: "lost", to: .channel(id))
        _ = try await ines.handOver()
        let error = ProtocolError(.nodeUnreachable, "It expired on the way.", hint: "Try again.")
        await hub.push(
            Refusal(item: SHA256Digest.of(start.body), to: ines.party, error: error, at: hub.time.now()).object,
            to: ines.party)
        try await ines.deliver(await hub.drain(ines.party))
        let entry = try #require(try await ines.outbox().first)
        #expect(entry.state == .refused && entry.error?.hint == "Try again.")
        #expect(try await ines.codes() == [.refused])
    }

    private static func isEpoch(_ item: BatchItem) -> Bool {
        if case .epoch? = try? ProtocolObject(parsing: item.body) { true } else { false }
    }
}
