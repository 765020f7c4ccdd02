import GRDB

extension NodeSchema {
    /// The last `user_moved` of each user: `at` is its time, `ends` is when nothing is delivered to the old id any more,
    /// on the scale of the spool's uptime. `moved` is the time of the record that a party was given besides the list.
    static func registerUserMoves(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node user moves") { database in
            for change in userMoves { try database.execute(sql: change) }
        }
    }

    private static let userMoves = [
        """
        CREATE TABLE node_user_move (
          user TEXT PRIMARY KEY NOT NULL,
          record BLOB NOT NULL,
          at INTEGER NOT NULL,
          ends INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE node_introduction ADD COLUMN moved INTEGER NOT NULL DEFAULT 0",
    ]
}
