import GodwitProtocol
import Testing

@testable import GodwitClient

/// Conversations, messages and keys for tests of the chat.
enum ChatSample {
    static func user(_ name: String) throws -> UserID { try UserID("a7f3k9m2.\(name)") }

    static func id(_ number: Int) throws -> MessageID {
        try MessageID("msg_" + Base32.encode(SHA256Digest.of(Array("\(number)".utf8)).prefix(10)))
    }

    /// A received message, one a minute.
    static func received(_ row: Int, _ text: String, by name: String = "layla", isRead: Bool = true) throws -> ChatEntry
    {
        var entry = ChatEntry(
            key: .received(Int64(row)), id: try id(row), author: try user(name),
            time: Timestamp(milliseconds: 1_773_466_632_000 + Int64(row) * 60_000), text: text)
        entry.isRead = isRead
        return entry
    }

    static func written(_ row: Int, _ text: String, _ mark: ChatEntry.Mark = .queued) throws -> ChatEntry {
        var entry = ChatEntry(
            key: .written(Int64(row)), id: mark == .queued ? nil : try id(1_000 + row), author: try user("amina"),
            time: Timestamp(milliseconds: 1_773_466_632_000 + Int64(row) * 60_000), text: text)
        entry.mark = mark
        return entry
    }

    static func target(_ name: String = "layla") throws -> MessageTarget { .user(try user(name)) }

    /// A chat of amina with one conversation open.
    static func model(columns: Int = 80, rows: Int = 24, _ entries: [ChatEntry] = []) throws -> ChatModel {
        var model = ChatModel(own: try user("amina"))
        _ = model.handle(.resized(columns: columns, rows: rows))
        _ = model.handle(
            .conversations([
                ChatConversation(target: try target(), name: "@layla"),
                ChatConversation(target: try target("yusuf"), name: "@yusuf", unread: 2),
            ]))
        _ = model.open(try target())
        _ = model.handle(.entries(try target(), entries, isWhole: true))
        return model
    }
}

extension ChatModel {
    /// What is on the screen, row by row.
    var rowsShown: [String] { screen().lines.map(\.text) }

    mutating func type(_ line: String) -> [Action] {
        _ = handle(.key(.control("u")))
        _ = handle(.key(.text(line)))
        return handle(.key(.enter))
    }
}

/// What a call gave that also changed something.
func check<Value: Equatable>(_ given: Value, _ wanted: Value, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(given == wanted, sourceLocation: sourceLocation)
}

func atMost(_ given: Int, _ most: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(given <= most, sourceLocation: sourceLocation)
}

func moreThan(_ given: Int, _ least: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(given > least, sourceLocation: sourceLocation)
}
