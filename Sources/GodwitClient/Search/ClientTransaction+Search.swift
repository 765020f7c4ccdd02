import FoundationEssentials
import GRDB
import GodwitProtocol

/// Looking for words in what this device shows.
extension ClientTransaction {
    /// Texts of an old store that one transaction takes into the index.
    static let indexStep = 500

    /// Takes some of what was there before the index into it, newest first.
    ///
    /// - Returns: whether there is more.
    func indexBacklog(limit: Int = indexStep) throws -> Bool {
        for (box, number, id) in [("message", "shown", "shown * 2"), ("outbox", "row", "row * 2 + 1")] {
            guard let last = try integer("SELECT last FROM client_search_backlog WHERE box = ?", [box]) else {
                continue
            }
            let rows = try rows(
                """
                SELECT \(number) AS number, \(id) AS id, \(ClientSchema.text(of: "content")) AS text FROM client_\(box)
                WHERE \(number) <= ? ORDER BY \(number) DESC LIMIT ?
                """, [last, limit])
            for row in rows where !(row["text"] as String).isEmpty {
                try run(
                    "INSERT INTO client_search (rowid, text) VALUES (?, ?)",
                    [row["id"] as Int64, row["text"] as String])
            }
            guard rows.count == limit, let lowest = rows.last?["number"] as Int64? else {
                try run("DELETE FROM client_search_backlog WHERE box = ?", [box])
                continue
            }
            try run("UPDATE client_search_backlog SET last = ? WHERE box = ?", [lowest - 1, box])
            return true
        }
        return false
    }

    /// Merges the index after something was taken out of it, for until then the words stand in its older parts. What
    /// was there is overwritten (`secure_delete`).
    func purgeIndex() throws {
        guard try row("SELECT 1 FROM client_search_purge") != nil else { return }
        try run("INSERT INTO client_search (client_search) VALUES ('optimize')")
        try run("DELETE FROM client_search_purge")
    }

    /// Messages in which all that is looked for stands, newest first by their authors' clocks. Of a message that was
    /// edited its last text counts.
    func search(_ query: SearchQuery, in conversation: Conversation?, limit: Int) throws -> [SearchHit] {
        let cursor = try Row.fetchCursor(
            database,
            sql: """
                WITH hit (id) AS MATERIALIZED (SELECT rowid FROM client_search WHERE client_search MATCH ?1)
                SELECT id, m.timestamp AS at FROM hit JOIN client_message m ON m.shown = id / 2
                  WHERE id % 2 = 0 AND (?2 IS NULL OR m.conversation = ?2)
                    AND m.user NOT IN (SELECT user FROM client_block)
                UNION ALL SELECT id, o.created FROM hit JOIN client_outbox o ON o.row = id / 2
                  WHERE id % 2 = 1 AND (?2 IS NULL OR o.conversation = ?2)
                ORDER BY at DESC, id DESC
                """, arguments: [query.expression, conversation?.text])
        var hits: [SearchHit] = []
        while hits.count < limit, let row = try cursor.next() {
            let id: Int64 = row["id"]
            let message = id % 2 == 0 ? try received(id / 2) : try written(id / 2)
            if let message { hits.append(SearchHit(message: message, excerpt: [])) }
        }
        return try excerpted(hits, query)
    }

    /// What a text that has arrived is shown as; nil if it is not shown (any more).
    private func received(_ shown: Int64) throws -> SearchHit.Message? {
        guard let row = try row("SELECT * FROM client_message WHERE shown = ?", [shown]) else { return nil }
        guard let relation = row["relation"] as String? else {
            let entry = try related(InboxEntry(row, home: context.home.id))
            return entry.isEdited || entry.isDeleted ? nil : .received(entry)
        }
        guard relation == "edit",
            let target = try self.row(
                """
                SELECT * FROM client_message WHERE hash BETWEEN ? AND ? AND user = ? AND conversation = ?
                  AND shown IS NOT NULL AND relation IS NULL
                """, Self.range(row.blob("relates")) + [row["user"] as String, row["conversation"] as String])
        else { return nil }
        let entry = try related(InboxEntry(target, home: context.home.id))
        guard entry.isEdited, entry.text == (try JSONObject.parse(row.blob("content")))["text"]?.string else {
            return nil
        }
        return .received(entry)
    }

    /// What a text that was written here is shown as; nil if it is not shown (any more).
    private func written(_ number: Int64) throws -> SearchHit.Message? {
        guard let row = try row("SELECT * FROM client_outbox WHERE row = ?", [number]) else { return nil }
        guard let relation = row["relation"] as String? else {
            let entry = try related(OutboxEntry(row, home: context.home.id))
            return entry.isEdited || entry.isDeleted ? nil : .written(entry)
        }
        guard relation == "edit",
            let target = try self.row(
                "SELECT * FROM client_outbox WHERE hash BETWEEN ? AND ? AND relation IS NULL",
                Self.range(row.blob("relates")))
        else { return nil }
        let entry = try related(OutboxEntry(target, home: context.home.id))
        guard entry.isEdited, entry.text == (try JSONObject.parse(row.blob("content")))["text"]?.string else {
            return nil
        }
        return .written(entry)
    }

    /// Hashes that begin with a message's id.
    static func range(_ prefix: [UInt8]) -> StatementArguments {
        let rest = 32 - prefix.count
        return [
            Data(prefix + [UInt8](repeating: 0, count: rest)), Data(prefix + [UInt8](repeating: 255, count: rest)),
        ]
    }

    // MARK: Excerpts

    /// Words of an excerpt.
    private static let excerptWords = 24

    /// Lets the index itself say what it found, in a table of its own in memory that goes again.
    private func excerpted(_ hits: [SearchHit], _ query: SearchQuery) throws -> [SearchHit] {
        guard !hits.isEmpty else { return [] }
        try database.execute(
            sql: "CREATE VIRTUAL TABLE temp.client_excerpt USING fts5(text, \(ClientSchema.tokenizer))")
        defer { try? database.execute(sql: "DROP TABLE temp.client_excerpt") }
        for (number, hit) in hits.enumerated() {
            let text = hit.text.filter { $0 != "\u{1}" && $0 != "\u{2}" }
            try database.execute(
                sql: "INSERT INTO temp.client_excerpt (rowid, text) VALUES (?, ?)", arguments: [number, text])
        }
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT rowid AS number, snippet(client_excerpt, 0, char(1), char(2), '…', ?) AS excerpt
                FROM temp.client_excerpt WHERE client_excerpt MATCH ?
                """, arguments: [Self.excerptWords, query.expression])
        var hits = hits
        for row in rows { hits[row["number"]].excerpt = Self.pieces(row["excerpt"]) }
        for number in hits.indices where hits[number].excerpt.isEmpty {
            hits[number].excerpt = [SearchHit.Piece(text: hits[number].text, isFound: false)]
        }
        return hits
    }

    /// Takes a text apart at the marks U+0001 and U+0002 around what was found.
    static func pieces(_ marked: String) -> [SearchHit.Piece] {
        var pieces: [SearchHit.Piece] = []
        var text = ""
        for character in marked {
            guard character == "\u{1}" || character == "\u{2}" else {
                text.append(character)
                continue
            }
            if !text.isEmpty { pieces.append(SearchHit.Piece(text: text, isFound: character == "\u{2}")) }
            text = ""
        }
        if !text.isEmpty { pieces.append(SearchHit.Piece(text: text, isFound: false)) }
        return pieces
    }
}
