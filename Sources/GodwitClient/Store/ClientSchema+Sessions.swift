import GRDB

/// KEM keys, ages of keys, and the order of the sessions with a device.
extension ClientSchema {
    static func registerSessions(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client sessions") { database in
            for statement in sessions { try database.execute(sql: statement) }
        }
    }

    /// All times are the device's age, but `received`, which is on the wall clock. `made` is when a key was made. A
    /// session's sending chain is told by `ratchet_key`: `position` is its next message, `since` when its first one was
    /// written, or it began; `last` is when the session was last written or read on. `client_opened` has the sessions
    /// that others have opened, for as long as the pre-key exists with which that could be done again. `client_peer_key`
    /// has the newest signed pre-key of others' devices, `client_prefetch` when somebody was looked up in advance.
    private static let sessions = [
        "ALTER TABLE client_device ADD COLUMN kem TEXT",
        """
        UPDATE client_device SET kem = (
          SELECT json_extract(d.value, '$.kem')
          FROM client_contact c, json_each(CAST(c.list AS TEXT), '$.devices') d
          WHERE c.user = client_device.user AND json_extract(d.value, '$.device') = client_device.device)
        """,
        "ALTER TABLE client_signed_pre_key ADD COLUMN made INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE client_kem_pre_key (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          seed BLOB NOT NULL CHECK (length(seed) = 64),
          object BLOB NOT NULL,
          made INTEGER NOT NULL
        ) STRICT
        """,
        "ALTER TABLE client_session ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_session ADD COLUMN parent TEXT",
        "ALTER TABLE client_session ADD COLUMN ratchet_key BLOB",
        "ALTER TABLE client_session ADD COLUMN position INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_session ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_session ADD COLUMN last INTEGER NOT NULL DEFAULT 0",
        "UPDATE client_session SET since = (SELECT age FROM client_identity), last = (SELECT age FROM client_identity)",
        "ALTER TABLE client_lookup ADD COLUMN refresh INTEGER NOT NULL DEFAULT 0 CHECK (refresh IN (0, 1))",
        """
        CREATE TABLE client_opened (
          session TEXT PRIMARY KEY NOT NULL,
          signed_pre_key INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE client_identity ADD COLUMN refilled INTEGER",
        """
        CREATE TABLE client_prefetch (
          user TEXT PRIMARY KEY NOT NULL,
          asked INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_peer_key (
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          id INTEGER NOT NULL,
          key BLOB NOT NULL CHECK (length(key) = 32),
          came INTEGER NOT NULL,
          received INTEGER NOT NULL,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
