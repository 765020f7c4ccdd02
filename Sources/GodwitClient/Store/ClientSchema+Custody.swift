import GRDB

/// How far own messages have come beyond the home node.
extension ClientSchema {
    static func registerCustody(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client custody") { database in
            for statement in custody { try database.execute(sql: statement) }
        }
    }

    /// What the home node has said of copies for other nodes, the last word of each; `goes` and `told` are its times.
    /// `forwarded`: all those nodes have the message.
    private static let custody = [
        """
        CREATE TABLE client_custody (
          row INTEGER NOT NULL REFERENCES client_outbox ON DELETE CASCADE,
          next TEXT NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('waiting', 'forwarded', 'expired')),
          goes INTEGER,
          told INTEGER NOT NULL,
          PRIMARY KEY (row, next)
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE client_outbox ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0 CHECK (forwarded IN (0, 1))",
    ]
}
