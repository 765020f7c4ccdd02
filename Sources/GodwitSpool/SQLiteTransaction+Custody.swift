import FoundationEssentials
import GRDB
import GodwitProtocol

extension SQLiteTransaction {
    public func custody(of id: ItemID) throws -> [Custody] {
        try rows(
            """
            SELECT p.name, a.state, i.frame FROM spool_era e
              CROSS JOIN spool_arrival a ON a.era = e.era
              JOIN spool_party p ON p.party = a.destination
              LEFT JOIN spool_item i ON i.row = a.row
            WHERE a.id = ? AND (a.state = 0 OR e.slot >= ?) ORDER BY p.name
            """, [Data(id.bytes), eras.oldest(at: try uptime())]
        ).map { row in
            let frame: Int64? = row["frame"]
            let state: CustodyState =
                switch row["state"] as Int {
                case 0: frame == nil ? .waiting : .framed
                case 1: .forwarded
                default: .expired
                }
            return Custody(destination: try party(row["name"]), state: state)
        }
    }

    public func release(_ rows: [Int64]) throws {
        let ended = configuration.wallClock().milliseconds
        for row in rows { try release(row, at: ended) }
    }

    /// `end` for what nobody needs to see again: done for every message, so no body is read.
    private func release(_ number: Int64, at ended: Int64) throws {
        let found = try statement(.heldRow)
        found.bind(1, number)
        let held = try found.first { row in
            (
                id: [UInt8](row.blob(0)), destination: row.integer(1), era: row.integer(2), body: row.integer(3),
                size: row.integer(4)
            )
        }
        guard let held else { return }
        let isInFile = held.size > Int64(SpoolConfiguration.blobThreshold)
        let digest: Data? =
            isInFile ? try row("SELECT digest FROM spool_body WHERE body = ?", [held.body])?["digest"] : nil
        let deletion = try statement(.deleteItem)
        deletion.bind(1, number)
        try deletion.run()
        let mark = try statement(.markEnded)
        for (place, value) in [1, ended, held.era].enumerated() { mark.bind(Int32(place) + 1, value) }
        mark.bind(4, held.id)
        mark.bind(5, held.destination)
        try mark.run()
        if try drop(body: held.body), let digest { journal.dropped.append(bytes(digest)) }
    }

    /// Takes out a body that no item has any more.
    /// - Returns: false if one has.
    private func drop(body: Int64) throws -> Bool {
        let statement = try statement(.deleteBody)
        statement.bind(1, body)
        try statement.run()
        return database.changesCount > 0
    }

    /// Ends custody of a row and leaves a mark of how it ended.
    /// - Returns: the item as it was, with its new state; nil if it is not in custody.
    func end(_ number: Int64, as state: CustodyState) throws -> SpoolItem? {
        guard let found = try row(Self.itemColumns + "WHERE i.row = ?", [number]) else { return nil }
        var item = try leavingItem(found)
        item.state = state
        try run("DELETE FROM spool_item WHERE row = ?", [number])
        try run(
            """
            UPDATE spool_arrival SET state = ?, ended = ?
            WHERE era = ? AND id = ? AND destination = (SELECT party FROM spool_party WHERE name = ?)
            """,
            [
                state == .forwarded ? 1 : 2, configuration.wallClock().milliseconds, found["era"] as Int64,
                Data(item.id.bytes), item.destination.text,
            ])
        let body: Int64 = found["body"]
        if try drop(body: body), found["size"] as Int > SpoolConfiguration.blobThreshold {
            journal.dropped.append(bytes(found["digest"]))
        }
        return item
    }

    public func expire(elapsed: Int64) throws -> [SpoolItem] {
        try run(
            "UPDATE spool_state SET uptime = min(uptime + ?, 1 << 60)",
            [min(max(0, elapsed), SpoolConfiguration.timeMax)])
        memory.uptime = nil
        let uptime = try uptime()
        let ended = try rows(
            "SELECT row FROM spool_item WHERE ends <= ? ORDER BY ends, row LIMIT ?",
            [uptime, SpoolConfiguration.expiredPerCall])
        let items = try ended.compactMap { try end($0["row"], as: .expired) }
        try forgetOldEras(uptime)
        return items
    }

    /// Drops what arrived longer ago than the duplicate-detection time, a slice a call, so that no commit is long.
    /// What is still in custody stays.
    private func forgetOldEras(_ uptime: Int64) throws {
        var left = Self.forgottenPerCall
        for row in try rows("SELECT era FROM spool_era WHERE slot < ? ORDER BY era", [eras.oldest(at: uptime)])
        where left > 0 {
            let era: Int64 = row["era"]
            try run(
                """
                DELETE FROM spool_arrival WHERE era = ?1 AND (id, destination) IN
                  (SELECT id, destination FROM spool_arrival WHERE era = ?1 AND state <> 0 LIMIT ?2)
                """, [era, left])
            left -= database.changesCount
            try run(
                "DELETE FROM spool_era WHERE era = ?1 AND NOT EXISTS (SELECT 1 FROM spool_arrival WHERE era = ?1)",
                [era])
            if database.changesCount > 0 { memory.eras.drop(era) }
        }
    }

    private static let forgottenPerCall = 5_000
}
