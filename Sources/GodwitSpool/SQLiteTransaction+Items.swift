import FoundationEssentials
import GRDB
public import GodwitProtocol

extension SQLiteTransaction {
    public func enqueue(_ item: NewItem) throws -> EnqueueOutcome {
        let admission = Admission(limits: configuration)
        try admission.validate(item)
        let uptime = try uptime()
        if let destination = try find(item.destination), try isKnown(item.id, for: destination, at: uptime) {
            return .duplicate
        }
        let digest = BlobStore.digest(of: item.body)
        let present = try integer("SELECT body FROM spool_body WHERE digest = ?", [Data(digest)])
        try admission.admit(item, under: try load(of: item, bodyPresent: present != nil))

        let body = try present ?? store(item.body, digest: digest)
        let destination = try place(item.destination)
        let owner = try item.owner.map(place)
        let born = uptime - item.age
        try run(
            """
            INSERT INTO spool_item
              (id, kind, body, size, destination, priority, created, lifetime, born, ends, owner, era)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Data(item.id.bytes), item.kind.rawValue, body, item.body.count, destination, item.priority.rawValue,
                item.created.milliseconds, item.lifetime, born, born + item.lifetime, owner, try currentEra(uptime),
            ])
        return .accepted(row: database.lastInsertedRowID)
    }

    /// In custody for this destination, or handed over or expired within the duplicate-detection time.
    private func isKnown(_ id: ItemID, for destination: Int64, at uptime: Int64) throws -> Bool {
        try integer(
            """
            SELECT 1 FROM spool_era e CROSS JOIN spool_arrival a ON a.era = e.era
            WHERE a.id = ? AND a.destination = ? AND (a.state = 0 OR a.era >= ?) LIMIT 1
            """, [Data(id.bytes), destination, eras.oldest(at: uptime)]) != nil
    }

    private func load(of item: NewItem, bodyPresent: Bool) throws -> Admission.Load {
        Admission.Load(
            spoolBytes: Int(try integer("SELECT bytes FROM spool_state") ?? 0),
            addedBytes: bodyPresent ? 0 : item.body.count,
            destinationItems: Int(
                try integer("SELECT items FROM spool_party WHERE name = ?", [item.destination.text]) ?? 0),
            ownerBytes: try item.owner.map {
                Int(try integer("SELECT owned FROM spool_party WHERE name = ?", [$0.text]) ?? 0)
            } ?? 0,
            disk: configuration.disk(blobs.directory))
    }

    /// Stores a body that is not there yet; its file, if it gets one, is durable before its row.
    private func store(_ body: [UInt8], digest: [UInt8]) throws -> Int64 {
        let inFile = body.count > SpoolConfiguration.blobThreshold
        if inFile {
            journal.created.append(digest)
            try blobs.publish(body, digest: digest)
        }
        try run(
            "INSERT INTO spool_body (digest, size, content) VALUES (?, ?, ?)",
            [Data(digest), body.count, inFile ? nil : Data(body)])
        return database.lastInsertedRowID
    }

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
