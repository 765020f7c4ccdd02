import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func ids(beginning prefix: [UInt8]) throws -> [ItemID] {
        guard prefix.count <= 32 else { return [] }
        let rest = 32 - prefix.count
        return try rows(
            """
            SELECT DISTINCT a.id FROM spool_era e CROSS JOIN spool_arrival a ON a.era = e.era
            WHERE a.id BETWEEN ? AND ? AND (a.state = 0 OR e.slot >= ?) ORDER BY a.id LIMIT 16
            """,
            [
                Data(prefix + [UInt8](repeating: 0, count: rest)), Data(prefix + [UInt8](repeating: 255, count: rest)),
                eras.oldest(at: try uptime()),
            ]
        ).map { ItemID(bytes($0["id"])) }
    }

    public func summaries(for destination: Party?, limit: Int) throws -> [ItemSummary] {
        guard limit > 0 else { return [] }
        guard let destination else {
            return try rows(Self.summaryColumns + "ORDER BY i.row LIMIT ?", [limit]).map(summary)
        }
        guard let party = try find(destination) else { return [] }
        return try rows(Self.summaryColumns + "WHERE i.destination = ? ORDER BY i.row LIMIT ?", [party, limit])
            .map(summary)
    }

    public func summaries(of id: ItemID) throws -> [ItemSummary] {
        try rows(
            Self.summaryColumns + """
                WHERE i.row IN (
                  SELECT a.row FROM spool_era e CROSS JOIN spool_arrival a ON a.era = e.era
                  WHERE a.id = ? AND a.state = 0)
                ORDER BY i.row
                """, [Data(id.bytes)]
        ).map(summary)
    }

    private static let summaryColumns = """
        SELECT i.id, i.kind, i.size, i.priority, i.created, i.lifetime, i.born, i.frame, d.name AS destination,
          (SELECT uptime FROM spool_state) AS uptime
        FROM spool_item i JOIN spool_party d ON d.party = i.destination

        """

    private func summary(_ row: Row) throws -> ItemSummary {
        guard let kind = ItemKind(rawValue: row["kind"]), let priority = PriorityClass(rawValue: row["priority"]) else {
            throw SpoolError(.corrupt, "An item is of an unknown kind or class.")
        }
        let frame: Int64? = row["frame"]
        return ItemSummary(
            id: ItemID(bytes(row["id"])), kind: kind, size: ByteCount(row["size"] as Int),
            destination: try party(row["destination"]), priority: priority,
            created: Timestamp(milliseconds: row["created"]), lifetime: row["lifetime"],
            age: (row["uptime"] as Int64) - (row["born"] as Int64), state: frame == nil ? .waiting : .framed)
    }
}
