import GRDB

/// Several devices of one user.
extension ClientSchema {
    static func registerDevices(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client devices") { database in
            for statement in devices { try database.execute(sql: statement) }
        }
    }

    /// A device is `keyless` while its node has no keys of it; `asked` is on the scale of `client_identity.age`. A message
    /// is `synced` where another device of this user has told of it. `cover` and `signature` prove that its author's
    /// device wrote a message of that hash (docs/protocol.md §5). `client_own_outbox` is for one other device each.
    private static let devices = [
        """
        CREATE TABLE client_keyless (
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          asked INTEGER NOT NULL,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_own_item (
          item INTEGER PRIMARY KEY AUTOINCREMENT,
          hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32)
        ) STRICT
        """,
        """
        CREATE TABLE client_proof (
          hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
          body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
          prev BLOB CHECK (prev IS NULL OR length(prev) = 32),
          seq INTEGER NOT NULL,
          cover BLOB NOT NULL,
          signature BLOB NOT NULL CHECK (length(signature) = 64)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_own_outbox (
          row INTEGER PRIMARY KEY AUTOINCREMENT,
          device TEXT NOT NULL,
          content BLOB NOT NULL
        ) STRICT
        """,
        "ALTER TABLE client_message ADD COLUMN synced INTEGER NOT NULL DEFAULT 0 CHECK (synced IN (0, 1))",
    ]
}
