import CVault
import Dispatch
import FoundationEssentials
public import GRDB
import GRDBSQLite
import Glibc

/// A spool in a directory: `spool.sqlite` (WAL, `synchronous=FULL`), `blobs/` with large bodies, and `lock`.
///
/// Every `write` is durable when it returns (GW-03); shutdown is no part of durability. One process holds the
/// directory at a time (D-6). Files are readable by their owner only.
public final class SQLiteSpool: Spool {
    let pool: DatabasePool
    let blobs: BlobStore
    let commits: GroupCommit
    private let configuration: SpoolConfiguration
    let janitor: BlobJanitor
    private let memory: WriterMemory
    private let sealed: SealedPath?
    private let lock: DirectoryLock

    /// Opens the spool, made if it is missing, brings its tables up to date and removes files without a row.
    ///
    /// Blocks for as long as the disk takes: call it at start, not from a busy task.
    ///
    /// - Parameters:
    ///   - key: what the store is sealed under, or is to be if it is made now; nil: a plain store.
    ///   - migrations: adds the tables of other rooms to the same file, after the spool's own.
    /// - Throws: `SpoolError` `.locked`, `.newer`, `.corrupt`, `.unusable`, `.sealed`, `.plain`; `ProtocolError` 3003 on
    ///   a full disk.
    public init(
        directory: String, key: StoreKey? = nil, configuration: SpoolConfiguration = SpoolConfiguration(),
        migrations: (inout DatabaseMigrator) -> Void = { _ in }
    ) throws {
        _ = Self.isConfigured
        do {
            try SystemFile.makeDirectory(directory)
            let lock = try DirectoryLock(directory: directory)
            let sealed = try Self.unseal(directory, key)
            let blobs = try BlobStore(directory: directory + "/blobs", key: key)
            let pool = try Self.openDatabase(in: directory, isSealed: sealed != nil)
            var migrator = DatabaseMigrator()
            SpoolSchema.register(in: &migrator)
            migrations(&migrator)
            try Self.prepare(pool, migrator)
            try SystemFile.synchronize(directory: directory)
            try Self.sweep(blobs, pool)

            let janitor = BlobJanitor()
            let memory = WriterMemory(configuration)
            self.lock = lock
            self.sealed = sealed
            self.blobs = blobs
            self.pool = pool
            self.configuration = configuration
            self.janitor = janitor
            self.memory = memory
            commits = GroupCommit(pool: pool, memory: memory) { database, journal in
                SQLiteTransaction(
                    database: database, blobs: blobs, configuration: configuration, journal: journal, memory: memory)
            } afterGroup: { orphans, database in
                janitor.note(orphans)
                Self.removeOrphans(janitor.due(), blobs, database)
            }
        } catch let failure as SystemFailure where failure.number != ENOSPC && failure.number != EDQUOT {
            throw Self.unusable(failure)
        } catch {
            throw SpoolFailure.translate(error)
        }
    }

    /// Runs `body` on the writer's queue in a transaction that concurrent callers share, and returns after the commit.
    ///
    /// If `body` throws, its own changes are undone and its error is thrown here. If the commit fails, nothing of the
    /// group is kept and everyone in it gets `ProtocolError` 3003 (disk full) or 9000. A cancelled task still waits
    /// for its commit.
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteTransaction) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            submit(body) { continuation.resume(with: $0) }
        }
    }

    /// Lines up a `write` without waiting for it. Writes are carried out in the order of the calls, and so are their
    /// completions.
    ///
    /// - Parameter completion: called once, after the commit, on the writer's queue; must return at once.
    public func submit<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        commits.submit(
            CommitJob { transaction in
                let value = try body(transaction)
                return { completion(.success(value)) }
            } fail: {
                completion(.failure($0))
            })
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteTransaction) throws -> Value
    ) async throws -> Value {
        let ticket = janitor.readerCame()
        defer { janitor.readerLeft(ticket) }
        let (blobs, configuration) = (blobs, configuration)
        do {
            return try await pool.read { database in
                try body(
                    SQLiteTransaction(
                        database: database, blobs: blobs, configuration: configuration,
                        journal: SQLiteTransaction.BlobJournal(), memory: WriterMemory(configuration)))
            }
        } catch {
            throw SpoolFailure.translate(error)
        }
    }

    /// Serves the callers that wait, then closes the file and lets other processes in. Later writes fail with
    /// `SpoolError` `.closed`.
    ///
    /// Nothing is lost without it; but what was deleted stays readable in the write-ahead log until then.
    public func close() async throws {
        await commits.close()
        defer {
            sealed?.release()
            lock.release()
        }
        let (pool, memory) = (pool, memory)
        var failure: (any Error)?
        do {
            try await pool.writeWithoutTransaction {
                memory.close()
                _ = try $0.checkpoint(.truncate)
            }
        } catch {
            // The file is closed all the same; the log is folded in at the next opening.
            failure = error
        }
        // Closing waits for readers that may need the cooperative threads, so it must not hold one.
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            DispatchQueue(label: "godwit.spool.close").async {
                done.resume(with: Result { try pool.close() })
            }
        }
        if let failure { throw SpoolFailure.translate(failure) }
    }

    /// Folds the write-ahead log into the database and empties it, so that what was deleted is not readable there.
    ///
    /// - Throws: `SpoolError` or `ProtocolError`, also while a reader holds the log; nothing is lost then.
    public func truncateLog() async throws {
        do {
            try await pool.writeWithoutTransaction { database in
                // Everybody who writes waits behind this, so a reader is hardly waited for: the caller comes again.
                try database.execute(sql: "PRAGMA busy_timeout = 200")
                defer { try? database.execute(sql: "PRAGMA busy_timeout = 5000") }
                _ = try database.checkpoint(.truncate)
            }
        } catch {
            throw SpoolFailure.translate(error)
        }
    }

    /// Transactions begun since the opening; each ends with one synchronisation of the log.
    public var transactions: Int { commits.state.groups }

    // MARK: Opening

    static func databasePath(in directory: String) -> String { directory + "/spool.sqlite" }

    static func unusable(_ failure: SystemFailure) -> SpoolError {
        SpoolError(
            .unusable, "The spool's directory cannot be used (\(failure.step): error \(failure.number)).",
            hint: "Check that the directory exists and that this user may write to it.")
    }

    /// Set up once for the process, before SQLite is used; where something else has used it before, it is only slower.
    private static let isConfigured = godwit_sqlite_configure() == SQLITE_OK

    private static func openDatabase(in directory: String, isSealed: Bool) throws -> DatabasePool {
        let path = databasePath(in: directory)
        // Made here, so that it and the files that SQLite puts beside it are for their owner only.
        Glibc.close(try SystemFile.open(path, O_RDWR | O_CREAT))
        var configuration = Configuration()
        configuration.label = "godwit.spool"
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA secure_delete = ON")
            if isSealed { try prepareSealed(database) }
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.writeWithoutTransaction { database in
            // GRDB sets NORMAL for WAL, with which a power cut may take back a commit.
            // The pages of the last era, into which ids come in random order, have room in the cache. What a part of a
            // transaction may have to undo is kept in memory: in a temporary file it would be written for every message.
            // Pages that change with every group are written back from the log once in 16 MB of it.
            try database.execute(
                sql: """
                    PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;
                    PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000
                    """)
        }
        return pool
    }

    private static func prepare(_ pool: DatabasePool, _ migrator: DatabaseMigrator) throws {
        if try pool.read(migrator.hasBeenSuperseded) {
            throw SpoolError(
                .newer, "A newer version wrote this spool.", hint: "Run the newer version, or use another directory.")
        }
        try migrator.migrate(pool)
    }

    private static func sweep(_ blobs: BlobStore, _ pool: DatabasePool) throws {
        let digests = try pool.read { database in
            try Data.fetchSet(database, sql: "SELECT digest FROM spool_body WHERE content IS NULL")
        }
        for name in try blobs.strangers(besides: Set(digests.map { [UInt8]($0) })) { blobs.remove(name: name) }
    }

    /// On the writer's queue, between transactions.
    static func removeOrphans(_ digests: [[UInt8]], _ blobs: BlobStore, _ database: Database) {
        for digest in digests {
            // If the look-up fails the file stays, and is swept at the next opening.
            let row = try? Row.fetchOne(
                database.cachedStatement(
                    sql: "SELECT count(*) AS count FROM spool_body WHERE digest = ? AND content IS NULL"),
                arguments: [Data(digest)])
            if let row, row["count"] as Int == 0 { blobs.remove(digest: digest) }
        }
    }
}
