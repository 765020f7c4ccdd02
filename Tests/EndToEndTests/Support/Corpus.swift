import GodwitProtocol

/// A conversation in one channel, drawn from a seed; no two of its texts are equal.
struct Corpus {
    let texts: [String]
    let lines: String

    private static let words = [
        "river", "gauge", "bridge", "boat", "fuel", "clinic", "Straße", "вода", "north", "mast", "পানি", "ماء", "route",
        "battery", "shelter", "\u{65}\u{301}cole", "👍🏽",
    ]

    init(messages: Int, authors: Int, seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func draw(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var texts: [String] = []
        var lines = ""
        for index in 0..<messages {
            // Everybody speaks once before anybody speaks by chance.
            let author = index < authors ? index : draw(authors)
            let words = (0..<3 + draw(10)).map { _ in Self.words[draw(Self.words.count)] }
            texts.append("Report \(index): " + words.joined(separator: " "))
            let line: JSONObject = [
                "ts": .integer(1_773_466_632 + Int64(index) * 7), "author": .string("walker-\(author)"),
                "channel": "#survey", "text": .string(texts[index]),
            ]
            lines += line.canonicalText + "\n"
        }
        (self.texts, self.lines) = (texts, lines)
    }
}
