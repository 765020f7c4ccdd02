import GRDB

/// Who leaves, roles and settings of channels.
extension ClientSchema {
    static func registerChannels(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client channels") { database in
            for statement in channels + members { try database.execute(sql: statement) }
        }
    }

    /// `applied` is the version up to which changes are known, in order; `departed` the version below which no epoch may
    /// be written in, for it has devices that have left. `leaves` names the command with which this user goes.
    private static let channels = [
        """
        CREATE TABLE client_channel_2 (
          channel INTEGER PRIMARY KEY,
          name TEXT NOT NULL,
          node TEXT NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('invited', 'joining', 'member', 'refused', 'left')),
          created INTEGER NOT NULL CHECK (created IN (0, 1)),
          command BLOB NOT NULL,
          request BLOB NOT NULL DEFAULT x'7b7d',
          leaves BLOB,
          asked INTEGER NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0,
          error BLOB,
          expired INTEGER NOT NULL DEFAULT 0 CHECK (expired IN (0, 1)),
          applied INTEGER NOT NULL DEFAULT 0,
          departed INTEGER NOT NULL DEFAULT 0,
          inviter TEXT,
          topic TEXT NOT NULL DEFAULT '',
          description TEXT NOT NULL DEFAULT '',
          visibility TEXT NOT NULL DEFAULT 'public',
          UNIQUE (name, node)
        ) STRICT
        """,
        """
        INSERT INTO client_channel_2
          (channel, name, node, state, created, command, asked, attempts, error, expired, applied)
          SELECT channel, name, node, state, created, command, asked, attempts, error, expired,
            coalesce((SELECT max(version) FROM client_membership m WHERE m.channel = c.channel), 0)
          FROM client_channel c
        """,
        "DROP TABLE client_channel",
        "ALTER TABLE client_channel_2 RENAME TO client_channel",
    ]

    /// One row for each stay of a device, from version `since` to before `until`. `pre_key` is what it joined with; of one
    /// that is `keyless` nobody has it.
    private static let members = [
        """
        CREATE TABLE client_member_2 (
          channel INTEGER NOT NULL REFERENCES client_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          since INTEGER NOT NULL,
          until INTEGER,
          came INTEGER NOT NULL CHECK (came IN (0, 1)),
          pre_key BLOB,
          keyless INTEGER NOT NULL DEFAULT 0 CHECK (keyless IN (0, 1)),
          PRIMARY KEY (channel, user, device, since)
        ) STRICT, WITHOUT ROWID
        """,
        """
        INSERT INTO client_member_2 (channel, user, device, since, came, pre_key)
          SELECT channel, user, device, since, came, (
            SELECT CAST(j.value AS BLOB) FROM client_membership o, json_each(CAST(o.body AS TEXT), '$.joined') j
            WHERE o.channel = m.channel AND json_extract(j.value, '$.user_id') = m.user
              AND json_extract(j.value, '$.device') = m.device
            ORDER BY o.version DESC LIMIT 1)
          FROM client_member m
        """,
        "DROP TABLE client_member",
        "ALTER TABLE client_member_2 RENAME TO client_member",
        """
        CREATE TABLE client_role (
          channel INTEGER NOT NULL REFERENCES client_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          role TEXT NOT NULL,
          until INTEGER,
          PRIMARY KEY (channel, user)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_channel_event (
          event INTEGER PRIMARY KEY AUTOINCREMENT,
          channel TEXT NOT NULL,
          at INTEGER NOT NULL,
          action TEXT NOT NULL,
          details BLOB NOT NULL
        ) STRICT
        """,
    ]
}
