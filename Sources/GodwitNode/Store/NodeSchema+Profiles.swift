import GRDB

extension NodeSchema {
    /// What users of other nodes show, each to one asker of this node. Without `as_of` no answer has come yet; with it and
    /// without `profile` the user was not found. `item` is the hash of the last question; `at` is when it was asked, or,
    /// unless it is `pending`, answered, on the scale of the spool's uptime.
    static func registerProfiles(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node profiles") { database in
            for change in profiles { try database.execute(sql: change) }
        }
    }

    private static let profiles = [
        """
        CREATE TABLE node_profile (
          user TEXT NOT NULL,
          asker TEXT NOT NULL,
          profile BLOB,
          as_of INTEGER,
          item BLOB NOT NULL CHECK (length(item) = 32),
          at INTEGER NOT NULL,
          pending INTEGER NOT NULL CHECK (pending IN (0, 1)),
          PRIMARY KEY (user, asker)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX node_profile_asker ON node_profile (asker)",
        "CREATE INDEX node_profile_at ON node_profile (at)",
        "CREATE INDEX node_profile_item ON node_profile (item)",
    ]
}
