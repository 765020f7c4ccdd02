import FoundationEssentials
import GRDB
public import GodwitProtocol

/// Where an item stands among those for its destination.
public struct QueuePlace: Sendable, Hashable {
    public var row: Int64
    /// Of the frame that holds it; nil while it waits.
    public var frame: FrameNumber?
    /// Of that frame.
    public var path: String?
    /// Waiting items of more urgent classes, and those of its own class that go first.
    public var itemsAhead: Int
    /// Bytes of their bodies.
    public var bytesAhead: ByteCount
}

extension SQLiteTransaction {
    /// The place of an item's copy for a destination; nil if it is not in custody.
    ///
    /// Looks at the whole queue of the destination: for an operator's question, not for every item.
    ///
    /// - Parameter classes: those that share a link with the item's; others are not counted.
    public func queuePlace(
        of id: ItemID, for destination: Party, among classes: Set<PriorityClass> = Set(PriorityClass.allCases)
    ) throws -> QueuePlace? {
        guard let party = try find(destination),
            let found = try row(
                """
                SELECT i.row, i.priority, i.ends, f.incarnation, f.number, f.path
                FROM spool_era e
                  CROSS JOIN spool_arrival a ON a.era = e.era
                  JOIN spool_item i ON i.row = a.row
                  LEFT JOIN spool_frame f ON f.frame = i.frame
                WHERE a.id = ? AND a.destination = ? AND a.state = 0
                """, [Data(id.bytes), party])
        else { return nil }
        let row: Int64 = found["row"]
        if let incarnation: Int64 = found["incarnation"], let number: Int64 = found["number"] {
            let frame = FrameNumber(incarnation: UInt32(truncatingIfNeeded: incarnation), number: UInt64(number))
            return QueuePlace(row: row, frame: frame, path: found["path"], itemsAhead: 0, bytesAhead: .zero)
        }
        let ends: Int64 = found["ends"]
        // What ends within the hour goes first, the earliest end before the others (`waiting`).
        let horizon = try uptime() + SpoolConfiguration.urgentWithin
        let isEnding = ends <= horizon
        let counted = classes.map { String($0.rawValue) }.joined(separator: ", ")
        let sums = try self.row(
            """
            SELECT count(*) AS items, coalesce(sum(size), 0) AS bytes
            FROM spool_item INDEXED BY spool_item_waiting
            WHERE destination = ?1 AND frame IS NULL AND priority IN (\(counted)) AND (priority < ?2 OR (priority = ?2 AND CASE
              WHEN ?3 THEN ends <= ?4 AND (ends < ?5 OR (ends = ?5 AND row < ?6))
              ELSE ends <= ?4 OR row < ?6 END))
            """, [party, found["priority"] as Int64, isEnding, horizon, ends, row])
        return QueuePlace(
            row: row, frame: nil, path: nil, itemsAhead: Int(sums?["items"] as Int64? ?? 0),
            bytesAhead: ByteCount(Int(sums?["bytes"] as Int64? ?? 0)))
    }
}
