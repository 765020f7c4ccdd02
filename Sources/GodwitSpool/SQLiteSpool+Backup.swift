import Dispatch
import FoundationEssentials
public import GRDB
import Glibc
import GodwitProtocol

extension SQLiteSpool {
    /// Copies the spool into a directory as it is at one moment, while it is written to: `spool.sqlite` and the files of
    /// `blobs/` that it names.
    ///
    /// - Throws: `ProtocolError` 3003 on a full disk, `SpoolError` for a body that is damaged.
    public func backup(to directory: String) async throws {
        // Files of bodies that are released meanwhile stay until they are copied.
        let ticket = janitor.readerCame()
        defer { janitor.readerLeft(ticket) }
        let (pool, blobs) = (pool, blobs)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            // Copying blocks for as long as the disk takes, so it must not hold a cooperative thread.
            DispatchQueue(label: "godwit.spool.backup").async {
                done.resume(
                    with: Result {
                        do { try Self.copy(pool, blobs, to: directory) } catch { throw SpoolFailure.translate(error) }
                    })
            }
        }
    }

    private static func copy(_ pool: DatabasePool, _ blobs: BlobStore, to directory: String) throws {
        try SystemFile.makeDirectory(directory)
        let path = directory + "/spool.sqlite"
        Glibc.close(try SystemFile.open(path, O_RDWR | O_CREAT | O_EXCL))
        let copy = try DatabaseQueue(path: path)
        try pool.backup(to: copy)
        try copy.writeWithoutTransaction { database in
            // One file without a log beside it.
            try database.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        let target = try BlobStore(directory: directory + "/blobs")
        let bodies = try copy.read { database in
            try Row.fetchAll(database, sql: "SELECT digest, size FROM spool_body WHERE content IS NULL")
        }
        for row in bodies {
            let digest = [UInt8](row["digest"] as Data)
            try target.publish(try blobs.read(digest: digest, size: row["size"]), digest: digest)
        }
        try copy.close()
        let descriptor = try SystemFile.open(path, O_RDONLY)
        defer { Glibc.close(descriptor) }
        _ = try SystemFile.retrying("fsync") { Int(fsync(descriptor)) }
        try SystemFile.synchronize(directory: directory)
    }

    /// Checks a copy without changing it: the database's integrity, its migrations, and each body against its digest.
    /// - Returns: what is wrong, a line each.
    public static func problems(
        ofCopyIn directory: String, migrations: (inout DatabaseMigrator) -> Void = { _ in }
    ) throws -> [String] {
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let copy = try DatabaseQueue(path: directory + "/spool.sqlite", configuration: configuration)
            defer { try? copy.close() }
            var migrator = DatabaseMigrator()
            SpoolSchema.register(in: &migrator)
            migrations(&migrator)
            if try copy.read(migrator.hasBeenSuperseded) { return ["database: a newer version wrote it"] }
            let blobs = try BlobStore(directory: directory + "/blobs")
            return try copy.read { database in
                var result = SpoolVerification()
                try checkDatabase(database, &result)
                guard result.problems.isEmpty else { return result.problems }
                try checkBodies(database, blobs, [], &result)
                return result.problems
            }
        } catch let error as DatabaseError {
            return ["database: cannot be read (\(error.resultCode))"]
        }
    }
}

extension SQLiteTransaction {
    /// Draws a new incarnation towards everybody who was ever sent a frame (D-8): a copy does not know what was sent
    /// after it was made. What was in frames waits again.
    ///
    /// Arrival numbers go on far above those of the copy: a client says up to which it has seen everything, and what was
    /// given out after the copy must not come again for something else.
    public func forgetFrames() throws {
        let gap = Int64(1) << 32
        try run("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'spool_item'", [gap])
        if database.changesCount == 0 {
            try run("INSERT INTO sqlite_sequence (name, seq) VALUES ('spool_item', ?)", [gap])
        }
        let parties = try rows("SELECT name, incarnation FROM spool_party WHERE incarnation IS NOT NULL ORDER BY party")
        for row in parties {
            let present: Int64 = row["incarnation"]
            var drawn = UInt32.random(in: 1 ... .max)
            while Int64(drawn) == present { drawn = .random(in: 1 ... .max) }
            try renewIncarnation(to: try party(row["name"]), incarnation: drawn)
        }
    }
}
