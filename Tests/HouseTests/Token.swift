/// One lexical token of a Swift file: a word, a literal or a mark. Comments are not tokens.
struct Token: Equatable {
    /// Words and marks as they stand; an attribute with its `@`; a string literal as `"` followed by its text.
    let text: String
    /// Counted from 1.
    let line: Int
    /// Nothing but blanks and comments stands before it on its line.
    let startsLine: Bool
    /// No blank and no comment stands between it and the token before.
    var isAttached = false

    var isWord: Bool { text.first.map { $0.isLetter || $0 == "_" } ?? false }

    /// The text of a string literal, nil for every other token.
    var literal: String? { text.first == "\"" ? String(text.dropFirst()) : nil }
}

/// Something that breaks a rule of the house.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    let line: Int
    let rule: String

    var description: String { "\(path):\(line): \(rule)" }
}

/// A file with its text already cut into tokens. Rules are functions from this to findings.
struct SourceFile {
    /// Relative to the package's root, with `/` between its parts.
    let path: String
    let tokens: [Token]
    /// Text of the comment on a line, by line number.
    let comments: [Int: String]
    let lineCount: Int

    init(path: String, text: String) {
        self.path = path
        var lexer = Lexer(text)
        lexer.run()
        tokens = lexer.tokens
        comments = lexer.comments
        let bytes = text.utf8
        lineCount =
            bytes.count { $0 == UInt8(ascii: "\n") } + (bytes.isEmpty || bytes.last == UInt8(ascii: "\n") ? 0 : 1)
    }

    /// Made by a tool from something else that is committed.
    var isGenerated: Bool {
        path.hasSuffix(".pb.swift") || path.hasSuffix(".generated.swift") || path.contains("/Generated/")
    }

    /// `Sources/GodwitSpool/Blob.swift` gives `GodwitSpool`, `Tests/GodwitSpoolTests/…` gives `GodwitSpoolTests`.
    var folder: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : nil
    }

    var isSource: Bool { path.hasPrefix("Sources/") }

    func finding(_ token: Token, _ rule: String) -> Finding { Finding(path: path, line: token.line, rule: rule) }

    func word(at index: Int) -> String? { tokens.indices.contains(index) ? tokens[index].text : nil }

    /// Index of the token that closes the bracket at `open`, or the last index if none does.
    func closing(_ open: Int) -> Int {
        let pairs = ["(": ")", "[": "]", "{": "}", "<": ">"]
        guard let close = pairs[tokens[open].text] else { return open }
        var depth = 0
        for index in open..<tokens.count {
            if tokens[index].text == tokens[open].text { depth += 1 }
            if tokens[index].text == close { depth -= 1 }
            if depth == 0 { return index }
        }
        return tokens.count - 1
    }
}
