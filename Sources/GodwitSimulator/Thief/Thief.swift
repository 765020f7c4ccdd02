import GRDB
import GodwitCrypto
import GodwitProtocol

/// Records all ciphertexts that go to devices, and gets copies of devices' databases.
struct Thief {
    /// One copy, and when it was taken.
    struct Loot {
        var device: Int
        var directory: String
        /// Messages that were recorded for that device until then.
        var recorded: Int
    }

    /// Ciphertexts for each device, in the order in which they came to its node.
    private(set) var recorded: [Int: [Message]] = [:]
    private var known: [Int: Set<MessageHash>] = [:]
    /// States of keys from which devices have moved on in a contact: they must be gone then.
    var used: [Int: Set<[UInt8]>] = [:]
    var loot: [Loot] = []

    /// Copies what lies in a node's queue for a device.
    mutating func watch(_ number: Int, _ party: Party, at spool: String) throws {
        let probe = try StoreProbe(spool)
        let rows = try probe.rows(
            """
            SELECT b.content FROM spool_item i JOIN spool_body b ON b.body = i.body
              JOIN spool_party p ON p.party = i.destination
            WHERE i.kind = 1 AND p.name = ? AND b.content IS NOT NULL ORDER BY i.row
            """, [party.text])
        for row in rows {
            let message = try Message(parsing: row.bytes("content"))
            guard known[number, default: []].insert(message.hash).inserted else { continue }
            recorded[number, default: []].append(message)
        }
        try probe.close()
    }

    /// Notes what a contact has left behind.
    /// - Parameter before: states of the device's keys when it began.
    mutating func noteUsed(_ number: Int, _ before: Set<[UInt8]>, _ directory: String) throws {
        used[number, default: []].formUnion(before.subtracting(try Self.states(in: directory)))
    }

    static func states(in directory: String) throws -> Set<[UInt8]> {
        let probe = try StoreProbe(directory)
        let rows = try probe.rows("SELECT state FROM client_session UNION ALL SELECT state FROM client_chain")
        try probe.close()
        return Set(rows.map { $0.bytes("state") })
    }

    /// States of keys that the device has moved on from and that can still be read in its files.
    func leftovers(of number: Int, in directory: String) throws -> Int {
        let bytes = SimulatedDisk.bytes(of: directory)
        return used[number, default: []].count { Bytes.contain($0, in: bytes) }
    }
}
