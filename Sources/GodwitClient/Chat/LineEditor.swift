/// The line that is being composed: editing, and going back to what was written before. Line ends are part of the text.
public struct LineEditor: Sendable, Hashable {
    /// Lines that are remembered.
    public static let historyMax = 100
    /// Characters of one text.
    public static let lengthMax = 20_000

    public private(set) var characters: [Character] = []
    /// Place of the cursor among the characters.
    public private(set) var cursor = 0
    private var history: [String] = []
    /// Place in the history; its count: the line itself.
    private var place = 0
    /// The line while the history is looked at.
    private var draft = ""

    public init() {}

    public var text: String { String(characters) }
    public var isEmpty: Bool { characters.isEmpty }

    public mutating func set(_ text: String) {
        characters = Array(text.prefix(Self.lengthMax))
        cursor = characters.count
        place = history.count
    }

    public mutating func insert(_ text: String) {
        let room = Self.lengthMax - characters.count
        // A mark that is typed belongs to the letter before it.
        let before = cursor > 0 ? String(characters[cursor - 1]) : ""
        let added = Array((before + text).prefix(before.isEmpty ? room : room + 1))
        characters.replaceSubrange((before.isEmpty ? cursor : cursor - 1)..<cursor, with: added)
        cursor += added.count - (before.isEmpty ? 0 : 1)
    }

    /// - Returns: whether the key belongs to editing.
    public mutating func handle(_ key: ChatKey) -> Bool {
        switch key {
        case .text(let text), .pasted(let text): insert(text)
        case .newline: insert("\n")
        case .backspace where cursor > 0:
            cursor -= 1
            characters.remove(at: cursor)
        case .delete where cursor < characters.count, .control("d") where cursor < characters.count:
            characters.remove(at: cursor)
        case .left, .control("b"): cursor = max(0, cursor - 1)
        case .right, .control("f"): cursor = min(characters.count, cursor + 1)
        case .home, .control("a"): cursor = 0
        case .end, .control("e"): cursor = characters.count
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .control("w"):
            let start = wordStart
            characters.removeSubrange(start..<cursor)
            cursor = start
        case .control("k"): characters.removeSubrange(cursor...)
        case .control("u"):
            characters.removeSubrange(..<cursor)
            cursor = 0
        case .up: recall(place - 1)
        case .down: recall(place + 1)
        case .backspace, .delete: break
        default: return false
        }
        return true
    }

    /// Takes the line as it is and begins a new one.
    public mutating func take() -> String {
        let text = text
        if !text.isEmpty, history.last != text {
            history.append(text)
            if history.count > Self.historyMax { history.removeFirst() }
        }
        set("")
        return text
    }

    private mutating func recall(_ wanted: Int) {
        guard (0...history.count).contains(wanted), wanted != place else { return }
        if place == history.count { draft = text }
        let text = wanted == history.count ? draft : history[wanted]
        characters = Array(text)
        cursor = characters.count
        place = wanted
    }

    private var wordStart: Int {
        var place = cursor
        while place > 0, characters[place - 1].isWhitespace { place -= 1 }
        while place > 0, !characters[place - 1].isWhitespace { place -= 1 }
        return place
    }

    private var wordEnd: Int {
        var place = cursor
        while place < characters.count, characters[place].isWhitespace { place += 1 }
        while place < characters.count, !characters[place].isWhitespace { place += 1 }
        return place
    }
}
