import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

@Suite("Stores from before anybody could leave a channel")
struct ChannelMigrationTests {
    private static let tables = [
        "client_identity", "client_contact", "client_device", "client_signed_pre_key", "client_channel",
        "client_member",
        "client_membership", "client_epoch", "client_chain",
    ]

    /// Writes a device's store as version 4 of its tables would have it.
    private func copy(_ device: Device, to directory: String) async throws {
        let old = try SQLiteSpool(directory: directory) { ClientSchema.register(in: &$0, upTo: 4) }
        for table in Self.tables {
            let names = try await old.read { try $0.database.columns(in: table).map(\.name) }
            let values = try await device.store.spool.read { transaction in
                try Row.fetchAll(transaction.database, sql: "SELECT * FROM \(table)").map { row in
                    names.map { row[$0] as DatabaseValue }
                }
            }
            let marks = names.map { _ in "?" }.joined(separator: ", ")
            try await old.write { transaction in
                for row in values {
                    try transaction.database.execute(
                        sql: "INSERT INTO \(table) (\(names.joined(separator: ", "))) VALUES (\(marks))",
                        arguments: StatementArguments(row))
                }
            }
        }
        try await old.close()
    }

    @Test("its channels go on: it reads, writes, and sponsors a removal with the keys that it has seen")
    func upgrade() async throws {
        let scene = try await DepartureTests.scene()
        let (hub, id, devices) = (scene.hub, scene.id, scene.devices)
        let scratch = try Scratch()
        try await copy(devices[0], to: scratch.path)
        let again = try await Device(directory: scratch.path, time: hub.time)
        #expect(again.party == devices[0].party)
        let details = try await again.channelDetails(id)
        #expect(details.state == .member && details.version == 3 && details.members.count == 3)
        try await devices[1].send(text: "to the old store", to: .channel(id))
        try await hub.settle([devices[1]])
        try await again.deliver(await hub.drain(again.party))
        #expect(try await again.texts() == ["to the old store"])
        var change = ChannelChange()
        change.left = [devices[2].party]
        let made = try await hub.make(change, in: id, sponsor: again.party)
        for member in devices.prefix(2) { await hub.push(made.membership, to: member.party) }
        try await again.deliver(await hub.drain(again.party))
        try await again.send(text: "from the old store", to: .channel(id))
        try await hub.settle([again, devices[1]])
        #expect(try await devices[1].texts() == ["from the old store"])
        withExtendedLifetime(scene.scratches) {}
    }
}
