import GRDB

/// What a user thinks of others: verified keys, keys that were shown in place of others, vouches, blocks and names.
extension ClientSchema {
    static func registerContacts(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client contacts") { database in
            for statement in contacts + preferences { try database.execute(sql: statement) }
        }
    }

    /// `client_verified` holds for one key: another one is not verified with it. `client_key_change` is a key that a user
    /// shows in place of the pinned one.
    private static let contacts = [
        """
        CREATE TABLE client_verified (
          user TEXT PRIMARY KEY NOT NULL,
          public_key BLOB NOT NULL CHECK (length(public_key) = 32),
          at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_key_change (
          user TEXT PRIMARY KEY NOT NULL,
          public_key BLOB NOT NULL CHECK (length(public_key) = 32),
          list BLOB NOT NULL,
          at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_vouch (
          user TEXT NOT NULL,
          voucher TEXT NOT NULL,
          public_key BLOB NOT NULL CHECK (length(public_key) = 32),
          at INTEGER NOT NULL,
          withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
          PRIMARY KEY (user, voucher)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_vouch_voucher ON client_vouch (voucher, at)",
        """
        CREATE TABLE client_block (
          user TEXT PRIMARY KEY NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_alias (
          kind TEXT NOT NULL CHECK (kind IN ('user', 'channel')),
          name TEXT NOT NULL,
          target TEXT NOT NULL,
          PRIMARY KEY (kind, name)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// Takes over what the identity file says.
    static let preferences = [
        """
        INSERT OR IGNORE INTO client_block (user)
          SELECT value FROM client_identity, json_each(CAST(identity_file AS TEXT), '$.preferences.blocked_users')
          WHERE type = 'text'
        """,
        """
        INSERT OR IGNORE INTO client_alias (kind, name, target)
          SELECT 'user', key, value
          FROM client_identity, json_each(CAST(identity_file AS TEXT), '$.preferences.aliases.users')
          WHERE type = 'text'
        """,
        """
        INSERT OR IGNORE INTO client_alias (kind, name, target)
          SELECT 'channel', key, value || ':' || substr(user, 1, instr(user, '.') - 1)
          FROM client_identity, json_each(CAST(identity_file AS TEXT), '$.preferences.aliases.channels')
          WHERE type = 'text'
        """,
    ]
}
