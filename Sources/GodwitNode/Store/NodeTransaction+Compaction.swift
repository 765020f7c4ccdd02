import FoundationEssentials
import GRDB
import GodwitProtocol
import GodwitSpool

/// What waits for a node is kept short: a newer item takes the place of an older one that it makes needless.
extension NodeTransaction {
    /// Rows of `node_latest` that are looked at for each that is written.
    private static let swept = 2

    /// Queues an item in the place of the one that it supersedes.
    /// - Returns: false if there is none: then it has to be queued as any other.
    func compact(_ item: NewItem) throws -> Bool {
        guard context.compacts, case .node = item.destination, item.kind != .message,
            let object = try? ProtocolObject(parsing: item.body), let key = Supersession.key(of: object)
        else { return false }
        let before = try row(
            "SELECT item FROM node_latest WHERE party = ? AND key = ?", [item.destination.text, key])
        let older = (before?["item"] as Data?).map { ItemID([UInt8]($0)) }
        try run(
            """
            INSERT INTO node_latest (party, key, item) VALUES (?, ?, ?)
            ON CONFLICT (party, key) DO UPDATE SET item = excluded.item
            """, [item.destination.text, key, Data(item.id.bytes)])
        try sweep(after: key, of: item.destination)
        guard let older, let waiting = try spool.waitingItem(older, for: item.destination),
            let old = try? ProtocolObject(parsing: waiting.body), Supersession.replaces(object, old)
        else { return false }
        return try spool.supersede(older, by: item)
    }

    /// Forgets some of a party's entries whose items have gone, so that the table stays as small as the queue.
    func sweep(after key: String, of party: Party) throws {
        let next = try rows(
            "SELECT key, item FROM node_latest WHERE party = ?1 ORDER BY key <= ?2, key LIMIT ?3",
            [party.text, key, Self.swept])
        for row in next where row["key"] as String != key {
            guard try spool.waitingItem(ItemID([UInt8](row["item"] as Data)), for: party) == nil else { continue }
            try run("DELETE FROM node_latest WHERE party = ? AND key = ?", [party.text, row["key"] as String])
        }
    }
}
