import GRDB

extension NodeSchema {
    /// Second factors, invites and the audit log.
    static func registerProtection(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node protection") { database in
            for table in protection { try database.execute(sql: table) }
        }
    }

    /// Secrets are sealed under a key that is derived from the node's. `counter` is the last step that was used (TOTP) or
    /// the next counter (HOTP). Recovery codes are hashed. `subject` of an event is a digest.
    private static let protection = [
        """
        CREATE TABLE node_second_factor (
          user TEXT PRIMARY KEY NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
          kind TEXT NOT NULL CHECK (kind IN ('totp', 'hotp')),
          algorithm TEXT NOT NULL CHECK (algorithm IN ('SHA1', 'SHA256')),
          digits INTEGER NOT NULL CHECK (digits BETWEEN 6 AND 8),
          secret BLOB NOT NULL,
          counter INTEGER NOT NULL,
          is_confirmed INTEGER NOT NULL CHECK (is_confirmed IN (0, 1)),
          since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_recovery_code (
          user TEXT NOT NULL REFERENCES node_second_factor (user) ON DELETE CASCADE,
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          PRIMARY KEY (user, hash)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_registration_invite (
          hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
          name TEXT NOT NULL UNIQUE,
          uses INTEGER NOT NULL CHECK (uses >= 0),
          made INTEGER NOT NULL,
          expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_audit (
          event INTEGER PRIMARY KEY AUTOINCREMENT,
          at INTEGER NOT NULL,
          kind TEXT NOT NULL,
          subject TEXT,
          detail TEXT,
          count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0)
        ) STRICT
        """,
    ]
}
