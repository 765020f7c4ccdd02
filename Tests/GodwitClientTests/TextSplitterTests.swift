import GodwitLink
import Testing

@testable import GodwitClient

/// Parts of a text that is too long for a thin link (NET-09, NET-14, G-72).
@Suite("Texts in parts")
struct TextSplitterTests {
    /// The text as a reader puts it together, without places and with one blank where it was cut.
    private func words(_ parts: [String]) -> [String] {
        parts.flatMap { part in
            var body = Substring(part)
            if parts.count > 1 { body = body.dropLast(6) }
            return body.split(whereSeparator: \.isWhitespace).map(String.init)
        }
    }

    @Test("a text of the limit goes whole, one scalar more goes in two parts, each with its place")
    func edge() {
        let text = String(repeating: "ab ", count: 46) + "cd"
        #expect(text.unicodeScalars.count == 140)
        #expect(TextSplitter.parts(of: text, limit: 140) == [text])
        let parts = TextSplitter.parts(of: text + "e", limit: 140)
        #expect(parts?.count == 2 && parts?[0].hasSuffix(" (1/2)") == true && parts?[1].hasSuffix(" (2/2)") == true)
    }

    @Test("every part is within the limit, in Unicode scalars, and no word is lost or cut in two", arguments: 1...60)
    func whole(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("abcdeéüßжщ水火🙂")
        let text = (0..<Int.random(in: 30...90, using: &random)).map { _ in
            let word = String(
                (0..<Int.random(in: 1...9, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" })
            return word + (Int.random(in: 0..<6, using: &random) == 0 ? "." : "")
        }.joined(separator: " ")
        for limit in [140, 200] {
            let parts = try #require(TextSplitter.parts(of: text, limit: limit))
            #expect(parts.allSatisfy { $0.unicodeScalars.count <= limit }, "seed \(seed)")
            #expect(words(parts) == text.split(separator: " ").map(String.init), "seed \(seed)")
        }
    }

    @Test("it is cut after a sentence where that leaves a part at least half full, else between words")
    func places() {
        let sentence = String(repeating: "word ", count: 18) + "end."
        let text = sentence + " " + String(repeating: "more ", count: 20)
        #expect(TextSplitter.parts(of: text, limit: 140)?.first == sentence + " (1/2)")
        let early = "Yes. " + String(repeating: "more ", count: 40)
        #expect(TextSplitter.parts(of: early, limit: 140)?.first?.count ?? 0 > 120)
    }

    @Test("what belongs together is not cut: letters with accents, emoji of several scalars")
    func graphemes() throws {
        let family = "👨‍👩‍👧‍👦"
        let text = String(repeating: family, count: 40)
        let parts = try #require(TextSplitter.parts(of: text, limit: 140))
        #expect(parts.allSatisfy { $0.unicodeScalars.count <= 140 })
        #expect(parts.map { $0.dropLast(6) }.joined() == text)
        #expect(parts.allSatisfy { $0.dropLast(6).allSatisfy { $0 == Character(family) } })
        let accents = String(repeating: "e\u{301}", count: 100)
        let cut = try #require(TextSplitter.parts(of: accents, limit: 140))
        #expect(cut.map { $0.dropLast(6) }.joined() == accents)
    }

    @Test("eight parts go, what needs nine does not; nor what cannot be cut")
    func most() {
        let room = 140 - 6
        #expect(TextSplitter.parts(of: String(repeating: "x", count: 8 * room), limit: 140)?.count == 8)
        #expect(TextSplitter.parts(of: String(repeating: "x", count: 8 * room + 1), limit: 140) == nil)
        #expect(TextSplitter.parts(of: "a" + String(repeating: "\u{301}", count: 300), limit: 140) == nil)
        #expect(TextSplitter.parts(of: String(repeating: "x ", count: 20), limit: 23) == nil)
        #expect(TextSplitter.parts(of: String(repeating: "x ", count: 20), limit: 24) != nil)
    }
}
