public import GodwitProtocol

/// What somebody looks for: words, "phrases in quotation marks", and beginnings of words, `boat*`. All of it has to be
/// there. Nothing else has a meaning, so no input is an operator of the index.
public struct SearchQuery: Sendable, Hashable {
    /// Bytes of what is looked for.
    public static let bytesMax = 1_024
    /// Words and phrases.
    public static let partsMax = 16

    public struct Part: Sendable, Hashable {
        public var text: String
        /// The last word is the beginning of one.
        public var isPrefix: Bool
    }

    public let parts: [Part]

    /// - Throws: `ProtocolError` 2000 for what has no letter or digit in it, or is too much.
    public init(_ text: String) throws(ProtocolError) {
        guard text.utf8.count <= Self.bytesMax else {
            throw .malformed(
                "At most 1,024 bytes are looked for.", member: "query", hint: "Look for fewer words.")
        }
        let parts = Self.parts(of: text)
        guard !parts.isEmpty else {
            throw .malformed(
                "There is no word to look for.", member: "query", hint: "Give letters or digits.")
        }
        guard parts.count <= Self.partsMax else {
            throw .malformed(
                "At most 16 words and phrases are looked for.", member: "query", hint: "Look for fewer words.")
        }
        self.parts = parts
    }

    private static func parts(of text: String) -> [Part] {
        var parts: [Part] = []
        var part = ""
        var isQuoted = false
        func end(isPrefix: Bool = false) {
            if part.unicodeScalars.contains(where: isOfWord) { parts.append(Part(text: part, isPrefix: isPrefix)) }
            part = ""
        }
        var rest = Substring(text)
        while let character = rest.popFirst() {
            switch character {
            case "\"", "“", "”", "„":
                let isPrefix = isQuoted && rest.first == "*"
                end(isPrefix: isPrefix)
                isQuoted.toggle()
            case "*" where !isQuoted && (rest.first?.isWhitespace ?? true): end(isPrefix: true)
            case _ where character.isWhitespace && !isQuoted: end()
            default: part.append(character)
            }
        }
        end()
        return parts
    }

    /// Letters, digits and what belongs to them: of these the index makes words.
    private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .privateUse:
            true
        default: false
        }
    }

    /// The expression for the index: strings only, in which a quotation mark is doubled.
    var expression: String {
        parts.map { part in
            let escaped = part.text.unicodeScalars.reduce(into: "") { text, scalar in
                guard scalar != "\0" else { return }
                text.unicodeScalars.append(scalar)
                if scalar == "\"" { text.unicodeScalars.append(scalar) }
            }
            return "\"\(escaped)\"" + (part.isPrefix ? "*" : "")
        }.joined(separator: " ")
    }
}
