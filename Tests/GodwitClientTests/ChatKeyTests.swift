import Testing

@testable import GodwitClient

@Suite("Keys and the line that is written")
struct ChatKeyTests {
    private func keys(_ text: String, by size: Int = 1_000) -> [ChatKey] {
        var decoder = ChatKeyDecoder()
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: size).flatMap { start in
            decoder.decode(Array(bytes[start..<min(bytes.count, start + size)]))
        }
    }

    @Test("keys are what terminals send for them, however the bytes are cut", arguments: [1, 2, 3, 1_000])
    func sequences(_ size: Int) {
        let sequences = ["[A", "[B", "OC", "[D", "[1~", "[F", "[3~", "[5~", "[6~", "[1;5C", "b"]
        // "\r\n" would be one character of Swift, and is two keys all the same.
        let text = sequences.map { "\u{1B}" + $0 }.joined() + "\r" + "\n" + "\t\u{7F}\u{3}\u{1B}\r"
        #expect(
            keys(text, by: size) == [
                .up, .down, .right, .left, .home, .end, .delete, .pageUp, .pageDown, .wordRight, .wordLeft, .enter,
                .newline,
                .tab, .backspace, .control("c"), .newline,
            ])
        let typed = keys("é日👍", by: size).map { key in if case .text(let text) = key { text } else { "?" } }
        #expect(typed.joined() == "é日👍")
    }

    @Test("Escape alone is Escape once nothing follows; unknown sequences and broken UTF-8 are nothing")
    func escape() {
        var decoder = ChatKeyDecoder()
        check(decoder.decode([0x1B]), [])
        #expect(decoder.isWaiting)
        check(decoder.flush(), [.escape])
        check(decoder.flush(), [])
        #expect(!decoder.isWaiting)
        #expect(keys("\u{1B}[99~a\u{1B}[?1;2c") == [.text("a")])
        check(decoder.decode([0xC3, 0x28, 0xFF, 0xFF, 0xFF, 0xFF]), [.text("(")])
        atMost(decoder.decode(Array("\u{1B}[1111111111111111111111x".utf8)).count, 8)
    }

    @Test(
        "a paste is one key with its line ends, and of a too long one the beginning is kept", arguments: [1, 7, 5_000])
    func paste(_ size: Int) {
        #expect(
            keys("a\u{1B}[200~one\r\ntwo\rthree\u{1B}[A\u{1B}[201~b", by: size)
                == [.text("a"), .pasted("one\ntwo\nthree\u{1B}[A"), .text("b")])
        for count in [ChatKeyDecoder.pasteMax - 3, ChatKeyDecoder.pasteMax, ChatKeyDecoder.pasteMax + 10] {
            let long = String(repeating: "x", count: count)
            let kept = String(repeating: "x", count: min(count, ChatKeyDecoder.pasteMax))
            #expect(keys("\u{1B}[200~\(long)\u{1B}[201~", by: size) == [.pasted(kept)])
        }
    }

    @Test("the line is edited as shells do it")
    func editing() {
        var editor = LineEditor()
        func press(_ keys: ChatKey...) { for key in keys { _ = editor.handle(key) } }
        press(.text("one two three"), .control("w"))
        #expect(editor.text == "one two ")
        press(.home, .delete, .text("O"), .wordRight, .text("!"))
        #expect(editor.text == "One! two " && editor.cursor == 4)
        press(.control("k"), .left, .backspace)
        #expect(editor.text == "On!")
        press(.end, .text("e"), .text("\u{301}"))
        #expect(editor.characters.count == 4 && editor.text == "On!e\u{301}")
        press(.backspace)
        #expect(editor.text == "On!")
        press(.control("u"))
        #expect(editor.isEmpty)
        check(editor.handle(.tab), false)
    }

    @Test("earlier lines come back with the arrows, and the one that was begun after them")
    func history() {
        var editor = LineEditor()
        for text in ["first", "second", "second"] {
            editor.set(text)
            #expect(editor.take() == text && editor.isEmpty)
        }
        editor.insert("begun")
        var seen: [String] = []
        for key in [ChatKey.up, .up, .up, .down, .down, .down] {
            _ = editor.handle(key)
            seen.append(editor.text)
        }
        #expect(seen == ["second", "first", "first", "second", "begun", "begun"])
        for number in 0...LineEditor.historyMax {
            editor.set("line \(number)")
            _ = editor.take()
        }
        for _ in 0..<200 { _ = editor.handle(.up) }
        #expect(editor.text == "line 1")
    }

    @Test("20,000 characters are one text, and not one more")
    func length() {
        var editor = LineEditor()
        editor.insert(String(repeating: "a", count: LineEditor.lengthMax - 1))
        editor.insert("bc")
        #expect(editor.characters.count == LineEditor.lengthMax && editor.characters.last == "b")
    }

    @Test("the transcript says each thing once: a message, a mark, another text")
    func transcript() throws {
        var model = try ChatSample.model([
            try ChatSample.received(1, "hello"), try ChatSample.written(2, "hi", .atNode),
        ])
        var transcript = ChatTranscript()
        func lines() -> [String] { transcript.news(in: model).map { ChatTranscript.line($0, in: model) } }
        let tags = model.entries.map(\.tag)
        #expect(lines() == ["[\(tags[0])] layla: hello", "[\(tags[1])] amina: hi (at_node)"])
        #expect(lines() == [])
        var entries = model.entries
        entries[0].text = "hello you"
        entries[1].mark = .delivered
        _ = model.handle(.entries(try ChatSample.target(), entries, isWhole: true))
        #expect(lines() == ["[\(tags[0])] layla: hello you", "[\(tags[1])] delivered"])
    }
}
