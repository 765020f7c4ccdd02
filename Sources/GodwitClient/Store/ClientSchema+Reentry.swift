import GRDB

/// What tells a late join, a request that crossed its answer, and a device that calls rarely.
extension ClientSchema {
    static func registerReentry(in migrator: inout DatabaseMigrator) {
        for (name, statements) in [
            ("client departures", departures), ("client resealing", resealing), ("client pace", pace),
        ] {
            migrator.registerMigration(name) { database in
                for statement in statements { try database.execute(sql: statement) }
            }
        }
    }

    /// The version by which this device was out last; null where an earlier program did not keep it.
    private static let departures = [
        "ALTER TABLE client_channel ADD COLUMN ended INTEGER DEFAULT 0",
        "UPDATE client_channel SET ended = NULL WHERE state IN ('left', 'refused')",
    ]

    /// The session in which a message was sealed again last, and the age of this device then.
    private static let resealing = [
        "ALTER TABLE client_reseal ADD COLUMN session TEXT",
        "ALTER TABLE client_reseal ADD COLUMN sealed INTEGER",
    ]

    /// When the last contact began, on the scale of the device's age, and milliseconds between those before. `queued` names
    /// a question in the queue.
    private static let pace = [
        "ALTER TABLE client_identity ADD COLUMN contacted INTEGER",
        "ALTER TABLE client_identity ADD COLUMN gaps TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE client_lookup ADD COLUMN queued BLOB CHECK (length(queued) = 32)",
    ]
}
