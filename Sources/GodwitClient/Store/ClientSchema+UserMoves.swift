import GRDB

/// Users who have moved to another home node.
extension ClientSchema {
    static func registerUserMoves(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client user moves") { database in
            for statement in userMoves { try database.execute(sql: statement) }
        }
    }

    /// The last record of each user. It is `followed` once the new id has shown the same key, and `refused` if it has shown
    /// another. `asked` is the device's age when the new id was looked up last.
    private static let userMoves = [
        """
        CREATE TABLE client_user_move (
          user TEXT PRIMARY KEY NOT NULL,
          successor TEXT NOT NULL,
          at INTEGER NOT NULL,
          record BLOB NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('noted', 'followed', 'refused')),
          asked INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_user_move_successor ON client_user_move (successor)",
    ]
}
