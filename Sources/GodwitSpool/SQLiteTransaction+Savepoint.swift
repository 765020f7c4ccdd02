import GRDB

extension SQLiteTransaction {
    /// Runs `body`; if it throws, nothing of what it did is left, in the tables and in what is remembered of them. Other
    /// savepoints on `database` must not enclose calls of the spool.
    public func inSavepoint(_ body: () throws -> Void) throws {
        do {
            try database.inSavepoint {
                try body()
                return .commit
            }
        } catch {
            memory.forget()
            throw error
        }
    }
}
