import GRDB

/// Messages that wait for a moderator (gap G-53), and what tells them from others.
extension NodeSchema {
    static func registerModeration(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node moderation") { database in
            for change in moderation { try database.execute(sql: change) }
        }
    }

    /// A rotation's `membership` is 0 where it was not kept: nothing is held for its epoch then. A departure is one stay
    /// of a device: it was a member from version `joined` to the one before `departed`, last as `role`. `since` and
    /// `ends` are on the scale of the spool's uptime, `age` is what the message had when it came.
    private static let moderation = [
        "ALTER TABLE node_rotation ADD COLUMN membership INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE node_departure (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          joined INTEGER NOT NULL,
          departed INTEGER NOT NULL CHECK (departed > joined),
          role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
          PRIMARY KEY (channel, user, device, departed)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX node_departure_departed ON node_departure (channel, departed)",
        "CREATE INDEX node_departure_user ON node_departure (user)",
        """
        CREATE TABLE node_moderated (
          held INTEGER PRIMARY KEY AUTOINCREMENT,
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
          author TEXT NOT NULL,
          device TEXT NOT NULL,
          seq INTEGER NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
          membership INTEGER NOT NULL CHECK (membership > 0),
          source TEXT NOT NULL,
          body BLOB NOT NULL,
          timestamp INTEGER NOT NULL,
          received INTEGER NOT NULL,
          age INTEGER NOT NULL CHECK (age >= 0),
          since INTEGER NOT NULL,
          ends INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX node_moderated_channel ON node_moderated (channel, held)",
        "CREATE INDEX node_moderated_author ON node_moderated (author)",
        "CREATE INDEX node_moderated_ends ON node_moderated (ends)",
    ]
}
