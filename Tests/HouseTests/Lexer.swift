/// Cuts Swift source into tokens, well enough for the rules of the house: it understands nested comments, raw and
/// multi-line strings, interpolations (their code is code) and regular expression literals on one line.
struct Lexer {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var lastTokenLine = 0
    /// Where a blank or a comment ended last.
    private var gapEnd = 0
    private(set) var tokens: [Token] = []
    private(set) var comments: [Int: String] = [:]

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func run() {
        while index < bytes.count { code(untilParenthesis: false) }
    }

    private func peek(_ offset: Int = 0) -> UInt8 {
        index + offset < bytes.count ? bytes[index + offset] : 0
    }

    private func at(_ text: StaticString, from start: Int? = nil) -> Bool {
        let start = start ?? index
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[start..<start + $0.count]) }
    }

    private func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func emit(_ text: String, line start: Int? = nil) {
        let start = start ?? line
        let startsLine = start != lastTokenLine
        tokens.append(Token(text: text, line: start, startsLine: startsLine, isAttached: gapEnd != index))
        lastTokenLine = line
    }

    /// Reads code to the end, or past the parenthesis that ends an interpolation.
    private mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while index < bytes.count {
            let byte = peek()
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                index += 1
                gapEnd = index
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                index += 1
                gapEnd = index
            case UInt8(ascii: "/") where at("//"): lineComment()
            case UInt8(ascii: "/") where at("/*"): blockComment()
            case UInt8(ascii: "/") where opensRegex(): regex(hashes: 0)
            case UInt8(ascii: "\""): literal(hashes: 0)
            case UInt8(ascii: "#"): hash()
            case _ where Self.startsWord(byte) || byte == UInt8(ascii: "@"): word()
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number()
            default:
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                if untilParenthesis, depth < 0 {
                    index += 1
                    return
                }
                mark()
            }
        }
    }

    private mutating func mark() {
        let length = at("->") || at("==") ? 2 : 1
        emit(string(index..<index + length))
        index += length
    }

    private mutating func word() {
        var end = index + 1
        while end < bytes.count, Self.startsWord(bytes[end]) || Self.isDigit(bytes[end]) { end += 1 }
        emit(string(index..<end).replacing("`", with: ""))
        index = end
    }

    private mutating func number() {
        var end = index + 1
        while end < bytes.count,
            Self.startsWord(bytes[end]) || Self.isDigit(bytes[end])
                || (bytes[end] == UInt8(ascii: ".") && end + 1 < bytes.count && Self.isDigit(bytes[end + 1]))
        {
            end += 1
        }
        emit(string(index..<end))
        index = end
    }

    private mutating func hash() {
        var count = 0
        while peek(count) == UInt8(ascii: "#") { count += 1 }
        index += count
        switch peek() {
        case UInt8(ascii: "\""): literal(hashes: count)
        case UInt8(ascii: "/"): regex(hashes: count)
        default: emit("#")
        }
    }

    private mutating func lineComment() {
        let start = index
        while index < bytes.count, peek() != UInt8(ascii: "\n") { index += 1 }
        comments[line, default: ""] += string(start..<index)
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            let start = index
            if at("/*") {
                depth += 1
                index += 2
            } else if at("*/") {
                depth -= 1
                index += 2
            } else {
                index += 1
            }
            comments[line, default: ""] += string(start..<index)
            if bytes[start] == UInt8(ascii: "\n") { line += 1 }
        } while depth > 0 && index < bytes.count
    }

    /// Reads a string literal from its first quote on.
    private mutating func literal(hashes: Int) {
        let isLong = at("\"\"\"")
        let quotes = isLong ? 3 : 1
        let first = line
        let slot = tokens.count
        emit("\"")
        index += quotes
        let start = index
        var end = index
        while index < bytes.count {
            end = index
            if peek() == UInt8(ascii: "\\"), follows(hashes: hashes, after: 1) {
                index += 1 + hashes
                if peek() == UInt8(ascii: "(") {
                    index += 1
                    code(untilParenthesis: true)
                } else {
                    if peek() == UInt8(ascii: "\n") { line += 1 }
                    index += 1
                }
            } else if isLong ? at("\"\"\"") : peek() == UInt8(ascii: "\""), follows(hashes: hashes, after: quotes) {
                index += quotes + hashes
                break
            } else {
                if peek() == UInt8(ascii: "\n") { line += 1 }
                index += 1
            }
        }
        let text = "\"" + string(start..<min(max(start, end), bytes.count))
        tokens[slot] = Token(text: text, line: first, startsLine: tokens[slot].startsLine)
        lastTokenLine = line
    }

    private func follows(hashes: Int, after offset: Int) -> Bool {
        (0..<hashes).allSatisfy { peek(offset + $0) == UInt8(ascii: "#") }
    }

    /// A slash that stands where an operand must stand and is closed on its line.
    private func opensRegex() -> Bool {
        let operators: Set<String> = ["(", "[", "{", ",", ":", "=", "==", "!", "&", "|", "?", ";", "return", "in"]
        guard tokens.last.map({ operators.contains($0.text) }) ?? true, !Self.isBlank(peek(1)) else { return false }
        var look = index + 1
        while look < bytes.count, bytes[look] != UInt8(ascii: "\n") {
            if bytes[look] == UInt8(ascii: "\\") { look += 1 } else if bytes[look] == UInt8(ascii: "/") { return true }
            look += 1
        }
        return false
    }

    private mutating func regex(hashes: Int) {
        emit("/")
        index += 1
        while index < bytes.count {
            if peek() == UInt8(ascii: "\n") { line += 1 }
            if peek() == UInt8(ascii: "\\") {
                index += 2
            } else if peek() == UInt8(ascii: "/"), follows(hashes: hashes, after: 1) {
                index += 1 + hashes
                break
            } else {
                index += 1
            }
        }
        lastTokenLine = line
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isBlank(_ byte: UInt8) -> Bool { [0, 9, 10, 13, 32].contains(byte) }

    private static func startsWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "`") || byte == UInt8(ascii: "$")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
