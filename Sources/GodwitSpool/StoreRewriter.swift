import CVault
import FoundationEssentials
import GRDB
import Glibc

/// Writes a whole store anew: under a key, or out of one.
///
/// The copy is made beside, synced and checked, and takes the store's place by one rename. A crash before leaves the old
/// store as it was, one after it the new one; what is left lying is removed at the next opening.
struct StoreRewriter {
    let directory: String
    let old: StoreKey?
    let new: StoreKey?

    private var path: String { SQLiteSpool.databasePath(in: directory) }
    private var copyPath: String { Self.copyPath(in: directory) }

    static func copyPath(in directory: String) -> String { SQLiteSpool.databasePath(in: directory) + ".new" }

    /// Removes a copy that never took the store's place: it may hold in clear what the store has sealed.
    static func removeRest(in directory: String) {
        for end in ["", "-wal", "-shm", "-journal"] { SystemFile.remove(copyPath(in: directory) + end) }
    }

    /// - Parameter beforeRename: what has to be durable before the copy counts.
    func rewrite(beforeRename: () throws -> Void) throws {
        Self.removeRest(in: directory)
        do {
            let source = try old.map { try SealedPath(path, key: $0) }
            let copy = try new.map { try SealedPath(copyPath, key: $0, isNew: true) }
            let files = try copyDatabase()
            try copyBodies(files)
            try beforeRename()
            try replace(Set(files.map(\.digest)))
            withExtendedLifetime((source, copy)) {}
        } catch {
            Self.removeRest(in: directory)
            throw error
        }
    }

    /// An empty store under the new key.
    func create() throws {
        Self.removeRest(in: directory)
        do {
            let hold = try new.map { try SealedPath(copyPath, key: $0, isNew: true) }
            let empty = try DatabaseQueue()
            try writeCopy(of: empty)
            try empty.close()
            try finishCopy()
            withExtendedLifetime(hold) {}
        } catch {
            Self.removeRest(in: directory)
            throw error
        }
        _ = try SystemFile.retrying("rename") { Int(rename(copyPath, path)) }
        try SystemFile.synchronize(directory: directory)
    }

    // MARK: The database

    /// - Returns: digests and sizes of the bodies that are kept in files.
    private func copyDatabase() throws -> [(digest: [UInt8], size: Int)] {
        var configuration = Configuration()
        if old != nil { configuration.prepareDatabase(SQLiteSpool.prepareSealed) }
        let source = try DatabaseQueue(path: path, configuration: configuration)
        let files = try source.read { database in
            try Row.fetchAll(database, sql: "SELECT digest, size FROM spool_body WHERE content IS NULL")
                .map { (digest: [UInt8]($0["digest"] as Data), size: $0["size"] as Int) }
        }
        try writeCopy(of: source)
        // Closing folds the log in and removes it: nothing of the old store is left but one file.
        try source.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try source.close()
        try finishCopy()
        return files
    }

    private func writeCopy(of source: DatabaseQueue) throws {
        // Made here, so that it and the files that SQLite puts beside it are for their owner only.
        Glibc.close(try SystemFile.open(copyPath, O_RDWR | O_CREAT | O_EXCL))
        try source.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
            if new != nil, let connection = database.sqliteConnection {
                let code = godwit_vault_make_room(UnsafeMutableRawPointer(connection))
                guard code == 0 else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
            }
            // Without the pages that are free, and what was deleted in them.
            try database.execute(sql: "VACUUM INTO ?", arguments: [copyPath])
        }
    }

    /// Brings the copy into the form in which it is opened, and reads all of it.
    private func finishCopy() throws {
        var configuration = Configuration()
        if new != nil { configuration.prepareDatabase(SQLiteSpool.prepareSealed) }
        let copy = try DatabaseQueue(path: copyPath, configuration: configuration)
        try copy.writeWithoutTransaction { database in
            // A journal beside a sealed database is refused, and nothing is lost here if this is cut off.
            try database.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            _ = try database.checkpoint(.truncate)
        }
        try copy.read(Self.check)
        try copy.close()
        try Self.synchronize(copyPath)
        guard try StoreForm.ofFile(copyPath) == (new == nil ? .plain : .sealed) else {
            throw SpoolError(.corrupt, "The copy of the store has not the form that was asked for.")
        }
    }

    private static func check(_ database: Database) throws {
        var found = SpoolVerification()
        try SQLiteSpool.checkDatabase(database, &found)
        guard found.problems.isEmpty else {
            throw SpoolError(
                .corrupt, "The copy of the store is not sound; the store is as it was.",
                hint: "Run `godwit spool verify`.")
        }
    }

    private static func synchronize(_ path: String) throws {
        let descriptor = try SystemFile.open(path, O_RDONLY)
        defer { Glibc.close(descriptor) }
        _ = try SystemFile.retrying("fsync") { Int(fsync(descriptor)) }
    }

    // MARK: Bodies

    private func copyBodies(_ files: [(digest: [UInt8], size: Int)]) throws {
        let source = try BlobStore(directory: directory + "/blobs", key: old)
        let target = try BlobStore(directory: directory + "/blobs", key: new)
        for file in files {
            try target.publish(try source.read(digest: file.digest, size: file.size), digest: file.digest)
        }
    }

    // MARK: The old files

    /// From here on the new store counts; what follows the rename is done as well as it can be.
    private func replace(_ digests: Set<[UInt8]>) throws {
        let before = try SystemFile.open(path, O_RDWR)
        defer { Glibc.close(before) }
        for end in ["-wal", "-shm", "-journal"] { SystemFile.remove(path + end) }
        _ = try SystemFile.retrying("rename") { Int(rename(copyPath, path)) }
        try SystemFile.synchronize(directory: directory)
        SystemFile.overwrite(before)
        let blobs = try BlobStore(directory: directory + "/blobs", key: new)
        for name in try blobs.strangers(besides: digests) {
            if let descriptor = try? SystemFile.open(blobs.directory + "/" + name, O_RDWR) {
                SystemFile.overwrite(descriptor)
                Glibc.close(descriptor)
            }
            blobs.remove(name: name)
        }
    }
}
