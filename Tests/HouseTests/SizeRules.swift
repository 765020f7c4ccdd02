/// Rules about sizes.
enum SizeRules {
    /// Lines that a file may have.
    static let fileMax = 500
    /// Lines that a function may have, from its first keyword to its closing brace.
    static let functionMax = 60

    static func file(_ file: SourceFile) -> [Finding] {
        guard !file.isGenerated, file.lineCount > fileMax else { return [] }
        return [Finding(path: file.path, line: file.lineCount, rule: "\(file.lineCount) lines, at most \(fileMax)")]
    }

    static func functions(_ file: SourceFile) -> [Finding] {
        guard !file.isGenerated else { return [] }
        return file.tokens.indices.compactMap { index in
            guard let open = body(of: index, in: file) else { return nil }
            let first = file.tokens[index]
            let count = file.tokens[file.closing(open)].line - first.line + 1
            guard count > functionMax else { return nil }
            let name = ["func", "var"].contains(first.text) ? file.word(at: index + 1) ?? "" : first.text
            return file.finding(first, "\(name) has \(count) lines, at most \(functionMax)")
        }
    }

    /// Index of the brace that opens the body of the function or computed property declared at `index`.
    static func body(of index: Int, in file: SourceFile) -> Int? {
        let token = file.tokens[index]
        guard file.word(at: index - 1) != "." else { return nil }
        switch token.text {
        case "deinit":
            return file.word(at: index + 1) == "{" ? index + 1 : nil
        case "func", "subscript", "init":
            if token.text == "init", let next = file.word(at: index + 1), !["(", "?", "!", "<"].contains(next) {
                return nil
            }
            guard let open = file.tokens[index...].firstIndex(where: { $0.text == "(" }) else { return nil }
            return brace(after: file.closing(open), in: file)
        case "var":
            return file.word(at: index + 2) == ":" ? brace(after: index + 2, in: file) : nil
        default:
            return nil
        }
    }

    /// The brace that follows a signature; nil where the declaration ends without one, as in a protocol.
    private static func brace(after end: Int, in file: SourceFile) -> Int? {
        let continuing: Set<String> = ["{", "->", "where", "async", "throws", "rethrows", ",", "&", ":", "=="]
        var index = end + 1
        while index < file.tokens.count {
            let token = file.tokens[index]
            switch token.text {
            case "{": return index
            case "}", "=", ")", "]": return nil
            case "(", "[": index = file.closing(index)
            default:
                let carriesOn = continuing.contains(file.tokens[index - 1].text) && index - 1 > end
                if token.startsLine, !continuing.contains(token.text), !carriesOn { return nil }
            }
            index += 1
        }
        return nil
    }
}
