/// Finds the key that was probably meant.
enum EditDistance {
    /// The nearest of the known words, if it is near enough to be worth proposing: at most two edits, or a third of the
    /// word. The first of equals.
    static func nearest(to word: String, among known: [String]) -> String? {
        let scored = known.map { (word: $0, distance: between(word, $0)) }
        guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, word.count / 3) ? best.word : nil
    }

    /// Least number of characters to insert, delete or replace (Levenshtein).
    static func between(_ left: String, _ right: String) -> Int {
        let columns = Array(right)
        var row = Array(0...columns.count)
        for (line, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for (index, other) in columns.enumerated() {
                let replaced = diagonal + (character == other ? 0 : 1)
                diagonal = row[index + 1]
                row[index + 1] = min(replaced, row[index] + 1, diagonal + 1)
            }
        }
        return row[columns.count]
    }
}
