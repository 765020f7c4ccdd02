import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// The journal of messages and what accounts ask of the node.
extension NodeSchema {
    /// Policies of accounts, whom users block and have written to, and names that were erased.
    static func makeAccounts(in database: Database) throws {
        for change in accounts { try database.execute(sql: change) }
        for row in try Row.fetchAll(
            database, sql: "SELECT user, identity_file FROM node_user WHERE is_local AND identity_file IS NOT NULL")
        {
            // A file that this version would not take keeps the account as it was.
            guard let file = try? IdentityFile(parsing: [UInt8](row["identity_file"] as Data)),
                let policy = try? AccountPolicy(file)
            else { continue }
            let uptime = try Int64.fetchOne(database, sql: "SELECT uptime FROM spool_state") ?? 0
            try database.execute(
                sql: """
                    UPDATE node_user SET shows_status = ?, direct_messages = ?, retention = ?, ends = ? WHERE user = ?
                    """,
                arguments: [
                    policy.showsStatus, policy.directMessages.rawValue, policy.retention?.milliseconds,
                    policy.type == .temporary ? uptime + AccountPolicy.temporaryLifetime : nil,
                    row["user"] as String,
                ])
            for blocked in policy.blocked {
                try database.execute(
                    sql: "INSERT INTO node_block (user, blocked) VALUES (?, ?)",
                    arguments: [row["user"] as String, blocked.text])
            }
        }
    }

    /// Bodies are sealed under keys of periods, so that what is not kept any more can be forgotten with its key.
    ///
    /// - Parameter key: wraps the keys of periods.
    static func makeJournal(in database: Database, key: Secret, keeping keeps: Retention) throws {
        for change in journal { try database.execute(sql: change) }
        let uptime = try Int64.fetchOne(database, sql: "SELECT uptime FROM spool_state") ?? 0
        var period: (number: Int64, period: JournalPeriod)?
        let old = try Row.fetchCursor(database, sql: "SELECT * FROM node_message ORDER BY arrival")
        while let row = try old.next() {
            let body = [UInt8](row["body"] as Data)
            let message = try Message(parsing: body)
            if period == nil, keeps != .none {
                let made = try JournalPeriod.make(keeping: keeps.milliseconds, at: uptime)
                try database.execute(
                    sql: "INSERT INTO node_period (keeps, slot, ends, key) VALUES (?, ?, ?, ?)",
                    arguments: [made.keeps, made.slot, made.ends, Data(try made.wrapped(by: key))])
                period = (database.lastInsertedRowID, made)
            }
            try database.execute(
                sql: """
                    INSERT INTO node_message_sealed
                      (arrival, hash, body_hash, author, conversation, timestamp, received, size, period, body, hole)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    row["arrival"] as Int64, Data(message.hash.bytes), Data(message.bodyHash), row["author"] as String,
                    row["conversation"] as String, row["timestamp"] as Int64, row["received"] as Int64,
                    message.authoredSize, period?.number,
                    try period.map { Data(try $0.period.seal(body, of: message.hash)) },
                    period == nil ? Hole.unkept.rawValue : nil,
                ])
        }
        for change in journalInPlace { try database.execute(sql: change) }
    }

    /// `retention` is in milliseconds, null for the node's; `ends` on the scale of the spool's uptime. A contact is
    /// whom the user has written to.
    private static let accounts = [
        "ALTER TABLE node_user ADD COLUMN shows_status INTEGER NOT NULL DEFAULT 1 CHECK (shows_status IN (0, 1))",
        """
        ALTER TABLE node_user ADD COLUMN direct_messages TEXT NOT NULL DEFAULT 'everyone'
          CHECK (direct_messages IN ('everyone', 'contacts', 'nobody'))
        """,
        "ALTER TABLE node_user ADD COLUMN retention INTEGER CHECK (retention >= 0)",
        "ALTER TABLE node_user ADD COLUMN ends INTEGER",
        "CREATE INDEX node_user_ends ON node_user (ends) WHERE ends IS NOT NULL",
        """
        CREATE TABLE node_block (
          user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
          blocked TEXT NOT NULL,
          PRIMARY KEY (user, blocked)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_contact (
          user TEXT NOT NULL,
          contact TEXT NOT NULL,
          PRIMARY KEY (user, contact)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE node_erased (
          name BLOB PRIMARY KEY NOT NULL CHECK (length(name) = 32)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// The check of a hole's name made SQLite build a tree of four names for every message. Written as it is here it
    /// says the same, and costs nothing. The table's text is changed in place, as SQLite allows for a check that holds:
    /// a journal need not be written anew for it.
    static func relaxHoles(in database: Database) throws {
        let names = ["deleted", "expired", "erased", "not_kept"].map { "'\($0)'" }
        let before = "CHECK (hole IN (\(names.joined(separator: ", "))))"
        let after = "CHECK (\(names.map { "hole = \($0)" }.joined(separator: " OR ")))"
        let version = try Int.fetchOne(database, sql: "PRAGMA schema_version") ?? 0
        try database.execute(sql: "PRAGMA writable_schema = ON")
        try database.execute(
            sql: "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'node_message'",
            arguments: [before, after])
        try database.execute(sql: "PRAGMA schema_version = \(version + 1); PRAGMA writable_schema = RESET")
    }

    /// A period without a key is one whose bodies are being taken out. Of a message without a body `hole` says why.
    /// `size` is that of the canonical JSON as the author signed it.
    private static let journal = [
        """
        CREATE TABLE node_period (
          period INTEGER PRIMARY KEY AUTOINCREMENT,
          keeps INTEGER NOT NULL CHECK (keeps > 0),
          slot INTEGER NOT NULL,
          ends INTEGER NOT NULL,
          key BLOB CHECK (length(key) = 60)
        ) STRICT
        """,
        "CREATE UNIQUE INDEX node_period_slot ON node_period (keeps, slot) WHERE key IS NOT NULL",
        """
        CREATE TABLE node_message_sealed (
          arrival INTEGER PRIMARY KEY AUTOINCREMENT,
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
          author TEXT NOT NULL,
          conversation TEXT NOT NULL,
          timestamp INTEGER NOT NULL,
          received INTEGER NOT NULL,
          size INTEGER NOT NULL CHECK (size >= 0),
          period INTEGER REFERENCES node_period (period),
          body BLOB,
          hole TEXT CHECK (hole IN ('deleted', 'expired', 'erased', 'not_kept')),
          deleted_by TEXT,
          CHECK ((body IS NULL) = (hole IS NOT NULL) AND (body IS NULL) = (period IS NULL))
        ) STRICT
        """,
    ]

    /// A message is found by the first bytes of its hash: an index over all of it would be four times as large.
    private static let journalInPlace = [
        "DROP TABLE node_message",
        "ALTER TABLE node_message_sealed RENAME TO node_message",
        "CREATE INDEX node_message_conversation ON node_message (conversation, arrival)",
        "CREATE INDEX node_message_hash ON node_message (substr(hash, 1, 8))",
        "CREATE INDEX node_message_period ON node_message (period) WHERE period IS NOT NULL",
        """
        CREATE TABLE node_taken_back (
          hash BLOB NOT NULL CHECK (length(hash) = 32),
          user TEXT NOT NULL,
          conversation TEXT NOT NULL,
          any_author INTEGER NOT NULL CHECK (any_author IN (0, 1)),
          ends INTEGER NOT NULL,
          PRIMARY KEY (hash, user)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX node_taken_back_user ON node_taken_back (user, ends)",
        "CREATE INDEX node_taken_back_ends ON node_taken_back (ends)",
        """
        CREATE TABLE node_member_since (
          channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          arrival INTEGER NOT NULL,
          ended INTEGER,
          PRIMARY KEY (channel, user, device)
        ) STRICT, WITHOUT ROWID
        """,
        "INSERT INTO node_member_since (channel, user, device, arrival) SELECT channel, user, device, 0 FROM node_member",
        // A list that comes anew takes members out and in again: with no message between they have been there all along.
        """
        CREATE TRIGGER node_member_came AFTER INSERT ON node_member BEGIN
          INSERT INTO node_member_since (channel, user, device, arrival)
            VALUES (NEW.channel, NEW.user, NEW.device, (SELECT coalesce(max(arrival), 0) FROM node_message))
            ON CONFLICT (channel, user, device) DO UPDATE SET ended = NULL,
              arrival = CASE WHEN ended = excluded.arrival THEN arrival ELSE excluded.arrival END;
        END
        """,
        """
        CREATE TRIGGER node_member_left AFTER DELETE ON node_member BEGIN
          UPDATE node_member_since SET ended = (SELECT coalesce(max(arrival), 0) FROM node_message)
            WHERE channel = OLD.channel AND user = OLD.user AND device = OLD.device;
        END
        """,
    ]
}
