import GRDB

/// Roles, bans, invites and settings of channels.
extension NodeSchema {
    static func registerChannels(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node channels") { database in
            for change in settings + members + sanctions { try database.execute(sql: change) }
        }
    }

    /// `departed` is the version of the last change after which the epochs before must not be written in any more.
    private static let settings = [
        "ALTER TABLE node_channel ADD COLUMN topic TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE node_channel ADD COLUMN description TEXT NOT NULL DEFAULT ''",
        """
        ALTER TABLE node_channel ADD COLUMN visibility TEXT NOT NULL DEFAULT 'public'
          CHECK (visibility IN ('public', 'private'))
        """,
        "ALTER TABLE node_channel ADD COLUMN departed INTEGER NOT NULL DEFAULT 0",
        // Of the spool's uptime: when the sponsor was named.
        "ALTER TABLE node_epoch ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
    ]

    /// `pre_key` is what a device joined with. A device knows the pre-keys of all who joined from the version
    /// `knows_from` on. Roles are those of users; who has no row is a plain member, or what a channel above says. `ends`
    /// is on the scale of the spool's uptime, `until` what the clock said; `before` is the role that comes back (null: no
    /// row).
    private static let members = [
        "ALTER TABLE node_member ADD COLUMN pre_key BLOB",
        "ALTER TABLE node_member ADD COLUMN knows_from INTEGER NOT NULL DEFAULT 0",
        "UPDATE node_member SET knows_from = joined",
        """
        UPDATE node_member SET pre_key = (
          SELECT CAST(j.value AS BLOB)
          FROM node_order o, json_each(CAST(o.membership AS TEXT), '$.joined') j
          WHERE o.channel = node_member.channel AND json_extract(j.value, '$.user_id') = node_member.user
            AND json_extract(j.value, '$.device') = node_member.device
          ORDER BY o.version DESC LIMIT 1)
        """,
        """
        CREATE TABLE node_role (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
          until INTEGER,
          ends INTEGER,
          before TEXT,
          PRIMARY KEY (channel, user)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX node_role_ends ON node_role (ends) WHERE ends IS NOT NULL",
        """
        INSERT OR IGNORE INTO node_role (channel, user, role)
          SELECT channel, user, role FROM node_member WHERE role <> 'member'
        """,
        "ALTER TABLE node_member DROP COLUMN role",
    ]

    /// A ban row with `banned` 0 lets somebody in whom a channel above bans. `node_invited` are users named when the
    /// channel was made; `node_invite` counts the uses of invites. A `revoker` is the inviter, or `*` for whoever may
    /// revoke the invites of others.
    private static let sanctions = [
        """
        CREATE TABLE node_ban (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          banned INTEGER NOT NULL CHECK (banned IN (0, 1)),
          moderator TEXT NOT NULL,
          at INTEGER NOT NULL,
          until INTEGER,
          ends INTEGER,
          reason TEXT,
          PRIMARY KEY (channel, user)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX node_ban_ends ON node_ban (ends) WHERE ends IS NOT NULL",
        """
        CREATE TABLE node_invited (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          PRIMARY KEY (channel, user)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_invite (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          invite TEXT NOT NULL,
          used INTEGER NOT NULL,
          PRIMARY KEY (channel, invite)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_invite_revoked (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          invite TEXT NOT NULL,
          revoker TEXT NOT NULL,
          PRIMARY KEY (channel, invite, revoker)
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
