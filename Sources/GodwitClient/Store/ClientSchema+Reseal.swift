import GRDB

/// Messages that are asked for and sealed again, and epochs that follow one another by time.
extension ClientSchema {
    static func registerReseal(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client reseal") { database in
            for statement in wants + reseals { try database.execute(sql: statement) }
        }
        migrator.registerMigration("client epochs") { database in
            for statement in epochs { try database.execute(sql: statement) }
        }
        migrator.registerMigration("client held") { database in
            for statement in held { try database.execute(sql: statement) }
        }
        migrator.registerMigration("client missed") { database in
            for statement in missed { try database.execute(sql: statement) }
        }
        migrator.registerMigration("client struck") { database in try database.execute(sql: struck) }
        migrator.registerMigration("client openings") { database in
            // The first message of a session that its reader may not have yet.
            try database.execute(sql: "ALTER TABLE client_session ADD COLUMN opened BLOB CHECK (length(opened) = 32)")
        }
        migrator.registerMigration("client heads") { database in
            // Down to which position of the chain it is asked for, where that is known.
            try database.execute(sql: "ALTER TABLE client_want ADD COLUMN floor INTEGER CHECK (floor >= 0)")
        }
    }

    /// How long a message is held back counts uptime, on the scale of the device's age: a clock that is set must neither
    /// show gaps nor hide messages (D-16). `came` is of meaning for those that are not shown.
    private static let held = [
        "ALTER TABLE client_message ADD COLUMN came INTEGER NOT NULL DEFAULT 0",
        "UPDATE client_message SET came = coalesce((SELECT age FROM client_identity), 0) WHERE shown IS NULL",
        """
        CREATE TRIGGER client_message_came AFTER INSERT ON client_message WHEN new.shown IS NULL
        BEGIN
          UPDATE client_message SET came = coalesce((SELECT age FROM client_identity), 0) WHERE hash = new.hash;
        END
        """,
    ]

    /// `listed` is the version of the last list of members that this device was given, so that it knows no change before
    /// that; `overtaken`: later messages of the same author's device were shown before.
    private static let missed = [
        "ALTER TABLE client_channel ADD COLUMN listed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_message ADD COLUMN overtaken INTEGER NOT NULL DEFAULT 0 CHECK (overtaken IN (0, 1))",
    ]

    /// Devices that were struck from their users' lists; `struck` is on the scale of the device's age.
    private static let struck = """
        CREATE TABLE client_struck (
          user TEXT NOT NULL REFERENCES client_contact (user) ON DELETE CASCADE,
          device TEXT NOT NULL,
          signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
          agreement_key BLOB NOT NULL CHECK (length(agreement_key) = 32),
          models TEXT NOT NULL,
          kem TEXT,
          struck INTEGER NOT NULL,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """

    /// `lost` says why a message has no content (a `MessageRequest.Reason` while it is asked for, a `HoleReason` once
    /// that was answered, or `unanswered`), `late` why it came late, sealed again. Times are on the scale of the device's
    /// age. `run` counts the messages that are missing, up to this one.
    private static let wants = [
        "ALTER TABLE client_message ADD COLUMN lost TEXT",
        "ALTER TABLE client_message ADD COLUMN late TEXT",
        """
        CREATE TABLE client_want (
          hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
          conversation TEXT NOT NULL,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          seq INTEGER NOT NULL,
          run INTEGER NOT NULL DEFAULT 1 CHECK (run BETWEEN 1 AND 64),
          reason TEXT NOT NULL,
          session TEXT,
          due INTEGER NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_want_due ON client_want (due)",
        "CREATE INDEX client_want_chain ON client_want (conversation, user, device)",
    ]

    /// Places of own messages in their chains, `returned` if its reader's only device was gone; and for whom they were
    /// sealed again: `number` is that of the last request that counted, `waits` 1 for what is due, 2 where the device was
    /// looked up for a session.
    private static let reseals = [
        """
        CREATE TABLE client_sealed (
          hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
          row INTEGER NOT NULL,
          seq INTEGER NOT NULL,
          prev BLOB,
          body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
          membership INTEGER,
          returned INTEGER NOT NULL DEFAULT 0 CHECK (returned IN (0, 1))
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE client_reseal (
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          number INTEGER NOT NULL,
          times INTEGER NOT NULL DEFAULT 0,
          reason TEXT NOT NULL,
          waits INTEGER NOT NULL CHECK (waits IN (0, 1, 2)),
          asked INTEGER NOT NULL,
          PRIMARY KEY (hash, user, device)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX client_sealed_returned ON client_sealed (row) WHERE returned = 1",
        "CREATE INDEX client_reseal_waits ON client_reseal (asked) WHERE waits > 0",
    ]

    /// `depth` counts rotations within one version of the membership. `side`: 1, another epoch follows the predecessor;
    /// 2, the predecessor is not known. `fresh` is the age at which the secret, or the one that it follows from, was drawn,
    /// `sent` counts the messages since; `ended` is the age at which another epoch took its place.
    private static let epochs = [
        "ALTER TABLE client_epoch ADD COLUMN predecessor BLOB",
        "ALTER TABLE client_epoch ADD COLUMN depth INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_epoch ADD COLUMN side INTEGER NOT NULL DEFAULT 0 CHECK (side IN (0, 1, 2))",
        "ALTER TABLE client_epoch ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_epoch ADD COLUMN sent INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_epoch ADD COLUMN ended INTEGER",
        "CREATE INDEX client_epoch_predecessor ON client_epoch (channel, predecessor)",
        "ALTER TABLE client_channel ADD COLUMN keys_upto INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_channel ADD COLUMN keys_came INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE client_channel ADD COLUMN keys_asked INTEGER",
        "ALTER TABLE client_channel ADD COLUMN moved_to TEXT",
        "ALTER TABLE client_channel ADD COLUMN shares_history INTEGER NOT NULL DEFAULT 0",
    ]
}
