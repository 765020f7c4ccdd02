import GRDB
public import GodwitProtocol

/// An item in custody without its body.
public struct SpoolKey: Sendable, Hashable {
    public var row: Int64
    public var id: ItemID
    public var kind: ItemKind
}

extension SQLiteTransaction {
    /// Items for a destination that no frame holds, of all classes in order of arrival.
    ///
    /// Rows and sizes are looked at first, so that no body is read for nothing. An item whose body is damaged on disk is
    /// left out.
    ///
    /// - Parameters:
    ///   - row: only items after this one.
    ///   - bytes: of bodies; at least one item is read if any waits.
    public func waitingInOrder(
        for destination: Party, after row: Int64, count: Int, bytes: ByteCount
    ) throws -> [SpoolItem] {
        guard count > 0, let party = try find(destination) else { return [] }
        var found: [(row: Int64, size: Int)] = []
        for priority in PriorityClass.allCases {
            found += try rows(
                """
                SELECT row, size FROM spool_item INDEXED BY spool_item_waiting
                WHERE destination = ? AND priority = ? AND frame IS NULL AND row > ? ORDER BY row LIMIT ?
                """, [party, priority.rawValue, row, count]
            ).map { ($0["row"], $0["size"]) }
        }
        found.sort { $0.row < $1.row }
        var items: [SpoolItem] = []
        var total = 0
        for entry in found.prefix(count) {
            guard total == 0 || total + entry.size <= bytes.bytes else { break }
            total += entry.size
            do {
                if let item = try item(inRow: entry.row) { items.append(item) }
            } catch let error as SpoolError where error.code == .corrupt {
                // One damaged body must not hold up all that waits behind it; `verify` names it.
            }
        }
        return items
    }

    /// Rows of the items for a destination that no frame holds, up to and with one.
    public func waitingRows(for destination: Party, upTo row: Int64) throws -> [Int64] {
        guard let party = try find(destination) else { return [] }
        return try rows(
            "SELECT row FROM spool_item WHERE destination = ? AND frame IS NULL AND row <= ? ORDER BY row",
            [party, row]
        ).map { $0["row"] }
    }

    /// Rows of the items that count against a party's quota and that no frame holds.
    public func waitingRows(ownedBy party: Party) throws -> [Int64] {
        guard let owner = try find(party) else { return [] }
        return try rows("SELECT row FROM spool_item WHERE owner = ? AND frame IS NULL ORDER BY row", [owner])
            .map { $0["row"] }
    }

    /// All items in custody for a destination, framed or not, oldest first, without their bodies.
    public func keys(for destination: Party) throws -> [SpoolKey] {
        guard let party = try find(destination) else { return [] }
        return try rows("SELECT row, id, kind FROM spool_item WHERE destination = ? ORDER BY row", [party]).map { row in
            SpoolKey(
                row: row["row"], id: ItemID(bytes(row["id"])), kind: ItemKind(rawValue: row["kind"]) ?? .object)
        }
    }
}
