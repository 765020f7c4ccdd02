import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func queues(for destination: Party) throws -> [PriorityClass: QueueSummary] {
        guard let party = try find(destination) else { return [:] }
        let uptime = try uptime()
        var queues: [PriorityClass: QueueSummary] = [:]
        for row in try rows(
            """
            SELECT priority, count(*) AS count, sum(size) AS bytes, min(born) AS born, min(ends) AS ends
            FROM spool_item INDEXED BY spool_item_waiting WHERE destination = ? AND frame IS NULL GROUP BY priority
            """, [party])
        {
            guard let priority = PriorityClass(rawValue: row["priority"]) else { continue }
            let born: Int64 = row["born"]
            let ends: Int64 = row["ends"]
            queues[priority] = QueueSummary(
                count: row["count"], bytes: ByteCount(row["bytes"]), oldestAge: uptime - born,
                firstExpiry: max(0, ends - uptime))
        }
        return queues
    }

    public func waiting(
        for destination: Party, class priority: PriorityClass, count: Int, bytes: ByteCount
    ) throws -> [SpoolItem] {
        guard count > 0, let party = try find(destination) else { return [] }
        let horizon = try uptime() + SpoolConfiguration.urgentWithin
        var chosen: [Int64] = []
        var total = 0
        // Sizes first, so that no body is read for nothing.
        func choose(_ sql: String) throws -> Bool {
            let statement = try database.cachedStatement(sql: sql)
            let cursor = try Row.fetchCursor(
                statement, arguments: [party, priority.rawValue, horizon, count - chosen.count])
            while let row = try cursor.next() {
                let size: Int = row["size"]
                guard chosen.isEmpty || total + size <= bytes.bytes else { return false }
                total += size
                chosen.append(row["row"])
            }
            return chosen.count < count
        }
        let urgent = """
            SELECT row, size FROM spool_item INDEXED BY spool_item_urgent
            WHERE destination = ? AND priority = ? AND frame IS NULL AND ends <= ? ORDER BY ends, row LIMIT ?
            """
        let others = """
            SELECT row, size FROM spool_item INDEXED BY spool_item_waiting
            WHERE destination = ? AND priority = ? AND frame IS NULL AND ends > ? ORDER BY row LIMIT ?
            """
        if try choose(urgent) { _ = try choose(others) }
        return try chosen.compactMap { number in
            do { return try item(inRow: number) } catch let error as SpoolError where error.code == .corrupt {
                // One damaged body must not hold up all that waits behind it; `verify` names it.
                return nil
            }
        }
    }

    func item(inRow number: Int64) throws -> SpoolItem? {
        try row(Self.itemColumns + "WHERE i.row = ?", [number]).map(item)
    }

    public func destinations() throws -> [Party] {
        try rows("SELECT name FROM spool_party WHERE items > 0 ORDER BY name").map { try party($0["name"]) }
    }

    public func items(for destination: Party?, limit: Int) throws -> [SpoolItem] {
        guard limit > 0 else { return [] }
        guard let destination else {
            return try rows(Self.itemColumns + "ORDER BY i.row LIMIT ?", [limit]).map(item)
        }
        guard let party = try find(destination) else { return [] }
        return try rows(Self.itemColumns + "WHERE i.destination = ? ORDER BY i.row LIMIT ?", [party, limit]).map(item)
    }
}
