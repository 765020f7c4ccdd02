import CVault
import GRDB
import Glibc

/// Stores under a key (docs/architecture.md).
extension SQLiteSpool {
    /// Puts a store under a key, or takes it out from under one. Nobody else may have it open.
    ///
    /// Crash-safe: a sound and synced copy takes the store's place by one rename. Blocks for as long as the disk takes.
    /// What the old files held is overwritten and removed as well as it can be: flash may keep it.
    ///
    /// - Parameters:
    ///   - old: the key now; nil: the store is plain.
    ///   - new: the key to come; nil: the store is to be plain.
    ///   - beforeRename: makes durable what has to be there before the new store counts.
    /// - Throws: as the initialiser; the store is as it was then, unless the error is of the disk after the rename.
    public static func rewrite(
        directory: String, from old: StoreKey?, to new: StoreKey?, beforeRename: () throws -> Void = {}
    ) throws {
        do {
            let lock = try DirectoryLock(directory: directory)
            try rewriteLocked(directory, old, new, beforeRename)
            lock.release()
        } catch let failure as SystemFailure where failure.number != ENOSPC && failure.number != EDQUOT {
            throw unusable(failure)
        } catch {
            throw SpoolFailure.translate(error)
        }
    }

    private static func rewriteLocked(
        _ directory: String, _ old: StoreKey?, _ new: StoreKey?, _ beforeRename: () throws -> Void
    ) throws {
        guard try StoreForm.ofStore(in: directory) != .absent else {
            throw SpoolError(.unusable, "There is no store in this directory.", hint: "Check the path.")
        }
        // Refuses a key that is missing, or another one, before anything is written.
        _ = try unseal(directory, old)
        try StoreRewriter(directory: directory, old: old, new: new).rewrite(beforeRename: beforeRename)
    }

    /// Puts the database's path under the key; makes a sealed database where there is none.
    ///
    /// - Throws: `SpoolError` `.sealed` without the key or with a wrong one, `.plain` if there is nothing to open.
    static func unseal(_ directory: String, _ key: StoreKey?) throws -> SealedPath? {
        StoreRewriter.removeRest(in: directory)
        let form = try StoreForm.ofStore(in: directory)
        guard let key else {
            guard form == .sealed else { return nil }
            throw SpoolError(.sealed, "The store is locked.", hint: "Its key is needed, which a passphrase opens.")
        }
        switch form {
        case .plain:
            throw SpoolError(
                .plain, "The store is not under its key: locking or unlocking it was cut off.",
                hint: "Run `godwit device lock` or `godwit device unlock` again.")
        case .absent: try StoreRewriter(directory: directory, old: nil, new: key).create()
        case .sealed: break
        }
        let path = databasePath(in: directory)
        guard key.opens(try SystemFile.read(path, limit: Int(GODWIT_VAULT_PAGE))) else {
            throw SpoolError(
                .sealed, "The key does not open this store.",
                hint: "The key belongs to another store, or the store's file is damaged.")
        }
        return try SealedPath(path, key: key)
    }

    /// On each connection: whatever SQLite would put into files of its own stays in memory.
    @Sendable static func prepareSealed(_ database: Database) throws {
        try database.execute(sql: "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON")
        guard let connection = database.sqliteConnection, godwit_vault_holds(UnsafeMutableRawPointer(connection)) != 0
        else { throw SpoolError(.plain, "The store was opened without its key.") }
    }
}
