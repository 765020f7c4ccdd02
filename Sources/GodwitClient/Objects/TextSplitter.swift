/// Cuts a text into parts that go over a thin link, each with its place: "… (2/3)".
public enum TextSplitter {
    /// Parts of one text; what needs more waits for a better link.
    public static let partsMax = 8
    /// Shortest part that is worth a message of its own.
    public static let limitMin = 24

    /// Parts end after sentences where that leaves them at least half full, else between words, else between
    /// characters as people see them: what belongs together (a letter and its accents, an emoji) is not cut.
    ///
    /// - Parameters:
    ///   - limit: Unicode scalars of a part, its place included (G-72); at least `limitMin`.
    /// - Returns: the text itself if it fits; nil if it needs more than `partsMax` parts or cannot be cut.
    public static func parts(of text: String, limit: Int) -> [String]? {
        guard text.unicodeScalars.count > limit else { return [text] }
        guard limit >= limitMin else { return nil }
        // " (1/8)": the number of parts has one digit.
        let room = limit - 6
        var bodies: [String] = []
        var rest = Substring(text)
        while true {
            while let first = rest.first, first.isWhitespace { rest.removeFirst() }
            guard !rest.isEmpty else { break }
            guard bodies.count < partsMax, let part = first(of: rest, room: room) else { return nil }
            rest = rest[part.endIndex...]
            bodies.append(trimmed(part))
        }
        guard bodies.count > 1 else { return bodies.isEmpty ? nil : bodies }
        return bodies.enumerated().map { "\($0.element) (\($0.offset + 1)/\(bodies.count))" }
    }

    /// What goes into one part; nil if not even one character fits.
    private static func first(of text: Substring, room: Int) -> Substring? {
        var (end, scalars) = (text.startIndex, 0)
        var (sentence, word): (String.Index?, String.Index?) = (nil, nil)
        var (sentenceScalars, wordScalars) = (0, 0)
        var before: Character?
        for index in text.indices {
            let character = text[index]
            if character.isWhitespace {
                (word, wordScalars) = (index, scalars)
                if character.isNewline || before.map(endsSentence) ?? false {
                    (sentence, sentenceScalars) = (index, scalars)
                }
            }
            let size = character.unicodeScalars.count
            guard scalars + size <= room else {
                if let sentence, sentenceScalars * 2 >= room { return text[..<sentence] }
                // A word that alone is longer than half a part is cut.
                if let word, wordScalars * 2 >= room { return text[..<word] }
                return end > text.startIndex ? text[..<end] : nil
            }
            scalars += size
            end = text.index(after: index)
            before = character
        }
        return text
    }

    private static func endsSentence(_ character: Character) -> Bool { ".!?…。！？؟".contains(character) }

    private static func trimmed(_ part: Substring) -> String {
        var part = part
        while let last = part.last, last.isWhitespace { part.removeLast() }
        return String(part)
    }
}
