import GRDB
import GodwitSpool

/// The node's own tables, kept in the spool's file so that journal and queue change in one transaction.
enum NodeSchema {
    /// Registers the migrations; names never change once released.
    ///
    /// - Parameter context: nil where a store is only compared with them: then none may run.
    static func register(in migrator: inout DatabaseMigrator, for context: NodeContext?) {
        migrator.registerMigration("node 1") { database in
            for table in tables { try database.execute(sql: table) }
        }
        migrator.registerMigration("node 2") { database in
            for change in orders { try database.execute(sql: change) }
        }
        migrator.registerMigration("node 3") { database in
            for change in ways { try database.execute(sql: change) }
        }
        migrator.registerMigration("node 4") { database in try database.execute(sql: latest) }
        migrator.registerMigration("node links") { database in
            for change in links { try database.execute(sql: change) }
        }
        migrator.registerMigration("node link measures") { database in
            for table in measures { try database.execute(sql: table) }
        }
        registerSessions(in: &migrator)
        registerChannels(in: &migrator)
        migrator.registerMigration("node accounts") { try makeAccounts(in: $0) }
        migrator.registerMigration("node journal") { database in
            guard let context else { throw SpoolError(.unusable, "The journal's bodies need the node's key.") }
            try makeJournal(
                in: database, key: JournalPeriod.master(of: context.signingKey), keeping: context.retention)
        }
        registerProtection(in: &migrator)
        migrator.registerMigration("node lookups") { database in
            for index in lookups { try database.execute(sql: index) }
        }
        registerPreKeys(in: &migrator)
        registerEpochs(in: &migrator)
        registerModeration(in: &migrator)
        registerProfiles(in: &migrator)
        registerUserMoves(in: &migrator)
        migrator.registerMigration("node holes") { try relaxHoles(in: $0) }
        migrator.registerMigration("node joins") { database in
            // Keys of joiners name their epoch.
            try database.execute(sql: "CREATE INDEX node_epoch_name ON node_epoch (name) WHERE name IS NOT NULL")
        }
        migrator.registerMigration("node struck") { database in
            for change in struck { try database.execute(sql: change) }
        }
        migrator.registerMigration("node last commands") { database in
            // SHA-256 of the command that has the counter, so that a repeat of it is told from another.
            try database.execute(sql: "ALTER TABLE node_device ADD COLUMN command BLOB")
        }
    }

    /// For what is asked with each connection and each account that ends.
    private static let lookups = [
        "CREATE INDEX node_member_user ON node_member (user, channel)",
        "CREATE INDEX node_block_blocked ON node_block (blocked)",
        "CREATE INDEX node_message_author ON node_message (author, arrival)",
        "CREATE INDEX node_message_deleter ON node_message (deleted_by) WHERE deleted_by IS NOT NULL",
    ]

    private static let tables = [
        """
        CREATE TABLE node_user (
          user TEXT PRIMARY KEY NOT NULL,
          public_key BLOB NOT NULL CHECK (length(public_key) = 32),
          is_local INTEGER NOT NULL CHECK (is_local IN (0, 1)),
          account_type TEXT NOT NULL,
          identity_file BLOB,
          device_list BLOB,
          list_version INTEGER NOT NULL DEFAULT 0,
          since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_device (
          user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
          device TEXT NOT NULL,
          signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
          noise_key BLOB NOT NULL CHECK (length(noise_key) = 32),
          signed_pre_key BLOB,
          counter INTEGER NOT NULL DEFAULT 0,
          last_seen INTEGER,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_one_time_key (
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          id INTEGER NOT NULL,
          key BLOB NOT NULL CHECK (length(key) = 32),
          PRIMARY KEY (user, device, id),
          FOREIGN KEY (user, device) REFERENCES node_device (user, device) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_channel (
          channel INTEGER PRIMARY KEY,
          name TEXT NOT NULL,
          node TEXT NOT NULL,
          version INTEGER NOT NULL,
          created INTEGER NOT NULL,
          last_activity INTEGER NOT NULL,
          UNIQUE (name, node)
        ) STRICT
        """,
        """
        CREATE TABLE node_member (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
          joined INTEGER NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY (channel, user, device)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_epoch (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          membership INTEGER NOT NULL,
          sponsor TEXT NOT NULL,
          device_set BLOB NOT NULL,
          name BLOB,
          PRIMARY KEY (channel, membership)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_message (
          arrival INTEGER PRIMARY KEY AUTOINCREMENT,
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          author TEXT NOT NULL,
          conversation TEXT NOT NULL,
          timestamp INTEGER NOT NULL,
          received INTEGER NOT NULL,
          body BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX node_message_conversation ON node_message (conversation, arrival)",
        """
        CREATE TABLE node_introduction (
          party TEXT NOT NULL,
          user TEXT NOT NULL,
          version INTEGER NOT NULL,
          PRIMARY KEY (party, user)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_peer (
          node TEXT PRIMARY KEY NOT NULL,
          descriptor BLOB NOT NULL,
          public_key BLOB NOT NULL,
          noise_key BLOB NOT NULL,
          sequence INTEGER NOT NULL,
          trust TEXT NOT NULL CHECK (trust IN ('trusted', 'monitored', 'unknown', 'blocked')),
          profile TEXT NOT NULL,
          calls INTEGER NOT NULL CHECK (calls IN (0, 1)),
          since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_held (
          held INTEGER PRIMARY KEY,
          waits_for TEXT NOT NULL,
          source TEXT NOT NULL,
          kind INTEGER NOT NULL,
          body BLOB NOT NULL,
          created INTEGER NOT NULL,
          lifetime INTEGER NOT NULL,
          age INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX node_held_waits ON node_held (waits_for)",
        """
        CREATE TABLE node_session (
          token TEXT PRIMARY KEY NOT NULL,
          user TEXT NOT NULL,
          device TEXT,
          issued INTEGER NOT NULL,
          expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_budget (
          peer TEXT PRIMARY KEY NOT NULL,
          ledger TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// What was measured of links: the estimate in force, and one row for each hour (UTC, since 1970) with an exchange;
    /// and the tier towards a peer that each device was told last.
    /// Rates are in bit/s, `round_trip` is the least in ms.
    private static let measures = [
        """
        CREATE TABLE node_link_estimate (
          peer TEXT PRIMARY KEY NOT NULL,
          estimate TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_link_hour (
          peer TEXT NOT NULL,
          hour INTEGER NOT NULL,
          exchanges INTEGER NOT NULL CHECK (exchanges >= 0),
          sent INTEGER NOT NULL CHECK (sent >= 0),
          received INTEGER NOT NULL CHECK (received >= 0),
          up_count INTEGER NOT NULL,
          up_sum INTEGER NOT NULL,
          up_most INTEGER NOT NULL,
          down_count INTEGER NOT NULL,
          down_sum INTEGER NOT NULL,
          down_most INTEGER NOT NULL,
          round_trip INTEGER,
          datagrams INTEGER NOT NULL,
          lost INTEGER NOT NULL CHECK (lost BETWEEN 0 AND datagrams),
          PRIMARY KEY (peer, hour)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_link_told (
          peer TEXT NOT NULL,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          tier INTEGER NOT NULL CHECK (tier BETWEEN 1 AND 4),
          PRIMARY KEY (peer, user, device),
          FOREIGN KEY (user, device) REFERENCES node_device (user, device) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// The newest item of each key of `Supersession` that was queued for a party.
    private static let latest = """
        CREATE TABLE node_latest (
          party TEXT NOT NULL,
          key TEXT NOT NULL,
          item BLOB NOT NULL CHECK (length(item) = 32),
          PRIMARY KEY (party, key)
        ) STRICT, WITHOUT ROWID
        """

    /// Links to a peer besides the main one, and the classes that the main one names. Lists are comma separated; null
    /// classes are those that no link names; `also_after` is in milliseconds.
    private static let links = [
        "ALTER TABLE node_peer ADD COLUMN classes TEXT",
        """
        CREATE TABLE node_link (
          node TEXT NOT NULL REFERENCES node_peer (node) ON DELETE CASCADE,
          name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 32 AND name <> 'main'),
          profile TEXT NOT NULL,
          ways TEXT NOT NULL,
          classes TEXT,
          also_after INTEGER CHECK (also_after > 0),
          PRIMARY KEY (node, name)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// A serial line to a peer is this node's own setting, and so is the order of the ways to it (comma separated).
    private static let ways = [
        "ALTER TABLE node_peer ADD COLUMN serial TEXT",
        "ALTER TABLE node_peer ADD COLUMN ways TEXT NOT NULL DEFAULT ''",
    ]

    /// Held items age; changes of own channels are kept for sites that missed them; gaps in the channels of other nodes
    /// are remembered until they are closed. `ends` and `asked` are on the scale of the spool's uptime.
    private static let orders = [
        "ALTER TABLE node_held ADD COLUMN ends INTEGER NOT NULL DEFAULT 0",
        "UPDATE node_held SET ends = (SELECT uptime FROM spool_state) + lifetime - age",
        "ALTER TABLE node_held DROP COLUMN age",
        "CREATE INDEX node_held_ends ON node_held (ends)",
        "ALTER TABLE node_channel ADD COLUMN listed INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE node_order (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          version INTEGER NOT NULL,
          membership BLOB NOT NULL,
          epoch BLOB,
          UNIQUE (channel, version)
        ) STRICT
        """,
        """
        CREATE TABLE node_gap (
          name TEXT NOT NULL,
          node TEXT NOT NULL,
          wanted INTEGER NOT NULL,
          needs_list INTEGER NOT NULL CHECK (needs_list IN (0, 1)),
          question BLOB NOT NULL CHECK (length(question) = 32),
          asked INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          PRIMARY KEY (name, node)
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
