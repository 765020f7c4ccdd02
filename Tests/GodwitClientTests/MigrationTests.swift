import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

@Suite("Stores of earlier versions")
struct MigrationTests {
    /// Writes the tables of a device into a store with the first version's tables, as far as that has their columns.
    private func copy(_ device: Device, to directory: String) async throws {
        let old = try SQLiteSpool(directory: directory) { ClientSchema.register(in: &$0, upTo: 1) }
        for table in ["client_identity", "client_contact", "client_device", "client_signed_pre_key"] {
            let names = try await old.read { transaction in
                try transaction.database.columns(in: table).map(\.name)
            }
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

    /// Puts a message among those that wait, as the first version did.
    private func insertWaiting(_ message: Message, into directory: String) async throws {
        let old = try SQLiteSpool(directory: directory) { ClientSchema.register(in: &$0, upTo: 1) }
        try await old.write { transaction in
            try transaction.database.execute(
                sql: """
                    INSERT INTO client_pending (id, waits_for, kind, body, chain, seq) VALUES (?, ?, 1, ?, 'x', 0)
                    """,
                arguments: [
                    Data(SHA256Digest.of(message.canonicalBytes)), "user:" + message.author.text,
                    Data(message.canonicalBytes),
                ])
        }
        try await old.close()
    }

    @Test("what waits in a store of the first version is read once its keys come")
    func pending() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch(), try Scratch()]
        let amina = try await hub.enrol("amina", in: scratches[0])
        let layla = try await hub.enrol("layla", in: scratches[1])
        // A device of that time had no KEM key.
        try await hub.forgetKEM(of: layla)
        try await amina.send(text: "Room ready?", to: .user(layla.userID))
        try await hub.collect(from: amina)
        try await amina.deliver(await hub.drain(amina.party))
        try await hub.collect(from: amina)
        let items = await hub.drain(layla.party)
        let sent = try Message(parsing: try #require(items.first { $0.kind == .message }).body)
        try await copy(layla, to: scratches[2].path)
        try await insertWaiting(sent, into: scratches[2].path)
        let opened = try await Device(directory: scratches[2].path, time: hub.time)
        #expect(opened.party == layla.party)
        let load = try await opened.store.read { try $0.pendingLoad(of: amina.userID.text) }
        #expect(load == .init(items: 1, bytes: Int64(sent.canonicalBytes.count)))
        let oneTime = try await layla.store.read { transaction in
            try transaction.rows("SELECT secret FROM client_one_time_key ORDER BY id").map { $0.blob("secret") }
        }
        try await opened.store.write { transaction in
            for secret in oneTime {
                try transaction.run("INSERT INTO client_one_time_key (secret) VALUES (?)", [Data(secret)])
            }
        }
        try await opened.deliver(items.filter { $0.kind != .message })
        #expect(try await opened.texts() == ["Room ready?"])
        #expect(try await opened.status().pending == 0)
    }
}
