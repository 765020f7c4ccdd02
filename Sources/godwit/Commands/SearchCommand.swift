import ArgumentParser
import GodwitClient
import GodwitProtocol

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Look for words in what this device has.",
        discussion: """
            All words must be there; case and accents do not matter. 'boat*' finds words that begin so, '"the boat"' \
            the words one after the other. Newest first. Does not call the node and marks nothing as read.
            """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "Words; quote phrases for the shell and for the search.")
    var words: [String]
    @Option(name: .customLong("in"), help: "Only this conversation: #channel, #channel:node, @user-id or an alias.")
    var conversation: String?
    @Option(help: "At most so many.")
    var limit = 20

    func validate() throws {
        guard (1...1_000).contains(limit) else { throw ValidationError("--limit is 1 to 1,000.") }
    }

    func run() async throws {
        let query = try SearchQuery(words.joined(separator: " "))
        try await ClientFiles(home).withDevice { device in
            let book = try await device.addressBook()
            let filter = try conversation.map { text throws(ProtocolError) in
                try book.target(text).conversation(of: device.userID)
            }
            for hit in try await device.search(query, in: filter, limit: limit) {
                home.json ? Console.json(Self.object(hit, of: device)) : Console.out(Self.text(hit, of: device))
            }
        }
    }

    static func text(_ hit: SearchHit, of device: Device) -> String {
        let author =
            switch hit.message {
            case .received(let entry): entry.author
            case .written: device.userID
            }
        let excerpt = hit.excerpt.map { piece in
            let text = piece.text.split(whereSeparator: \.isNewline).joined(separator: " ")
            return piece.isFound ? "[\(text)]" : text
        }.joined()
        return "\(hit.timestamp)  \(hit.conversation.text)  \(author): \(excerpt)"
    }

    static func object(_ hit: SearchHit, of device: Device) -> JSONObject {
        let object =
            switch hit.message {
            case .received(let entry): MessageLine.object(entry)
            case .written(let entry): MessageLine.object(entry, of: device)
            }
        return object.setting(
            "excerpt",
            .array(hit.excerpt.map { ["text": .string($0.text), "found": .bool($0.isFound)] }))
    }
}
