import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitClient

/// Looking for words in a device's history.
@Suite("Search")
struct SearchTests {
    private struct Pair {
        var hub: Hub
        var amina: Device
        var layla: Device
        var scratches: [Scratch]
        var both: [Device] { [amina, layla] }

        /// What both find of the same words, each on its own side.
        func found(_ words: String) async throws -> [[String]] {
            var found: [[String]] = []
            for device in both { found.append(try await device.search(SearchQuery(words)).map(\.text)) }
            return found
        }

        func say(_ texts: String...) async throws -> [MessageID] {
            var ids: [MessageID] = []
            for text in texts {
                hub.time.advance(1_000)
                let entry = try await amina.send(text: text, to: .user(layla.userID))
                try await hub.settle(both)
                ids.append(try #require(try await amina.outbox(after: entry.row - 1, limit: 1).first?.id))
            }
            return ids
        }
    }

    private func pair() async throws -> Pair {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        return Pair(
            hub: hub, amina: try await hub.enrol("amina", in: scratches[0]),
            layla: try await hub.enrol("layla", in: scratches[1]), scratches: scratches)
    }

    @Test(
        "words are found whatever their case and accents, by writer and reader, newest first"
    )
    func folding() async throws {
        let pair = try await pair()
        _ = try await pair.say("The Café opens at nine", "nothing of the kind", "STRASSE and café")
        for words in ["cafe", "CAFÉ", "cafe\u{301}", "café"] {
            let both = ["STRASSE and café", "The Café opens at nine"]
            #expect(try await pair.found(words) == [both, both])
        }
        #expect(try await pair.found("cafe nine") == Array(repeating: ["The Café opens at nine"], count: 2))
        #expect(try await pair.found("ope*") == Array(repeating: ["The Café opens at nine"], count: 2))
        #expect(try await pair.found("ope") == [[], []])
        #expect(try await pair.found("\"opens at\"") == Array(repeating: ["The Café opens at nine"], count: 2))
        #expect(try await pair.found("\"at opens\"") == [[], []])
        #expect(try await pair.layla.search(SearchQuery("cafe"), limit: 1).map(\.text) == ["STRASSE and café"])
    }

    @Test(
        "nothing that is typed is an operator of the index",
        arguments: ["boat OR zebra", "NOT boat", "text:boat", "boat NEAR/2 zebra", "boat\" OR \"zebra", "^boat -zebra"])
    func escaping(_ words: String) async throws {
        let pair = try await pair()
        _ = try await pair.say("the boat is here")
        #expect(try await pair.found(words) == [[], []])
    }

    @Test("signs around a word do not hide it, and input without a word is refused")
    func signs() async throws {
        let pair = try await pair()
        _ = try await pair.say("the boat is here (at last)")
        for words in ["boat!!", "(boat)", "!!! boat", "boat ?", "'boat'", "b\0oat boat", "“the boat”", "\"the boat"] {
            let expected = ["the boat is here (at last)"]
            #expect(try await pair.found(words) == [expected, expected], "\(words)")
        }
        for words in ["", "   ", "!!!", "\"\"", "*", "⛵"] {
            #expect(throws: ProtocolError.self) { try SearchQuery(words) }
        }
    }

    @Test("limits: 16 words are looked for and 17 refused, 1,024 bytes and 1,025")
    func limits() throws {
        let words = { (count: Int) in Array(repeating: "ab", count: count).joined(separator: " ") }
        #expect(try SearchQuery(words(16)).parts.count == 16)
        #expect(throws: ProtocolError.self) { try SearchQuery(words(17)) }
        #expect(try SearchQuery(String(repeating: "a", count: 1_024)).parts.count == 1)
        #expect(throws: ProtocolError.self) { try SearchQuery(String(repeating: "a", count: 1_025)) }
    }

    @Test("only the conversation asked for is searched")
    func conversations() async throws {
        let pair = try await pair()
        let id = try pair.hub.channelID("#crew")
        try await pair.amina.createChannel(id.name)
        try await pair.hub.settle(pair.both)
        try await pair.layla.joinChannel(id)
        try await pair.hub.settle(pair.both)
        try await pair.amina.send(text: "boat in the channel", to: .channel(id))
        try await pair.amina.send(text: "boat between us", to: .user(pair.layla.userID))
        try await pair.hub.settle(pair.both)
        let query = try SearchQuery("boat")
        #expect(try await pair.layla.search(query).count == 2)
        let inChannel = try await pair.layla.search(query, in: .channel(id))
        #expect(inChannel.map(\.text) == ["boat in the channel"])
        let direct = try await pair.amina.search(query, in: .between(pair.amina.userID, pair.layla.userID))
        #expect(direct.map(\.text) == ["boat between us"])
    }

    @Test("of an edited message the last text is found and no earlier one")
    func edits() async throws {
        let pair = try await pair()
        let ids = try await pair.say("the zeppelin is here", "another")
        for text in ["the balloon is here", "the rocket is here"] {
            pair.hub.time.advance(1_000)
            try await pair.amina.edit(ids[0], text: text)
            try await pair.hub.settle(pair.both)
        }
        #expect(try await pair.found("zeppelin") == [[], []])
        #expect(try await pair.found("balloon") == [[], []])
        #expect(try await pair.found("rocket") == Array(repeating: ["the rocket is here"], count: 2))
        let hit = try #require(try await pair.layla.search(SearchQuery("rocket")).first)
        guard case .received(let entry) = hit.message else { throw ProtocolError(.internalError, "no entry") }
        #expect(entry.id == ids[0] && entry.isEdited)
        // A reaction is no text.
        try await pair.layla.react(to: ids[1], "rocket")
        try await pair.hub.settle(pair.both)
        #expect(try await pair.found("rocket").map(\.count) == [1, 1])
    }

    @Test("a text that is not sealed yet is found as it was changed last")
    func rewritten() async throws {
        let pair = try await pair()
        let entry = try await pair.amina.send(text: "the zeppelin", to: .user(pair.layla.userID))
        try await pair.amina.edit(row: entry.row, text: "the rocket")
        #expect(try await pair.amina.search(SearchQuery("zeppelin")).isEmpty)
        #expect(try await pair.amina.search(SearchQuery("rocket")).count == 1)
    }

    @Test("what was taken back is found no more, and its words are nowhere in the files (GDPR-01)")
    func deletion() async throws {
        let pair = try await pair()
        let ids = try await pair.say("first words", "the xylophonist zanzibarish arrived", "last words")
        try await pair.amina.edit(ids[1], text: "the quetzalcoatlus left")
        try await pair.hub.settle(pair.both)
        let words = ["xylophonist", "zanzibarish", "quetzalcoatlus"].map { Array($0.utf8) }
        for device in pair.both {
            let index = try await Self.index(device)
            #expect(words.allSatisfy { word in index.contains { $0.contains(word) } })
        }
        try await pair.amina.delete([ids[1]])
        try await pair.hub.settle(pair.both)
        #expect(try await pair.found("xylophonist") == [[], []])
        #expect(try await pair.found("quetzal*") == [[], []])
        #expect(try await pair.found("words").map(\.count) == [2, 2])
        for device in pair.both { try await device.close() }
        for scratch in pair.scratches {
            let bytes = scratch.databaseBytes()
            for word in words { #expect(!bytes.contains(word), "\(String(decoding: word, as: UTF8.self))") }
        }
    }

    /// Pages of the index.
    private static func index(_ device: Device) async throws -> [[UInt8]] {
        try await device.store.read { transaction in
            try transaction.rows("SELECT block FROM client_search_data").map { $0.blob("block") }
        }
    }

    @Test("an excerpt marks what was found, in a long text with a few words around it")
    func excerpt() async throws {
        let pair = try await pair()
        let long = (1...60).map { "word\($0)" }.joined(separator: " ")
        _ = try await pair.say("the Boat is \u{1}here", long)
        let hit = try #require(try await pair.layla.search(SearchQuery("boat")).first)
        #expect(
            hit.excerpt == [
                .init(text: "the ", isFound: false), .init(text: "Boat", isFound: true),
                .init(text: " is here", isFound: false),
            ])
        let other = try #require(try await pair.layla.search(SearchQuery("word40")).first)
        #expect(other.excerpt.filter(\.isFound).map(\.text) == ["word40"])
        #expect(other.excerpt.first?.text.hasPrefix("…") == true && other.text == long)
    }

    @Test("an old store is taken into the index in steps, and what is taken back meanwhile is not found")
    func migration() async throws {
        let pair = try await pair()
        let ids = try await pair.say("boat one", "boat two", "boat three", "boat four", "boat five")
        // As if the index had come later.
        for device in pair.both {
            try await device.store.write { transaction in
                try transaction.run("INSERT INTO client_search (client_search) VALUES ('delete-all')")
                try transaction.run(
                    """
                    INSERT INTO client_search_backlog (box, last)
                      SELECT 'message', max(shown) FROM client_message HAVING max(shown) > 0
                    """)
                try transaction.run(
                    """
                    INSERT INTO client_search_backlog (box, last)
                      SELECT 'outbox', max(row) FROM client_outbox HAVING max(row) > 0
                    """)
            }
        }
        #expect(try await pair.layla.store.write { try $0.indexBacklog(limit: 2) })
        let query = try SearchQuery("boat")
        let first = try await pair.layla.store.write { try $0.search(query, in: nil, limit: 9) }
        #expect(first.map(\.text) == ["boat five", "boat four"])
        try await pair.amina.delete([ids[0]])
        try await pair.amina.delete([ids[4]])
        try await pair.hub.settle(pair.both)
        #expect(try await pair.found("boat") == Array(repeating: ["boat four", "boat three", "boat two"], count: 2))
        let left = try await pair.layla.store.read { try $0.integer("SELECT count(*) FROM client_search_backlog") }
        #expect(left == 0)
    }

    @Test("the migration notes what stood in the boxes before")
    func upgrade() async throws {
        let scratch = try Scratch()
        let old = try SQLiteSpool(directory: scratch.path) { ClientSchema.register(in: &$0, upTo: 5) }
        try await old.write { transaction in
            for number in 1...3 {
                try transaction.database.execute(
                    sql: """
                        INSERT INTO client_message (hash, conversation, user, device, seq, timestamp, received, type,
                          content, starts, shown)
                        VALUES (?, '#a:b', 'u', 'd', ?, 0, 0, 'text', CAST('{"text":"old boat"}' AS BLOB), 1, ?)
                        """,
                    arguments: [Data(repeating: UInt8(number), count: 32), number, number])
            }
        }
        try await old.close()
        let new = try SQLiteSpool(directory: scratch.path, migrations: ClientSchema.register)
        let backlog = try await new.read { transaction in
            try Row.fetchAll(transaction.database, sql: "SELECT * FROM client_search_backlog").map { row in
                "\(row["box"] as String) \(row["last"] as Int64)"
            }
        }
        #expect(backlog == ["message 3"])
        try await new.close()
    }

    @Test("a file is found once, by the words about it and by its name, and no more when it is deleted")
    func files() async throws {
        let pair = try await pair()
        let target = MessageTarget.user(pair.layla.userID)
        _ = try await pair.amina.send(text: "where is it?", to: target)
        _ = try await pair.amina.send(
            file: [UInt8](repeating: 7, count: 70_000), named: "harbour.pdf", caption: "the new moorings", to: target)
        try await pair.hub.settle(pair.both)
        for words in ["moorings", "harbour", "new harbour"] {
            #expect(try await pair.found(words) == Array(repeating: ["the new moorings harbour.pdf"], count: 2))
        }
        let hit = try #require(try await pair.layla.search(SearchQuery("harbour")).first)
        #expect(hit.excerpt.filter(\.isFound).map(\.text) == ["harbour"])
        let ids = try await pair.amina.outbox().compactMap(\.id)
        try await pair.amina.delete(Array(ids.dropFirst()))
        try await pair.hub.settle(pair.both)
        for words in ["moorings", "harbour"] { #expect(try await pair.found(words) == [[], []]) }
        #expect(try await pair.found("where").map(\.count) == [1, 1])
    }

    @Test("of a store whose index knew nothing of files all of it is indexed anew, as it is then")
    func reindexed() async throws {
        let scratch = try Scratch()
        let old = try SQLiteSpool(directory: scratch.path) { ClientSchema.register(in: &$0, upTo: 12) }
        let contents = [
            #"{"text":"old boat"}"#, #"{"caption":"our boat","media_refs":[{"filename":"b.jpg"}]}"#,
            #"{"text":"tent"}"#,
        ]
        try await old.write { transaction in
            for (number, content) in contents.enumerated() {
                try transaction.database.execute(
                    sql: """
                        INSERT INTO client_message (hash, conversation, user, device, seq, timestamp, received, type,
                          content, starts, shown)
                        VALUES (?, '#a:b', 'u', 'd', ?, 0, 0, 'text', CAST(? AS BLOB), 1, ?)
                        """,
                    arguments: [Data(repeating: UInt8(number + 1), count: 32), number, content, number + 1])
            }
            // What the index of that version held.
            try transaction.database.execute(
                sql: """
                    INSERT INTO client_search (client_search) VALUES ('delete-all');
                    INSERT INTO client_search (rowid, text) VALUES (2, 'old boat'), (6, 'tent');
                    """)
        }
        func found(_ spool: SQLiteSpool) async throws -> [Int64] {
            try await spool.read { transaction in
                try Int64.fetchAll(
                    transaction.database, sql: "SELECT rowid FROM client_search WHERE client_search MATCH 'boat'")
            }
        }
        #expect(try await found(old) == [2])
        try await old.close()
        let new = try SQLiteSpool(directory: scratch.path, migrations: ClientSchema.register)
        try await new.write { transaction in
            try transaction.database.execute(
                sql: #"UPDATE client_message SET content = CAST('{"text":"ship"}' AS BLOB) WHERE shown = 1"#)
            let texts = try String.fetchAll(
                transaction.database,
                sql: "SELECT \(ClientSchema.text(of: "content")) FROM client_message ORDER BY shown")
            #expect(texts == ["ship", "our boat b.jpg", "tent"])
            let left = try Int64.fetchAll(transaction.database, sql: "SELECT last FROM client_search_backlog")
            #expect(left == [3])
        }
        #expect(try await found(new) == [])
        try await new.close()
    }
}
