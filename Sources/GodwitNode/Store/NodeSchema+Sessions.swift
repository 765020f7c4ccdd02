import GRDB

extension NodeSchema {
    /// A session keeps its name when its token is refreshed; `opened` is when its user proved who he is.
    static func registerSessions(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node sessions") { database in
            for change in sessions { try database.execute(sql: change) }
        }
    }

    private static let sessions = [
        "ALTER TABLE node_session ADD COLUMN session TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE node_session ADD COLUMN opened INTEGER NOT NULL DEFAULT 0",
        "UPDATE node_session SET session = token, opened = issued",
        "CREATE INDEX node_session_user ON node_session (user, issued)",
    ]
}
