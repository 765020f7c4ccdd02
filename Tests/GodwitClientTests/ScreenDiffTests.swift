import GodwitProtocol
import Testing

@testable import GodwitClient

/// What the chat sends to a terminal: the right thing, and little of it.
@Suite("Drawing the chat")
struct ScreenDiffTests {
    /// A chat, and a terminal that gets its bytes.
    private struct Drawn {
        var model: ChatModel
        var diff = ScreenDiff()
        var terminal: TinyTerminal

        init(_ model: ChatModel) throws {
            self.model = model
            terminal = TinyTerminal(columns: model.columns, rows: model.rows)
            _ = try draw()
        }

        /// - Returns: how many bytes it took.
        mutating func draw() throws -> Int {
            let screen = model.screen()
            let bytes = diff.draw(screen)
            try terminal.take(bytes)
            for row in 0..<screen.rows {
                try #require(terminal.line(row) == screen.lines[row].cells, "row \(row)")
            }
            try #require(terminal.row == screen.cursor.row && terminal.column == screen.cursor.column)
            return bytes.count
        }

        mutating func press(_ key: ChatKey) throws -> Int {
            _ = model.handle(.key(key))
            return try draw()
        }
    }

    private static func entries(_ count: Int) throws -> [ChatEntry] {
        try (1...count).map { try ChatSample.received($0, "message number \($0) of the long talk") }
    }

    @Test("a key at the end of the line costs one byte, in its middle no more than what follows it and 16")
    func keys() throws {
        var drawn = try Drawn(ChatSample.model(Self.entries(40)))
        for character in "the boat is here" { try check(drawn.press(.text(String(character))), 1) }
        try atMost(drawn.press(.backspace), 4)
        try check(drawn.press(.text("é")), 2)
        try atMost(drawn.press(.home), 8)
        try atMost(drawn.press(.text("x")), 16 + 16)
    }

    @Test("a long line moves by half its width, so that a key costs one byte but once in 38 times")
    func longLine() throws {
        var drawn = try Drawn(ChatSample.model(Self.entries(40)))
        var dear = 0
        for _ in 0..<300 {
            let bytes = try drawn.press(.text("a"))
            if bytes > 1 { dear += 1 }
            #expect(bytes <= 80 + 24)
        }
        #expect(dear <= 300 / 38)
    }

    @Test("a message that arrives scrolls: it costs its own line and at most 40 bytes")
    func arrival() throws {
        var entries = try Self.entries(40)
        var drawn = try Drawn(ChatSample.model(entries))
        for number in 41...50 {
            entries.append(try ChatSample.received(number, "a new one, number \(number)"))
            _ = drawn.model.handle(.entries(try ChatSample.target(), entries, isWhole: true))
            let line = drawn.model.rowsShown[21]
            #expect(line.contains("number \(number)"))
            try atMost(drawn.draw(), line.utf8.count + 40)
        }
    }

    @Test("a mark that changes costs at most 20 bytes, a page back at most a screen")
    func marks() throws {
        var entries = try Self.entries(60)
        entries.append(try ChatSample.written(61, "on my way"))
        var drawn = try Drawn(ChatSample.model(entries))
        for mark in [ChatEntry.Mark.atNode, .delivered, .read] {
            entries[60].mark = mark
            _ = drawn.model.handle(.entries(try ChatSample.target(), entries, isWhole: true))
            try atMost(drawn.draw(), 20)
        }
        try atMost(drawn.press(.pageUp), 80 * 24)
        try atMost(drawn.press(.text("a")), 12)
    }

    @Test("nothing is sent when nothing has changed")
    func nothing() throws {
        var drawn = try Drawn(ChatSample.model(Self.entries(40)))
        try check(drawn.draw(), 0)
        _ = drawn.model.handle(.link(.idle))
        try check(drawn.draw(), 0)
    }

    @Test("whatever happens in whatever order, the terminal shows what the model says", arguments: 0..<40)
    func anything(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        let texts = [
            "short", "日本語のテキスト", "e\u{301}e\u{301}", "👩‍👩‍👧 family", "🇩🇪 flag", "a\tb", "\u{202E}evil", "multi\nline\ntext",
            String(repeating: "long words and more ", count: 12), "x\u{1B}[2Jy", "ẍ̤̂̊͜", "",
        ]
        let sizes = [(80, 24), (40, 10), (20, 5), (132, 50)]
        var drawn = try Drawn(
            ChatSample.model(columns: sizes[Int(seed) % 4].0, rows: sizes[Int(seed) % 4].1))
        var entries: [ChatEntry] = []
        for step in 1...150 {
            let text = texts[Int.random(in: 0..<texts.count, using: &random)]
            switch Int.random(in: 0..<14, using: &random) {
            case 0, 1: entries.append(try ChatSample.received(step, text))
            case 2: entries.append(try ChatSample.written(step, text))
            case 3 where !entries.isEmpty: entries.remove(at: Int.random(in: 0..<entries.count, using: &random))
            case 4 where !entries.isEmpty:
                entries[Int.random(in: 0..<entries.count, using: &random)].text = text
            case 5: _ = drawn.model.handle(.key(.pasted(text)))
            case 6: _ = drawn.model.handle(.key(.pageUp))
            case 7: _ = drawn.model.handle(.key(.pageDown))
            case 8: _ = drawn.model.handle(.key(.control("p")))
            case 9: _ = drawn.model.handle(.key([.left, .home, .wordLeft, .end].randomElement(using: &random) ?? .end))
            case 10: _ = drawn.model.handle(.key(.tab))
            case 11: _ = drawn.model.handle(.panel(title: text, lines: texts))
            case 12: _ = drawn.model.handle(.said(text))
            default: _ = drawn.model.handle(.key(.backspace))
            }
            _ = drawn.model.handle(.entries(try ChatSample.target(), entries, isWhole: true))
            _ = try drawn.draw()
        }
    }

    @Test("another size is drawn whole")
    func resize() throws {
        var drawn = try Drawn(ChatSample.model(Self.entries(40)))
        _ = drawn.model.handle(.resized(columns: 50, rows: 12))
        drawn.terminal = TinyTerminal(columns: 50, rows: 12)
        try moreThan(drawn.draw(), 100)
        drawn.diff.forget()
        drawn.terminal = TinyTerminal(columns: 50, rows: 12)
        try moreThan(drawn.draw(), 100)
    }
}
