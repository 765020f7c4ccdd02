import Foundation
import Testing

/// The corpus of the demo is what its comment says.
@Suite("The demo's conversation")
struct ConversationTests {
    private struct Line: Decodable {
        let ts: Int
        let author: String
        let channel: String?
        let to: String?
        let text: String
    }

    private let lines: [Line]

    init() throws {
        let path = "Sources/godwit/Demo/Conversation.swift"
        let file = SourceFile(path: path, text: try Repository().text(path))
        let literal = try #require(file.tokens.compactMap(\.literal).max { $0.count < $1.count })
        lines = try literal.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }.filter { !$0.isEmpty }
            .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test("a hundred messages, a fifth of them direct")
    func counts() {
        #expect(lines.count == 100)
        #expect(lines.filter { $0.to != nil }.count == 20)
        #expect(Set(lines.compactMap(\.channel)) == ["#flood-response", "#clinic/supplies"])
        #expect(lines.allSatisfy { ($0.channel == nil) != ($0.to == nil) })
    }

    @Test("thirteen authors, two of whose nicks differ in case only; direct messages go to one of the others")
    func authors() {
        let authors = Set(lines.map(\.author))
        #expect(authors.count == 13)
        #expect(Set(authors.map { $0.lowercased() }).count == 12)
        #expect(lines.allSatisfy { line in line.to.map { authors.contains($0) && $0 != line.author } ?? true })
    }

    @Test("times only grow, texts have 10 to 200 characters")
    func shape() {
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.ts < $1.ts })
        #expect(lines.allSatisfy { (10...200).contains($0.text.count) })
    }
}
