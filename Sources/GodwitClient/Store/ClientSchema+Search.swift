import GRDB

/// The index of texts (FTS5). It keeps words and where they stand, not the texts: these are in the boxes already.
///
/// Rows of the index are numbered by the box that they are of: `2 × shown` for what has arrived, `2 × row + 1` for what
/// was written here. Triggers keep it in step with the boxes, whoever changes them. What stood in the boxes before there
/// was an index is `client_search_backlog`, and is taken in by and by.
extension ClientSchema {
    static func registerSearch(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client search") { database in
            for statement in search + received + written + backlog { try database.execute(sql: statement) }
        }
    }

    /// The index made anew, from the boxes: with captions and names of files.
    static func registerFileSearch(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("client search of files") { database in
            let triggers = ["shown", "came", "changed", "gone", "written", "rewritten", "unwritten"]
            for name in triggers { try database.execute(sql: "DROP TRIGGER client_search_\(name)") }
            for table in ["client_search", "client_search_purge", "client_search_backlog"] {
                try database.execute(sql: "DROP TABLE \(table)")
            }
            for statement in search + received + written + backlog { try database.execute(sql: statement) }
        }
    }

    /// How texts become words: letters and digits of Unicode, without case and marks.
    static let tokenizer = "tokenize=\"unicode61 remove_diacritics 2\""

    /// The text of a content, or the words about a file and, at its beginning, its name; empty where it has none. The same
    /// as `Attachment.words`.
    static func text(of content: String) -> String {
        """
        CASE WHEN json_type(CAST(\(content) AS TEXT), '$.text') = 'text'
          THEN json_extract(CAST(\(content) AS TEXT), '$.text')
          ELSE trim(coalesce(json_extract(CAST(\(content) AS TEXT), '$.caption'), '') || ' ' ||
            CASE WHEN coalesce(json_extract(CAST(\(content) AS TEXT), '$.media_refs[0].offset'), 0) = 0
              THEN coalesce(json_extract(CAST(\(content) AS TEXT), '$.media_refs[0].filename'), '') ELSE '' END) END
        """
    }

    /// A row in `client_search_purge` says that words were taken out of the index, which keeps them until its parts are
    /// merged.
    private static let search = [
        "CREATE VIRTUAL TABLE client_search USING fts5(text, content='', \(tokenizer))",
        "CREATE TABLE client_search_purge (only INTEGER PRIMARY KEY CHECK (only = 1)) STRICT",
        """
        CREATE TABLE client_search_backlog (
          box TEXT PRIMARY KEY NOT NULL CHECK (box IN ('message', 'outbox')),
          last INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ]

    private static let backlog = [
        """
        INSERT INTO client_search_backlog (box, last)
          SELECT 'message', max(shown) FROM client_message HAVING max(shown) IS NOT NULL
        """,
        """
        INSERT INTO client_search_backlog (box, last)
          SELECT 'outbox', max(row) FROM client_outbox HAVING max(row) IS NOT NULL
        """,
    ]

    private static func add(_ id: String, _ content: String) -> String {
        "INSERT INTO client_search (rowid, text) SELECT \(id), \(text(of: content)) WHERE \(text(of: content)) <> '';"
    }

    private static func remove(_ id: String, _ content: String) -> String {
        """
        INSERT INTO client_search (client_search, rowid, text)
          SELECT 'delete', \(id), \(text(of: content)) WHERE \(text(of: content)) <> '';
        INSERT INTO client_search_purge (only) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM client_search_purge);
        """
    }

    /// What the backlog still has is not in the index, so it cannot be taken out.
    private static func isIndexed(_ number: String, _ box: String) -> String {
        "NOT EXISTS (SELECT 1 FROM client_search_backlog WHERE box = '\(box)' AND last >= \(number))"
    }

    private static let received = [
        """
        CREATE TRIGGER client_search_shown AFTER UPDATE OF shown ON client_message
          WHEN OLD.shown IS NULL AND NEW.shown IS NOT NULL BEGIN
          \(add("NEW.shown * 2", "NEW.content"))
        END
        """,
        """
        CREATE TRIGGER client_search_came AFTER INSERT ON client_message WHEN NEW.shown IS NOT NULL BEGIN
          \(add("NEW.shown * 2", "NEW.content"))
        END
        """,
        """
        CREATE TRIGGER client_search_changed AFTER UPDATE OF content ON client_message
          WHEN OLD.shown = NEW.shown AND OLD.content <> NEW.content AND \(isIndexed("OLD.shown", "message")) BEGIN
          \(remove("OLD.shown * 2", "OLD.content"))
          \(add("NEW.shown * 2", "NEW.content"))
        END
        """,
        """
        CREATE TRIGGER client_search_gone AFTER DELETE ON client_message
          WHEN OLD.shown IS NOT NULL AND \(isIndexed("OLD.shown", "message")) BEGIN
          \(remove("OLD.shown * 2", "OLD.content"))
        END
        """,
    ]

    private static let written = [
        """
        CREATE TRIGGER client_search_written AFTER INSERT ON client_outbox BEGIN
          \(add("NEW.row * 2 + 1", "NEW.content"))
        END
        """,
        """
        CREATE TRIGGER client_search_rewritten AFTER UPDATE OF content ON client_outbox
          WHEN OLD.content <> NEW.content AND \(isIndexed("OLD.row", "outbox")) BEGIN
          \(remove("OLD.row * 2 + 1", "OLD.content"))
          \(add("NEW.row * 2 + 1", "NEW.content"))
        END
        """,
        """
        CREATE TRIGGER client_search_unwritten AFTER DELETE ON client_outbox
          WHEN \(isIndexed("OLD.row", "outbox")) BEGIN
          \(remove("OLD.row * 2 + 1", "OLD.content"))
        END
        """,
    ]
}
