import GRDB

/// Epochs that start by time, channels that have moved to another node, and the numbers under which members' keys have changed.
extension NodeSchema {
    static func registerEpochs(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node epochs") { database in
            for change in epochs { try database.execute(sql: change) }
        }
    }

    /// `key_number` grows over all channels with each key that is stored, so that whoever was told one asks for what is
    /// above it.
    private static let epochs = [
        """
        CREATE TABLE node_epoch_head (
          channel INTEGER PRIMARY KEY REFERENCES node_channel (channel) ON DELETE CASCADE,
          name BLOB NOT NULL CHECK (length(name) = 32)
        ) STRICT
        """,
        """
        INSERT INTO node_epoch_head (channel, name)
          SELECT channel, name FROM node_epoch e WHERE name IS NOT NULL AND membership =
            (SELECT max(membership) FROM node_epoch o WHERE o.channel = e.channel AND o.name IS NOT NULL)
        """,
        """
        CREATE TABLE node_rotation (
          rotation INTEGER PRIMARY KEY AUTOINCREMENT,
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          name BLOB NOT NULL CHECK (length(name) = 32),
          side INTEGER NOT NULL CHECK (side IN (0, 1)),
          UNIQUE (channel, name)
        ) STRICT
        """,
        "ALTER TABLE node_channel ADD COLUMN shares_history INTEGER NOT NULL DEFAULT 0 CHECK (shares_history IN (0, 1))",
        """
        CREATE TABLE node_moved (
          channel INTEGER PRIMARY KEY REFERENCES node_channel (channel) ON DELETE CASCADE,
          node TEXT NOT NULL
        ) STRICT
        """,
        "CREATE TABLE node_key_count (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL) STRICT",
        "INSERT INTO node_key_count (only, number) VALUES (1, 1)",
        "ALTER TABLE node_member ADD COLUMN key_number INTEGER NOT NULL DEFAULT 0",
        "UPDATE node_member SET key_number = 1 WHERE pre_key IS NOT NULL",
        """
        CREATE TRIGGER node_member_key_came AFTER INSERT ON node_member WHEN NEW.pre_key IS NOT NULL BEGIN
          UPDATE node_key_count SET number = number + 1;
          UPDATE node_member SET key_number = (SELECT number FROM node_key_count)
            WHERE channel = NEW.channel AND user = NEW.user AND device = NEW.device;
        END
        """,
        """
        CREATE TRIGGER node_member_key_changed AFTER UPDATE OF pre_key ON node_member
          WHEN NEW.pre_key IS NOT NULL AND NEW.pre_key IS NOT OLD.pre_key BEGIN
          UPDATE node_key_count SET number = number + 1;
          UPDATE node_member SET key_number = (SELECT number FROM node_key_count)
            WHERE channel = NEW.channel AND user = NEW.user AND device = NEW.device;
        END
        """,
    ]
}
