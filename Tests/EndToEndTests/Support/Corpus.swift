import GodwitProtocol

/// A conversation in one channel, drawn from a seed; no two of its texts are equal.
struct Corpus {
    let texts: [String]
    let lines: String

    private static let words = [
        "river", "gauge", "bridge", "boat", "fuel", "clinic", "Straße", "вода", "north", "mast", "পানি", "ماء", "route",
        "battery", "shelter", "\u{65}\u{301}cole", "👍🏽",
    ]

    /// - Parameters:
    ///   - direct: whether every fourth message goes to one person instead of the channel.
    ///   - long: bytes of noise in the last text; its message goes into a file of its own beyond 32 KiB.
    init(messages: Int, authors: Int, seed: UInt64, direct: Bool = false, long: Int = 0) {
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
            if long > 0, index == messages - 1 { texts[index] += " " + Self.noise(long, seed: seed) }
            let isDirect = direct && index >= authors && index % 4 == 0
            let line: JSONObject = [
                "ts": .integer(1_773_466_632 + Int64(index) * 7), "author": .string("walker-\(author)"),
                isDirect ? "to" : "channel": isDirect ? .string("walker-\((author + 1) % authors)") : "#survey",
                "text": .string(texts[index]),
            ]
            lines += line.canonicalText + "\n"
        }
        (self.texts, self.lines) = (texts, lines)
    }

    /// What no compressor shortens much: letters and digits by chance.
    static func noise(_ count: Int, seed: UInt64) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-".utf8)
        var state = (seed + 1) &* 0x9E37_79B9_7F4A_7C15
        var bytes: [UInt8] = []
        for _ in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(letters[Int(state >> 58)])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
