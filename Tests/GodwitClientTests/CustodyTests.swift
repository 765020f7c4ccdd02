import Foundation
import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// A person asks the home node what has gone on from there, and when the rest goes (G-118, D-12).
@Suite("Where own messages are")
struct CustodyTests {
    private static let far = "b4n8p2x7"
    private static let farther = "c5c5c5c5"

    /// A device that has written some messages to a channel and handed them over.
    private static func written(_ count: Int, in scratch: Scratch, _ hub: Hub) async throws -> Device {
        let ines = try await hub.enrol("ines", in: scratch)
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        for number in 0..<count { try await ines.send(text: "text \(number)", to: .channel(id)) }
        _ = try await ines.handOver()
        return ines
    }

    private static func tell(
        _ device: Device, at: Timestamp, _ copies: [(OutboxEntry, String, CustodyReport.State, Timestamp?)],
        to party: Party? = nil
    ) async throws {
        let report = CustodyReport(
            to: party ?? device.party, at: at,
            copies: try copies.map { entry, next, state, goes in
                CustodyReport.Copy(
                    item: Array((entry.hash?.bytes ?? []).prefix(10)), next: try NodeID(next), state: state, goes: goes)
            })
        try await device.deliver([
            BatchItem(kind: .object, body: report.object.canonicalBytes(), created: at, priority: .control)
        ])
    }

    private static func states(_ device: Device) async throws -> [String] {
        try await device.recentOutbox().map(\.state).reversed()
    }

    @Test("one question is about all that the home node has, and about nothing else")
    func question() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let ines = try await Self.written(3, in: one, hub)
        let olena = try await hub.enrol("olena", in: two)
        // At the same node nothing goes further, and what is still here is no matter of the node's.
        try await ines.send(text: "to a neighbour", to: .user(olena.userID))
        try await hub.settle([ines, olena])
        try await ines.send(text: "to a neighbour", to: .user(olena.userID))
        _ = try await ines.handOver()
        try await ines.send(text: "not sent", to: .channel(try hub.channelID("#flood-response")))
        #expect(try await ines.askCustody() == 3)
        let asked = try await ines.handOver().compactMap { item -> CustodyQuestion? in
            guard case .custodyQuestion(let question)? = try? ProtocolObject(parsing: item.body) else { return nil }
            return question
        }
        let hashes = try await ines.outbox().filter { $0.text.hasPrefix("text") }.compactMap(\.hash)
        #expect(asked.map(\.from) == [ines.party])
        #expect(Set(asked[0].items) == Set(hashes.map { Array($0.bytes.prefix(10)) }))
    }

    @Test("a message is forwarded when every node has it that it goes to, and stays so")
    func forwarded() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await Self.written(2, in: scratch, hub)
        let entries = try await ines.outbox()
        let now = hub.time.now()
        try await Self.tell(
            ines, at: now,
            [
                (entries[0], Self.far, .forwarded, nil), (entries[0], Self.farther, .forwarded, nil),
                (entries[1], Self.far, .forwarded, nil), (entries[1], Self.farther, .waiting, nil),
            ])
        #expect(try await Self.states(ines) == ["forwarded", "at_node"])
        #expect(try await ines.outbox().map { ChatEntry.mark($0) } == [.forwarded, .atNode])
        let waiting = try await ines.recentOutbox().first
        #expect(waiting?.waitsFor == "a contact of the node with \(Self.farther)")
        #expect(waiting?.goes == nil, "nobody can say when")
        #expect(try await ines.askCustody() == 1, "of what is forwarded there is nothing to ask")
        // What was said earlier and comes later changes nothing.
        try await Self.tell(ines, at: now.adding(milliseconds: -1), [(entries[0], Self.far, .waiting, nil)])
        #expect(try await Self.states(ines) == ["forwarded", "at_node"])
        try await Self.tell(ines, at: now.adding(milliseconds: 1), [(entries[1], Self.farther, .forwarded, nil)])
        #expect(try await Self.states(ines) == ["forwarded", "forwarded"])
        #expect(try await ines.askCustody() == 0)
    }

    @Test("when it goes is the time of its last copy, until that is over; what is not sent goes with the next contact")
    func goes() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let ines = try await Self.written(1, in: scratch, hub)
        let entry = try #require(try await ines.outbox().first)
        let now = hub.time.now()
        let (soon, late) = (now.adding(milliseconds: 60_000), now.adding(milliseconds: 3_600_000))
        try await Self.tell(
            ines, at: now, [(entry, Self.far, .waiting, late), (entry, Self.farther, .waiting, soon)])
        #expect(try await ines.recentOutbox().map(\.goes) == [.at(late)])
        hub.time.advance(3_600_000)
        #expect(try await ines.recentOutbox().map(\.goes) == [nil])
        try await ines.send(text: "new", to: .channel(try hub.channelID("#flood-response")))
        #expect(try await ines.recentOutbox().first?.goes == .nextContact)
    }

    @Test("what is for another device, or about messages that are not this device's, changes nothing")
    func misdirected() async throws {
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let ines = try await Self.written(1, in: one, hub)
        let olena = try await hub.enrol("olena", in: two)
        let entry = try #require(try await ines.outbox().first)
        try await Self.tell(ines, at: hub.time.now(), [(entry, Self.far, .forwarded, nil)], to: olena.party)
        #expect(try await ines.warnings().map(\.code) == [.misdirected])
        try await Self.tell(olena, at: hub.time.now(), [(entry, Self.far, .forwarded, nil)])
        #expect(try await Self.states(ines) == ["at_node"])
        #expect(try await olena.recentOutbox().isEmpty)
    }

    @Test("a store of the version before learns it too, and forgets it with the message")
    func upgrade() async throws {
        let scratch = try Scratch()
        let old = try SQLiteSpool(directory: scratch.path) { ClientSchema.register(in: &$0, upTo: 9) }
        try await old.write { transaction in
            try transaction.database.execute(
                sql: """
                    INSERT INTO client_outbox (row, conversation, target, content, created, state)
                    VALUES (1, '#a:b', '#a:b', CAST('{}' AS BLOB), 0, 'at_node')
                    """)
        }
        try await old.close()
        let new = try SQLiteSpool(directory: scratch.path, migrations: ClientSchema.register)
        let left = try await new.write { transaction in
            let database = transaction.database
            let forwarded = try Int.fetchOne(database, sql: "SELECT forwarded FROM client_outbox")
            try database.execute(sql: "INSERT INTO client_custody VALUES (1, 'b4n8p2x7', 'waiting', NULL, 0)")
            try database.execute(sql: "DELETE FROM client_outbox")
            return [forwarded, try Int.fetchOne(database, sql: "SELECT count(*) FROM client_custody")]
        }
        #expect(left == [0, 0])
        try await new.close()
    }
}
