extension NodeSchema {
    /// Devices that were struck from their users' lists; `struck` is on the scale of the spool's uptime. A departure is
    /// `struck` where it follows from that.
    static let struck = [
        """
        CREATE TABLE node_struck (
          user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
          device TEXT NOT NULL,
          signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
          struck INTEGER NOT NULL,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID
        """,
        "ALTER TABLE node_departure ADD COLUMN struck INTEGER NOT NULL DEFAULT 0 CHECK (struck IN (0, 1))",
    ]
}
