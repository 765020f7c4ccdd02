import FoundationEssentials
import GodwitProtocol
import Testing

@testable import GodwitClient

@Suite("The chat's model")
struct ChatModelTests {
    private static func talk() throws -> [ChatEntry] {
        [
            try ChatSample.received(1, "Room ready?"), try ChatSample.written(2, "nearly", .atNode),
            try ChatSample.received(3, "good"), try ChatSample.written(4, "done", .queued),
        ]
    }

    // MARK: Writing

    @Test("Enter sends what was written to the open conversation, and the line is empty again")
    func send() throws {
        var model = try ChatSample.model(Self.talk())
        try check(model.type("on my way"), [.send("on my way", ChatSample.target(), replyTo: nil)])
        #expect(model.editor.isEmpty)
        check(model.type(""), [])
        try check(model.type("//etc/hosts"), [.send("/etc/hosts", ChatSample.target(), replyTo: nil)])
        _ = model.handle(.key(.pasted("two\nlines")))
        _ = model.handle(.key(.newline))
        _ = model.handle(.key(.text("more")))
        #expect(model.rowsShown.last == "> two¶lines¶more")
        try check(model.handle(.key(.enter)), [.send("two\nlines\nmore", ChatSample.target(), replyTo: nil)])
    }

    @Test("what stands in one conversation stays there while another is open")
    func drafts() throws {
        var model = try ChatSample.model(Self.talk())
        _ = model.handle(.key(.text("half a")))
        #expect(model.open(try ChatSample.target("yusuf")) == [.load(try ChatSample.target("yusuf"), limit: 100)])
        #expect(model.editor.isEmpty && model.entries.isEmpty)
        _ = model.open(try ChatSample.target())
        #expect(model.editor.text == "half a")
    }

    @Test("orders are about the tag, the chosen message, or the last that fits")
    func subjects() throws {
        var model = try ChatSample.model(Self.talk())
        let target = try ChatSample.target()
        try check(model.type("/reply yes"), [.send("yes", target, replyTo: ChatSample.id(3))])
        let tag = model.entries[0].tag
        try check(model.type("/reply \(tag) yes"), [.send("yes", target, replyTo: ChatSample.id(1))])
        check(model.type("/edit ready"), [.edit(.written(4), nil, "ready")])
        check(model.type("/react 👍"), [])
        #expect(model.notice.contains("has no id"))
        for _ in 0..<3 { _ = model.handle(.key(.control("p"))) }
        #expect(model.chosen == .written(2))
        #expect(model.rowsShown.contains { $0.hasPrefix("=>") && $0.contains("nearly") })
        try check(model.type("/edit soon"), [.edit(.written(2), ChatSample.id(1_002), "soon")])
        try check(model.type("/delete"), [.delete(ChatSample.id(1_002))])
        try check(model.type("/unreact 👍"), [.react(ChatSample.id(1_002), "👍", remove: true)])
        _ = model.handle(.key(.escape))
        #expect(model.chosen == nil)
        _ = model.handle(.key(.control("p")))
        _ = model.handle(.key(.control("p")))
        check(model.type("/edit mine"), [])
        #expect(model.notice.contains("no message for that"))
        // The line stays, to be mended.
        #expect(model.editor.text == "/edit mine")
    }

    @Test("an unknown order, and one that lacks something, say so and send nothing")
    func refusals() throws {
        for (line, word) in [
            ("/frobnicate", "no order"), ("/reply", "needs a text"), ("/open", "needs a name"),
            ("/attach", "needs a file"), ("/voice", "needs a file"), ("/save", "no message for that"),
            ("/delete nothing", "tag"),
        ] {
            var model = try ChatSample.model(Self.talk())
            check(model.type(line), [])
            #expect(model.notice.contains(word), "\(line): \(model.notice)")
            #expect(model.rowsShown[22].contains(word))
        }
        var model = ChatModel(own: try ChatSample.user("amina"))
        check(model.type("hello"), [])
        #expect(model.notice.contains("No conversation"))
    }

    @Test("each order of the help is known, and asks the shell for what it says")
    func orders() throws {
        let target = try ChatSample.target()
        let wanted: [(String, [ChatModel.Action])] = [
            ("/open #crew", [.open("#crew")]), ("/search boat here", [.search("boat here", target)]),
            ("/members", [.members(target)]), ("/contact", [.contact("a7f3k9m2.layla")]),
            ("/contact mum", [.contact("mum")]), ("/block mum", [.block("mum", true)]),
            ("/unblock mum", [.block("mum", false)]), ("/join #crew", [.join("#crew")]), ("/outbox", [.outbox]),
            ("/attach my boat.jpg", [.attach("my boat.jpg", target, isVoice: false)]),
            ("/voice ~/note.opus", [.attach("~/note.opus", target, isVoice: true)]), ("/warnings", [.warnings]),
            ("/sync", [.sync]), ("/quit", [.quit]), ("/list", []), ("/help", []),
        ]
        for (line, actions) in wanted {
            var model = try ChatSample.model(Self.talk())
            check(model.type(line), actions)
            #expect(model.notice.isEmpty, "\(line)")
        }
        for (order, _) in ChatOrder.all where order.hasPrefix("/") && !order.hasPrefix("//") {
            let word = String(order.prefix { $0 != " " })
            do { _ = try ChatOrder(word + " x") } catch {
                #expect(!error.message.contains("no order"), "\(word)")
            }
        }
    }

    @Test("a file is saved from the last message that has one, or from the one that is named")
    func saving() throws {
        var entries = try Self.talk()
        entries[0].hasFile = true
        let id = try #require(entries[0].id)
        for (line, path) in [
            ("/save", ""), ("/save /tmp/boat.jpg", "/tmp/boat.jpg"), ("/save \(entries[0].tag) b", "b"),
        ] {
            var model = try ChatSample.model(entries)
            check(model.type(line), [.save(id, path)])
        }
    }

    @Test("the manual has each order")
    func manual() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let bytes = try #require(FileManager.default.contents(atPath: root + "/docs/man/godwit-chat.1"))
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        for (order, _) in ChatOrder.all {
            let word = order.hasPrefix("//") ? "//" : String(order.prefix { $0 != " " })
            #expect(lines.contains { $0 == ".B \(word)" || $0.hasPrefix(".BI \(word) ") }, "\(word)")
        }
    }

    // MARK: Showing

    @Test(
        "the screen has title, messages with marks, remarks and the line that is written, on as many rows as there are")
    func screen() throws {
        var entries = try Self.talk()
        entries[1].reactions = [Reaction(text: "👍", users: [try ChatSample.user("layla")])]
        entries[2].replyTo = try ChatSample.id(1_002)
        entries[3].isEdited = true
        let model = try ChatSample.model(columns: 60, rows: 12, entries)
        let rows = model.rowsShown
        #expect(rows.count == 12)
        #expect(rows[0].hasPrefix(" @layla") && rows[0].hasSuffix("2 unread  not synced "))
        #expect(
            Array(rows[5...9]) == [
                "-- 2026-03-14 --", "  05:38 layla: Room ready?", "> 05:39 amina: nearly  [👍]",
                "  05:40 layla: [re amina: nearly] good", ". 05:41 amina: done (edited)",
            ])
        #expect(rows[11] == "> ")
        #expect(model.screen().cursor == Screen.Place(row: 11, column: 2))
    }

    @Test("the list shows unread counts and warnings, and opens what is chosen")
    func list() throws {
        var model = ChatModel(own: try ChatSample.user("amina"))
        _ = model.handle(
            .conversations([
                ChatConversation(target: try ChatSample.target(), name: "@layla", warning: "KEY CHANGED"),
                ChatConversation(target: try ChatSample.target("yusuf"), name: "@yusuf", unread: 2),
            ]))
        #expect(Array(model.rowsShown[1...3]) == ["> 1 @layla  KEY CHANGED", "  2 @yusuf (2)", ""])
        _ = model.handle(.key(.down))
        _ = model.handle(.key(.down))
        // The choice stays where it was when the order changes.
        _ = model.handle(
            .conversations([
                ChatConversation(target: try ChatSample.target("yusuf"), name: "@yusuf", unread: 3),
                ChatConversation(target: try ChatSample.target(), name: "@layla", warning: "KEY CHANGED"),
            ]))
        #expect(model.row == 0)
        try check(model.handle(.key(.enter)), [.load(ChatSample.target("yusuf"), limit: 100)])
        #expect(model.view == .conversation)
        _ = model.handle(.key(.tab))
        #expect(model.view == .list)
        try check(model.type("/open 2"), [.load(ChatSample.target(), limit: 100)])
        #expect(model.rowsShown[0].contains("KEY CHANGED"))
    }

    @Test("what is seen is read, once; what comes while a list or help is shown is not")
    func reading() throws {
        var model = try ChatSample.model(Self.talk())
        let target = try ChatSample.target()
        var entries = try Self.talk() + [try ChatSample.received(5, "new", isRead: false)]
        check(model.handle(.entries(target, entries, isWhole: true)), [.markRead(target, upTo: 5)])
        entries[4].isRead = true
        check(model.handle(.entries(target, entries, isWhole: true)), [])
        _ = model.type("/help")
        entries.append(try ChatSample.received(6, "newer", isRead: false))
        check(model.handle(.entries(target, entries, isWhole: true)), [])
        check(model.handle(.key(.escape)), [.markRead(target, upTo: 6)])
        check(model.handle(.entries(try ChatSample.target("yusuf"), entries, isWhole: true)), [])
    }

    @Test("who reads further up stays there when something comes, and gets more at the top")
    func scrolling() throws {
        var entries = try (1...100).map { try ChatSample.received($0, "message \($0)") }
        var model = try ChatSample.model(entries)
        _ = model.handle(.entries(try ChatSample.target(), entries, isWhole: false))
        _ = model.handle(.key(.pageUp))
        let before = model.rowsShown[1...21]
        entries.append(try ChatSample.received(101, "message 101"))
        _ = model.handle(.entries(try ChatSample.target(), entries, isWhole: false))
        #expect(model.rowsShown[1...21] == before)
        #expect(model.rowsShown[0].contains("scrolled back"))
        var actions: [ChatModel.Action] = []
        for _ in 0..<5 { actions += model.handle(.key(.pageUp)) }
        #expect(actions.first == .load(try ChatSample.target(), limit: 200))
        _ = model.handle(.key(.escape))
        #expect(model.rowsShown[21].contains("message 101"))
    }

    // MARK: Others' texts

    @Test("what others write cannot steer the terminal, hide, or pass for another message (bidi, escapes, line ends)")
    func hostile() throws {
        let texts = [
            "\u{1B}]0;title\u{7}\u{1B}[2J", "a\u{202E}txt.exe", "x\n05:39 amina: I owe you ten", "\u{9B}31m",
            "zero\u{200B}width",
        ]
        let entries = try texts.enumerated().map { try ChatSample.received($0.offset + 1, $0.element) }
        let model = try ChatSample.model(entries)
        let rows = model.rowsShown
        for row in rows {
            for scalar in row.unicodeScalars {
                #expect(scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format)
            }
        }
        #expect(rows.contains { $0.contains("a<U+202E>txt.exe") } && rows.contains { $0.contains("zero<U+200B>width") })
        #expect(rows.filter { $0.hasPrefix("  05:39 amina") }.isEmpty)
        #expect(rows.contains("        05:39 amina: I owe you ten"))
    }

    @Test("with ASCII only, nothing else is sent to the terminal")
    func ascii() throws {
        var model = ChatModel(own: try ChatSample.user("amina"), ascii: true)
        _ = model.handle(.conversations([ChatConversation(target: try ChatSample.target(), name: "@Зоя")]))
        _ = model.open(try ChatSample.target())
        _ = model.handle(.entries(try ChatSample.target(), [try ChatSample.received(1, "日本 é 👍")], isWhole: true))
        _ = model.handle(.key(.pasted("ü\nx")))
        var diff = ScreenDiff()
        let bytes = diff.draw(model.screen())
        #expect(bytes.allSatisfy { $0 < 0x80 })
        #expect(model.rowsShown.contains { $0.hasSuffix("?? ? ?") })
    }

    @Test("cells are counted as terminals count them")
    func cells() {
        for (text, cells) in [
            ("abc", 3), ("日本", 4), ("e\u{301}", 1), ("👍", 2), ("👍🏽", 2), ("👩‍👧", 4), ("🇩🇪", 2), ("é", 1), ("한국", 4),
            ("\u{1B}[2J", 4), ("", 0), ("☺\u{FE0F}", 1), ("✓", 1),
        ] {
            #expect(TextCells.count(TextCells.clean(text)) == cells, "\(text)")
        }
        #expect(TextCells.clean("o" + String(repeating: "\u{301}", count: 50)).unicodeScalars.count == 5)
        #expect(TextCells.wrap("one two three", cells: 7) == ["one two", "three"])
        #expect(TextCells.wrap("abcdefghij", cells: 4, indent: 1) == ["abcd", " efg", " hij"])
        #expect(TextCells.wrap("日本語", cells: 4) == ["日本", "語"])
        #expect(TextCells.wrap("", cells: 4) == [""])
    }
}
