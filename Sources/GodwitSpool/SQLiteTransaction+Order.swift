import FoundationEssentials
import GRDB
public import GodwitProtocol

/// An item in custody without its body.
public struct SpoolKey: Sendable, Hashable {
    public var row: Int64
    public var id: ItemID
    public var kind: ItemKind
}

/// What waits, as far as whoever hands it over needs it.
public struct SpoolBody: Sendable, Hashable {
    public var row: Int64
    public var kind: ItemKind
    public var body: [UInt8]

    public init(row: Int64, kind: ItemKind, body: [UInt8]) { (self.row, self.kind, self.body) = (row, kind, body) }
}

/// The oldest items of a queue.
public struct SpoolBodies: Sendable, Hashable {
    public var items: [SpoolBody]
    /// Nothing more waited when they were read.
    public var isAll: Bool
}

extension SQLiteTransaction {
    /// Items for a destination that no frame holds, of all classes in order of arrival.
    ///
    /// Rows and sizes are looked at first, so that no body is read for nothing. An item whose body is damaged on disk is
    /// left out.
    ///
    /// - Parameters:
    ///   - row: only items after this one.
    ///   - bytes: of bodies.
    ///   - atLeastOne: one item is read if any waits, however large it is.
    public func waitingInOrder(
        for destination: Party, after row: Int64, count: Int, bytes: ByteCount, atLeastOne: Bool = true
    ) throws -> SpoolBodies {
        guard let party = try integer("SELECT party FROM spool_party WHERE name = ?", [destination.text]) else {
            return SpoolBodies(items: [], isAll: true)
        }
        var bodies = SpoolBodies(items: [], isAll: false)
        var found: [(row: Int64, size: Int)] = []
        for priority in PriorityClass.allCases {
            let statement = try database.cachedStatement(
                sql: """
                    SELECT row, size FROM spool_item INDEXED BY spool_item_waiting
                    WHERE destination = ? AND priority = ? AND frame IS NULL AND row > ? ORDER BY row LIMIT ?
                    """)
            let cursor = try Row.fetchCursor(statement, arguments: [party, priority.rawValue, row, count])
            while let entry = try cursor.next() { found.append((entry[0], entry[1])) }
        }
        found.sort { $0.row < $1.row }
        var total = 0
        for entry in found.prefix(count) {
            guard atLeastOne && total == 0 || total + entry.size <= bytes.bytes else { return bodies }
            do {
                guard let item = try spoolBody(inRow: entry.row) else { continue }
                bodies.items.append(item)
                total += entry.size
            } catch let error as SpoolError where error.code == .corrupt {
                // One damaged body must not hold up all that waits behind it; `verify` names it.
            }
        }
        bodies.isAll = found.count < count
        return bodies
    }

    /// Something that no frame holds waits for a destination behind a row.
    public func hasWaiting(for destination: Party, after row: Int64) throws -> Bool {
        guard let party = try integer("SELECT party FROM spool_party WHERE name = ?", [destination.text]) else {
            return false
        }
        return try integer(
            "SELECT 1 FROM spool_item WHERE destination = ? AND frame IS NULL AND row > ? LIMIT 1", [party, row]) != nil
    }

    /// An item that no frame holds; nil where there is none, or its body is damaged on disk.
    public func waitingItem(inRow row: Int64) throws -> SpoolItem? {
        do {
            return try item(inRow: row).flatMap { $0.state == .waiting ? $0 : nil }
        } catch let error as SpoolError where error.code == .corrupt { return nil }
    }

    private func spoolBody(inRow number: Int64) throws -> SpoolBody? {
        let statement = try database.cachedStatement(
            sql: """
                SELECT i.kind, i.size, b.content, b.digest FROM spool_item i JOIN spool_body b ON b.body = i.body
                WHERE i.row = ?
                """)
        let cursor = try Row.fetchCursor(statement, arguments: [number])
        guard let row = try cursor.next() else { return nil }
        guard let kind = ItemKind(rawValue: row[0]) else {
            throw SpoolError(.corrupt, "An item is of an unknown kind.")
        }
        let content: Data? = row[2]
        let body = try content.map(bytes) ?? blobs.read(digest: bytes(row[3]), size: row[1])
        return SpoolBody(row: number, kind: kind, body: body)
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
