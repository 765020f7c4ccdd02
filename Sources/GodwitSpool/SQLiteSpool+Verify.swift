import FoundationEssentials
import GRDB
import GodwitProtocol

extension SQLiteSpool {
    /// Checks the database's own integrity, its references and sums, every body against its digest, and `blobs/`
    /// against the rows. Reads everything; mends nothing.
    ///
    /// Runs between writes, so nothing is half-done while it looks.
    public func verify() async throws -> SpoolVerification {
        let (blobs, janitor) = (blobs, janitor)
        do {
            return try await pool.writeWithoutTransaction { database in
                // Files whose removal only waited for a reader are no problem.
                Self.removeOrphans(janitor.due(), blobs, database)
                let leaving = Set(janitor.pending)
                var result = SpoolVerification()
                try Self.checkDatabase(database, &result)
                try Self.checkSums(database, &result)
                try Self.checkBodies(database, blobs, leaving, &result)
                return result
            }
        } catch {
            throw SpoolFailure.translate(error)
        }
    }

    static func checkDatabase(_ database: Database, _ result: inout SpoolVerification) throws {
        for line in try String.fetchAll(database, sql: "PRAGMA integrity_check") where line != "ok" {
            result.problems.append("database: \(line)")
        }
        for row in try Row.fetchAll(database, sql: "PRAGMA foreign_key_check") {
            let table: String = row[0]
            result.problems.append("database: a row of \(table) refers to nothing")
        }
    }

    /// The sums that triggers keep, against what they sum up.
    private static func checkSums(_ database: Database, _ result: inout SpoolVerification) throws {
        let checks = [
            ("the total of bytes", "SELECT bytes <> (SELECT coalesce(sum(size), 0) FROM spool_body) FROM spool_state"),
            (
                "bodies without an item",
                """
                SELECT count(*) FROM spool_body b WHERE NOT EXISTS (SELECT 1 FROM spool_item i WHERE i.body = b.body)
                """
            ),
            (
                "items of a destination",
                """
                SELECT count(*) FROM spool_party p LEFT JOIN
                  (SELECT destination, count(*) AS n FROM spool_item GROUP BY destination) s ON s.destination = p.party
                WHERE p.items <> coalesce(s.n, 0)
                """
            ),
            (
                "bytes of an owner",
                """
                SELECT count(*) FROM spool_party p LEFT JOIN
                  (SELECT owner, sum(size) AS n FROM spool_item GROUP BY owner) s ON s.owner = p.party
                WHERE p.owned <> coalesce(s.n, 0)
                """
            ),
            (
                "marks of items in custody",
                """
                SELECT count(*) FROM spool_arrival a LEFT JOIN spool_item i
                  ON i.row = a.row AND i.id = a.id AND i.destination = a.destination
                WHERE (a.state = 0) <> (i.row IS NOT NULL)
                """
            ),
        ]
        for (what, sql) in checks where try Int.fetchOne(database, sql: sql) != 0 {
            result.problems.append("sums: \(what) is wrong")
        }
    }

    static func checkBodies(
        _ database: Database, _ blobs: BlobStore, _ leaving: Set<[UInt8]>, _ result: inout SpoolVerification
    ) throws {
        result.items = try Int.fetchOne(database, sql: "SELECT count(*) FROM spool_item") ?? 0
        var files: Set<[UInt8]> = []
        let cursor = try Row.fetchCursor(database, sql: "SELECT digest, size, content FROM spool_body ORDER BY body")
        while let row = try cursor.next() {
            let digest = [UInt8](row["digest"] as Data)
            let size: Int = row["size"]
            let name = String(Hex.encode(digest).prefix(12))
            result.bodies += 1
            result.bytes += ByteCount(size)
            if let content: Data = row["content"] {
                if BlobStore.digest(of: [UInt8](content)) != digest {
                    result.problems.append("body \(name): not what its digest says")
                }
                continue
            }
            files.insert(digest)
            do {
                _ = try blobs.read(digest: digest, size: size)
            } catch let error as SpoolError {
                result.problems.append("body \(name): \(error.message)")
            } catch let failure as SystemFailure {
                // A doubtful disk is what this is called for: one unreadable file does not end the search.
                result.problems.append("body \(name): cannot be read (\(failure.step): error \(failure.number))")
            }
        }
        result.files = files.count
        for name in try blobs.strangers(besides: files.union(leaving)) {
            result.problems.append("blobs/\(name.prefix(16)): belongs to no body (removed at the next opening)")
        }
    }
}
