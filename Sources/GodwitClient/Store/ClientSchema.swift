import GRDB

/// A device's own tables, kept in the spool's file so that keys, boxes and queues change in one transaction.
enum ClientSchema {
    /// Registers the migrations; names never change once released.
    static func register(in migrator: inout DatabaseMigrator) { register(in: &migrator, upTo: 15) }

    /// - Parameter version: the last one, as an earlier program would have it.
    static func register(in migrator: inout DatabaseMigrator, upTo version: Int) {
        migrator.registerMigration("client 1") { database in
            for table in identity + keys + channels + boxes + rest { try database.execute(sql: table) }
        }
        guard version > 1 else { return }
        migrator.registerMigration("client 2") { database in
            for statement in ages + pendingShares + epochsEnd { try database.execute(sql: statement) }
        }
        guard version > 2 else { return }
        migrator.registerMigration("client 3") { database in
            // Of what is known already nothing is assumed: the next device list and the next epoch tell.
            try database.execute(sql: "ALTER TABLE client_device ADD COLUMN models TEXT NOT NULL DEFAULT ''")
            try database.execute(sql: "ALTER TABLE client_epoch ADD COLUMN models TEXT NOT NULL DEFAULT ''")
        }
        guard version > 3 else { return }
        migrator.registerMigration("client links") { database in try database.execute(sql: links) }
        guard version > 4 else { return }
        registerChannels(in: &migrator)
        migrator.registerMigration("client relations") { database in
            for statement in relations { try database.execute(sql: statement) }
        }
        guard version > 5 else { return }
        registerSessions(in: &migrator)
        guard version > 6 else { return }
        registerDevices(in: &migrator)
        guard version > 7 else { return }
        registerSearch(in: &migrator)
        registerContacts(in: &migrator)
        guard version > 8 else { return }
        registerReseal(in: &migrator)
        guard version > 9 else { return }
        registerCustody(in: &migrator)
        guard version > 10 else { return }
        registerUserMoves(in: &migrator)
        guard version > 11 else { return }
        registerReentry(in: &migrator)
        guard version > 12 else { return }
        registerFileSearch(in: &migrator)
        guard version > 13 else { return }
        migrator.registerMigration("client joins") { database in
            for statement in joins { try database.execute(sql: statement) }
        }
        guard version > 14 else { return }
        migrator.registerMigration("client repeated warnings") { database in
            try database.execute(sql: "ALTER TABLE client_warning ADD COLUMN times INTEGER NOT NULL DEFAULT 1")
        }
    }

    /// `epoch`: name of the epoch that the change starts, where it follows from another.
    private static let joins = [
        "ALTER TABLE client_membership ADD COLUMN epoch BLOB CHECK (length(epoch) = 32)",
        "CREATE INDEX client_membership_epoch ON client_membership (epoch) WHERE epoch IS NOT NULL",
    ]

    /// What a message is about: `relates` is the first 10 bytes of the other's hash. A hole is a message that was taken
    /// back; those of `client_hole` before they came.
    private static let relations = [
        "ALTER TABLE client_message ADD COLUMN relation TEXT CHECK (relation IN ('edit', 'reaction'))",
        "ALTER TABLE client_message ADD COLUMN relates BLOB CHECK (length(relates) = 10)",
        "ALTER TABLE client_message ADD COLUMN hole TEXT CHECK (hole = 'deleted')",
        "ALTER TABLE client_message ADD COLUMN deleted_by TEXT",
        "CREATE INDEX client_message_relates ON client_message (relates) WHERE relates IS NOT NULL",
        "ALTER TABLE client_outbox ADD COLUMN relation TEXT CHECK (relation IN ('edit', 'reaction'))",
        "ALTER TABLE client_outbox ADD COLUMN relates BLOB CHECK (length(relates) = 10)",
        "ALTER TABLE client_outbox ADD COLUMN hole TEXT CHECK (hole = 'deleted')",
        "CREATE INDEX client_outbox_relates ON client_outbox (relates) WHERE relates IS NOT NULL",
        "ALTER TABLE client_outbox ADD COLUMN was_read INTEGER NOT NULL DEFAULT 0 CHECK (was_read IN (0, 1))",
        """
        CREATE TABLE client_marker (
          conversation TEXT PRIMARY KEY NOT NULL,
          item BLOB NOT NULL CHECK (length(item) = 32)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_hole (
          hole INTEGER PRIMARY KEY AUTOINCREMENT,
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          conversation TEXT NOT NULL,
          user TEXT NOT NULL,
          UNIQUE (hash, conversation, user)
        ) STRICT
        """,
    ]

    /// The last `link_status` of the home node about its link to each other node.
    private static let links = """
        CREATE TABLE client_link (
          node TEXT PRIMARY KEY NOT NULL,
          at INTEGER NOT NULL,
          status BLOB NOT NULL
        ) STRICT, WITHOUT ROWID
        """

    private static let identity = [
        """
        CREATE TABLE client_identity (
          only INTEGER PRIMARY KEY CHECK (only = 1),
          user TEXT NOT NULL,
          identity_file BLOB NOT NULL,
          device TEXT NOT NULL,
          signing_seed BLOB NOT NULL CHECK (length(signing_seed) = 32),
          agreement_secret BLOB NOT NULL CHECK (length(agreement_secret) = 32),
          noise_secret BLOB NOT NULL CHECK (length(noise_secret) = 32),
          home BLOB NOT NULL,
          counter INTEGER NOT NULL DEFAULT 0,
          uptime INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        """
        CREATE TABLE client_contact (
          user TEXT PRIMARY KEY NOT NULL,
          public_key BLOB NOT NULL CHECK (length(public_key) = 32),
          list BLOB NOT NULL,
          version INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_device (
          user TEXT NOT NULL REFERENCES client_contact (user) ON DELETE CASCADE,
          device TEXT NOT NULL,
          signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
          agreement_key BLOB NOT NULL CHECK (length(agreement_key) = 32),
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    private static let keys = [
        """
        CREATE TABLE client_signed_pre_key (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          secret BLOB NOT NULL CHECK (length(secret) = 32),
          object BLOB NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE client_one_time_key (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          secret BLOB NOT NULL CHECK (length(secret) = 32)
        ) STRICT
        """,
        """
        CREATE TABLE client_session (
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          session TEXT NOT NULL,
          state BLOB NOT NULL,
          used INTEGER NOT NULL,
          PRIMARY KEY (user, device, session)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    private static let channels = [
        """
        CREATE TABLE client_channel (
          channel INTEGER PRIMARY KEY,
          name TEXT NOT NULL,
          node TEXT NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('joining', 'member', 'refused')),
          created INTEGER NOT NULL CHECK (created IN (0, 1)),
          command BLOB NOT NULL,
          asked INTEGER NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0,
          error BLOB,
          UNIQUE (name, node)
        ) STRICT
        """,
        """
        CREATE TABLE client_member (
          channel INTEGER NOT NULL REFERENCES client_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          since INTEGER NOT NULL,
          came INTEGER NOT NULL CHECK (came IN (0, 1)),
          PRIMARY KEY (channel, user, device)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_membership (
          channel INTEGER NOT NULL REFERENCES client_channel (channel) ON DELETE CASCADE,
          version INTEGER NOT NULL,
          body BLOB NOT NULL,
          is_verified INTEGER NOT NULL CHECK (is_verified IN (0, 1)),
          has_duty INTEGER NOT NULL CHECK (has_duty IN (0, 1)),
          PRIMARY KEY (channel, version)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_membership_duty ON client_membership (channel, version) WHERE has_duty = 1",
        """
        CREATE TABLE client_epoch (
          name BLOB PRIMARY KEY NOT NULL CHECK (length(name) = 32),
          channel INTEGER NOT NULL REFERENCES client_channel (channel) ON DELETE CASCADE,
          membership INTEGER NOT NULL,
          next BLOB CHECK (next IS NULL OR length(next) = 32),
          item BLOB,
          created INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_chain (
          epoch BLOB NOT NULL REFERENCES client_epoch (name) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          state BLOB NOT NULL,
          PRIMARY KEY (epoch, user, device)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// A message whose `shown` is null is held back until its predecessor has come.
    private static let boxes = [
        """
        CREATE TABLE client_outbox (
          row INTEGER PRIMARY KEY AUTOINCREMENT,
          conversation TEXT NOT NULL,
          target TEXT NOT NULL,
          content BLOB NOT NULL,
          created INTEGER NOT NULL,
          state TEXT NOT NULL
            CHECK (state IN ('waiting_keys', 'sealed', 'at_node', 'delivered', 'refused', 'expired')),
          hash BLOB UNIQUE CHECK (hash IS NULL OR length(hash) = 32),
          error BLOB
        ) STRICT
        """,
        "CREATE INDEX client_outbox_state ON client_outbox (state, conversation, row)",
        """
        CREATE TABLE client_message (
          hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
          conversation TEXT NOT NULL,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          seq INTEGER NOT NULL,
          prev BLOB,
          timestamp INTEGER NOT NULL,
          received INTEGER NOT NULL,
          type TEXT NOT NULL,
          content BLOB NOT NULL,
          starts INTEGER NOT NULL CHECK (starts IN (0, 1)),
          shown INTEGER UNIQUE,
          gap INTEGER NOT NULL DEFAULT 0 CHECK (gap IN (0, 1)),
          is_read INTEGER NOT NULL DEFAULT 0 CHECK (is_read IN (0, 1))
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_message_chain ON client_message (conversation, user, device, seq)",
        "CREATE INDEX client_message_held ON client_message (conversation, user, device, seq) WHERE shown IS NULL",
        """
        CREATE TABLE client_head (
          conversation TEXT NOT NULL,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          seq INTEGER NOT NULL,
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          PRIMARY KEY (conversation, user, device)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    private static let rest = [
        """
        CREATE TABLE client_pending (
          pending INTEGER PRIMARY KEY AUTOINCREMENT,
          id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
          waits_for TEXT NOT NULL,
          kind INTEGER NOT NULL,
          body BLOB NOT NULL,
          chain TEXT,
          seq INTEGER
        ) STRICT
        """,
        "CREATE INDEX client_pending_waits ON client_pending (waits_for, pending)",
        """
        CREATE TABLE client_lookup (
          user TEXT PRIMARY KEY NOT NULL,
          item BLOB NOT NULL,
          since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_warning (
          warning INTEGER PRIMARY KEY AUTOINCREMENT,
          at INTEGER NOT NULL,
          code TEXT NOT NULL,
          message TEXT NOT NULL,
          hint TEXT,
          subject TEXT
        ) STRICT
        """,
    ]

    /// `age` is for how many milliseconds of uptime the device has been in use; `came` and `asked` are on that scale.
    private static let ages = [
        "ALTER TABLE client_identity ADD COLUMN age INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_outbox ADD COLUMN came INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_lookup ADD COLUMN asked INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_pending ADD COLUMN came INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX client_pending_came ON client_pending (came)",
    ]

    /// Whom a pending item counts against, and how much; triggers keep the sums. Items that waited for any list of a user wait for one that has
    /// their author's device.
    private static let pendingShares = [
        "ALTER TABLE client_pending ADD COLUMN author TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE client_pending ADD COLUMN size INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE client_pending SET size = length(body),
          author = coalesce(json_extract(CAST(body AS TEXT), '$.author'), '')
        """,
        """
        UPDATE client_pending SET waits_for =
          'device:' || substr(waits_for, 6) || '/' || json_extract(CAST(body AS TEXT), '$.device')
        WHERE waits_for LIKE 'user:%' AND json_extract(CAST(body AS TEXT), '$.device') IS NOT NULL
        """,
        "ALTER TABLE client_pending DROP COLUMN chain",
        "ALTER TABLE client_pending DROP COLUMN seq",
        "CREATE INDEX client_pending_author ON client_pending (author, pending)",
        """
        CREATE TABLE client_pending_share (
          author TEXT PRIMARY KEY NOT NULL,
          items INTEGER NOT NULL CHECK (items > 0),
          bytes INTEGER NOT NULL CHECK (bytes >= 0)
        ) STRICT, WITHOUT ROWID
        """,
        """
        INSERT INTO client_pending_share (author, items, bytes)
          SELECT author, count(*), sum(size) FROM client_pending GROUP BY author
        """,
        """
        CREATE TRIGGER client_pending_came_in AFTER INSERT ON client_pending BEGIN
          INSERT INTO client_pending_share (author, items, bytes) VALUES (NEW.author, 1, NEW.size)
            ON CONFLICT (author) DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
        END
        """,
        """
        CREATE TRIGGER client_pending_left AFTER DELETE ON client_pending BEGIN
          DELETE FROM client_pending_share WHERE author = OLD.author AND items = 1;
          UPDATE client_pending_share SET items = items - 1, bytes = bytes - OLD.size WHERE author = OLD.author;
        END
        """,
    ]

    /// `epoch` names the epoch that a message was sealed in; `unsent` is a starting object that has expired in the
    /// queue and found no room there since; a channel is `expired` if its command has.
    private static let epochsEnd = [
        "ALTER TABLE client_outbox ADD COLUMN epoch BLOB",
        "ALTER TABLE client_epoch ADD COLUMN unsent BLOB",
        "ALTER TABLE client_channel ADD COLUMN expired INTEGER NOT NULL DEFAULT 0 CHECK (expired IN (0, 1))",
        "ALTER TABLE client_membership DROP COLUMN is_verified",
    ]
}
