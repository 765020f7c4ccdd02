import GRDB
import GodwitBatch
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

@Suite("A device whose store is damaged or broken (GW-03)")
struct StoreDamageTests {
    private struct Room {
        var author: Device
        var reader: Device
        var message: [BatchItem]
        var scratches: [Scratch]
    }

    /// A channel with one message on its way to the reader.
    private func room() async throws -> Room {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let author = try await hub.enrol("ines", in: scratches[0])
        let reader = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await author.createChannel(id.name)
        try await hub.settle([author, reader])
        try await reader.joinChannel(id)
        try await hub.settle([author, reader])
        try await author.send(text: "Road 7 is open", to: .channel(id))
        return Room(author: author, reader: reader, message: try await author.handOver(), scratches: scratches)
    }

    private func execute(_ sql: String, on device: Device) async throws {
        try await device.store.spool.write { try $0.database.execute(sql: sql) }
    }

    @Test("a frame is not taken while a stored key does not read back, and is read when it comes again")
    func damagedChain() async throws {
        let room = try await room()
        try await execute(
            "CREATE TABLE kept AS SELECT * FROM client_chain; UPDATE client_chain SET state = x'00'", on: room.reader)
        let error = await #expect(throws: ProtocolError.self) { try await room.reader.deliver(room.message) }
        #expect(error?.code == .internalError)
        #expect(try await room.reader.codes() == [])
        try await execute("DELETE FROM client_chain; INSERT INTO client_chain SELECT * FROM kept", on: room.reader)
        try await room.reader.deliver(room.message)
        #expect(try await room.reader.texts() == ["Road 7 is open"])
    }

    @Test("a frame is not taken while the database refuses to write")
    func brokenTable() async throws {
        let room = try await room()
        try await execute(
            """
            CREATE TRIGGER broken BEFORE INSERT ON client_message
            BEGIN SELECT RAISE(ABORT, 'broken'); END
            """, on: room.reader)
        await #expect(throws: (any Error).self) { try await room.reader.deliver(room.message) }
        #expect(try await room.reader.codes() == [])
        try await execute("DROP TRIGGER broken", on: room.reader)
        try await room.reader.deliver(room.message)
        #expect(try await room.reader.texts() == ["Road 7 is open"])
    }

    @Test("a sponsor keeps its duty while what it has stored does not read back (D-14)")
    func damagedMembership() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let ines = try await hub.enrol("ines", in: scratches[0])
        let olena = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.collect(from: olena)
        let items = await hub.drain(ines.party)
        try await execute(
            """
            CREATE TRIGGER damaged AFTER INSERT ON client_membership
            BEGIN UPDATE client_membership SET body = x'00' WHERE version = NEW.version; END
            """, on: ines)
        let error = await #expect(throws: ProtocolError.self) { try await ines.deliver(items) }
        #expect(error?.code == .internalError)
        try await execute("DROP TRIGGER damaged", on: ines)
        try await ines.deliver(items)
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
    }
}
