/// Rules about what sources may not say.
enum CallRules {
    static let all: [@Sendable (SourceFile) -> [Finding]] = [
        forcedTry, fatalError, printing, bareTask, foundationTypes, unboundedStream, uncheckedSendable,
    ]

    static func forcedTry(_ file: SourceFile) -> [Finding] {
        matches(file, "try! takes the process down") {
            $0.text == "try" && file.word(at: $1 + 1) == "!" && file.tokens[$1 + 1].isAttached
        }
    }

    static func fatalError(_ file: SourceFile) -> [Finding] {
        matches(file, "fatalError takes the process down") {
            $0.text == "fatalError" && file.word(at: $1 + 1) == "("
        }
    }

    /// Only the command line's console writes to standard output.
    static func printing(_ file: SourceFile) -> [Finding] {
        let name = file.path.split(separator: "/").last ?? ""
        guard !(file.path.hasPrefix("Sources/godwit/") && name.hasPrefix("Console")) else { return [] }
        let printers: Set<String> = ["print", "debugPrint", "dump"]
        return matches(file, "only the console of godwit prints") { token, index in
            guard printers.contains(token.text), file.word(at: index + 1) == "(" else { return false }
            let before = file.word(at: index - 1)
            return before == "." ? file.word(at: index - 2) == "Swift" : before != "func"
        }
    }

    /// A task whose handle nobody keeps can neither be awaited nor cancelled.
    static func bareTask(_ file: SourceFile) -> [Finding] {
        let keeping: Set<String> = ["=", "(", "[", ",", ":", "return", "?"]
        return matches(file, "a Task whose handle is not kept") { token, index in
            guard token.text == "Task", file.word(at: index - 1) != "." else { return false }
            var next = index + 1
            if file.word(at: next) == "<" { next = file.closing(next) + 1 }
            let creates =
                switch file.word(at: next) {
                case "{", "(": true
                case ".": ["detached", "immediate", "immediateDetached"].contains(file.word(at: next + 1) ?? "")
                default: false
                }
            guard creates else { return false }
            let before = file.word(at: index - 1) ?? ""
            return !keeping.contains(before) || (before == "=" && file.word(at: index - 2) == "_")
        }
    }

    /// Types of Foundation that work badly on Linux (`docs/architecture.md`).
    static func foundationTypes(_ file: SourceFile) -> [Finding] {
        let banned: Set<String> = ["URLSession", "DateFormatter", "ISO8601DateFormatter"]
        return matches(file, "no URLSession, Process or DateFormatter") { token, index in
            if banned.contains(token.text) { return true }
            guard token.text == "Process", file.word(at: index + 1) == "(" else { return false }
            return file.word(at: index - 1) != "." || file.word(at: index - 2) == "Foundation"
        }
    }

    /// An `AsyncStream` names its buffering policy, and the policy has a bound.
    static func unboundedStream(_ file: SourceFile) -> [Finding] {
        matches(file, "an AsyncStream without a bound") { token, index in
            if token.text == "unbounded" {
                return file.word(at: index - 1) == "." && (file.word(at: index - 2) == ":")
                    && file.word(at: index - 3) == "bufferingPolicy"
            }
            guard ["AsyncStream", "AsyncThrowingStream"].contains(token.text) else { return false }
            var next = index + 1
            if file.word(at: next) == "<" { next = file.closing(next) + 1 }
            if file.word(at: next) == ".", file.word(at: next + 1) == "makeStream" { next += 2 }
            switch file.word(at: next) {
            case "(":
                let arguments = file.tokens[next...file.closing(next)]
                return !arguments.contains { ["bufferingPolicy", "unfolding"].contains($0.text) }
            case "{": return !["->", ":", "any", "some"].contains(file.word(at: index - 1) ?? "")
            default: return false
            }
        }
    }

    /// `@unchecked Sendable` stands under (or beside) a comment that says what makes it true.
    static func uncheckedSendable(_ file: SourceFile) -> [Finding] {
        matches(file, "@unchecked Sendable without its reason") { token, index in
            guard token.text == "@unchecked" else { return false }
            let makers: Set<String> = ["class", "struct", "enum", "extension", "actor"]
            let declaration = file.tokens[...index].last { makers.contains($0.text) }?.line ?? token.line
            if (declaration...token.line).contains(where: { file.comments[$0] != nil }) { return false }
            var line = declaration - 1
            var reason: [String] = []
            while let comment = file.comments[line] {
                reason.append(comment)
                line -= 1
            }
            return !reason.contains(where: givesReason)
        }
    }

    /// A plain comment is taken at its word; a documentation comment has to speak of the matter.
    private static func givesReason(_ comment: String) -> Bool {
        if !comment.hasPrefix("///") { return true }
        let words = [
            "sendable", "thread", "lock", "mutex", "queue", "immutable", "never change", "serial", "one owner",
            "event loop",
        ]
        return words.contains { comment.lowercased().contains($0) }
    }

    private static func matches(
        _ file: SourceFile, _ rule: String, _ isMatch: (Token, Int) -> Bool
    ) -> [Finding] {
        file.tokens.indices.compactMap { isMatch(file.tokens[$0], $0) ? file.finding(file.tokens[$0], rule) : nil }
    }
}

/// Rules about comments.
enum CommentRules {
    /// What is left to do stands in an issue.
    static func leftovers(_ file: SourceFile) -> [Finding] {
        let words: Set<String> = ["TODO", "FIXME", "XXX", "HACK"]
        return file.comments.filter { comment in
            comment.value.split { !$0.isLetter }.contains { words.contains(String($0)) }
        }.map { Finding(path: file.path, line: $0.key, rule: "work left over in a comment") }
    }
}
