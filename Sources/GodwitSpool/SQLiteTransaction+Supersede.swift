import FoundationEssentials
import GRDB
public import GodwitProtocol

/// How a copy of an item left custody.
public struct Departure: Sendable, Hashable {
    public var destination: Party
    /// `forwarded` or `expired`.
    public var state: CustodyState
    /// By the clock on the wall of that moment; nil where an older version did not note it.
    public var at: Timestamp?
    /// The item that took its place in the queue, so that it never went.
    public var successor: ItemID?
}

extension SQLiteTransaction {
    /// The copies of an item that have left custody within the duplicate-detection time, in order of destination.
    public func departures(of id: ItemID) throws -> [Departure] {
        try rows(
            """
            SELECT p.name, a.state, a.ended, a.successor FROM spool_era e
              CROSS JOIN spool_arrival a ON a.era = e.era
              JOIN spool_party p ON p.party = a.destination
            WHERE a.id = ? AND a.state <> 0 AND e.slot >= ? ORDER BY p.name
            """, [Data(id.bytes), eras.oldest(at: try uptime())]
        ).map { row in
            let ended: Int64? = row["ended"]
            let successor: Data? = row["successor"]
            return Departure(
                destination: try party(row["name"]), state: row["state"] as Int == 1 ? .forwarded : .expired,
                at: ended.map { Timestamp(milliseconds: $0) }, successor: successor.map { ItemID(bytes($0)) })
        }
    }

    /// The copy of an item that waits for a destination, if no frame holds it.
    public func waitingItem(_ id: ItemID, for destination: Party) throws -> SpoolItem? {
        guard let row = try waitingRow(id, for: destination) else { return nil }
        return try item(inRow: row)
    }

    private func waitingRow(_ id: ItemID, for destination: Party) throws -> Int64? {
        guard let party = try find(destination) else { return nil }
        return try integer(
            """
            SELECT i.row FROM spool_era e
              CROSS JOIN spool_arrival a ON a.era = e.era
              JOIN spool_item i ON i.row = a.row
            WHERE a.id = ? AND a.destination = ? AND a.state = 0 AND i.frame IS NULL
            """, [Data(id.bytes), party])
    }

    /// Takes custody of an item in place of an older one that waits for the same destination: the older leaves the queue
    /// and the new one goes when that would have gone. An item in a frame stays what it is.
    ///
    /// - Returns: false if the older does not wait there; nothing is written then.
    /// - Throws: as `enqueue`; nothing is written then.
    public func supersede(_ older: ItemID, by item: NewItem) throws -> Bool {
        guard older != item.id, let place = try waitingRow(older, for: item.destination) else { return false }
        let outcome = try enqueue(item)
        let era = try integer("SELECT era FROM spool_item WHERE row = ?", [place])
        _ = try end(place, as: .forwarded)
        let party = try find(item.destination)
        try run(
            "UPDATE spool_arrival SET successor = ? WHERE era = ? AND id = ? AND destination = ?",
            [Data(item.id.bytes), era, Data(older.bytes), party])
        guard case .accepted(let row, _) = outcome else { return true }
        try run("UPDATE spool_item SET row = ? WHERE row = ?", [place, row])
        try run(
            """
            UPDATE spool_arrival SET row = ?1 WHERE era = (SELECT era FROM spool_item WHERE row = ?1)
              AND id = ?2 AND destination = ?3
            """, [place, Data(item.id.bytes), party])
        return true
    }
}
