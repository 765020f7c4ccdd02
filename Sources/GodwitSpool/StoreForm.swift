import CVault
import Glibc

/// What lies at the path of a store's database.
public enum StoreForm: Sendable, Hashable {
    /// Nothing, or an empty file.
    case absent
    /// A database that anybody can read who can read the file, or something that is none.
    case plain
    /// A database under a `StoreKey`.
    case sealed

    /// Looks at the first bytes of the database in a spool's directory.
    /// - Throws: `SpoolError` `.unusable`.
    public static func ofStore(in directory: String) throws -> StoreForm {
        do {
            return try ofFile(SQLiteSpool.databasePath(in: directory))
        } catch let failure as SystemFailure {
            throw SQLiteSpool.unusable(failure)
        }
    }

    static func ofFile(_ path: String) throws -> StoreForm {
        let mark = Array(GODWIT_VAULT_MAGIC.utf8) + [0]
        do {
            let bytes = try SystemFile.read(path, limit: mark.count)
            return bytes.isEmpty ? .absent : bytes == mark ? .sealed : .plain
        } catch  where error.number == ENOENT {
            return .absent
        }
    }
}
