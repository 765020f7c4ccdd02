import GodwitProtocol

/// One message of a demo's conversation.
struct DemoMessage: Sendable, Hashable {
    enum Target: Sendable, Hashable {
        case channel(ChannelName)
        /// Index of the reader among the people.
        case person(Int)
    }
    var index: Int
    /// Index of the author among the people.
    var author: Int
    var target: Target
    var text: String
}

/// One of the people who talk.
struct DemoPerson: Sendable, Hashable {
    var nick: String
    var username: Username
}

/// A conversation: who talks, where, and what is said in which order.
struct DemoCorpus: Sendable {
    static let messagesMax = 100_000
    private(set) var people: [DemoPerson] = []
    private(set) var messages: [DemoMessage] = []
    private(set) var channels: [ChannelName] = []
    /// Somebody who speaks nowhere and reads all channels.
    private(set) var listener: Int?
    private var byNick: [String: Int] = [:]

    /// Reads JSON lines {`ts`, `author`, `channel` or `to`, `text`}.
    /// - Throws: `ProtocolError` 2000 naming the line.
    init(lines text: String) throws {
        let lines = text.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
        guard lines.count <= Self.messagesMax else {
            throw ProtocolError.tooLarge("The corpus has too many lines.", actual: lines.count, firstRefused: 100_001)
        }
        let parsed = try lines.enumerated().map { index, line in
            do throws(ProtocolError) {
                return ObjectReader(try JSONObject.parse(Array(line.utf8)), what: "corpus line")
            } catch {
                throw ProtocolError.malformed("Line \(index + 1) of the corpus: \(error.message)")
            }
        }
        // Authors first: a direct message may name somebody who speaks later.
        for line in parsed { _ = person(try line.string("author")) }
        for (index, line) in parsed.enumerated() {
            let author = person(try line.string("author"))
            let target: DemoMessage.Target
            if let nick = try line.optionalString("to") {
                guard let reader = byNick[nick], reader != author else {
                    throw ProtocolError.malformed("Line \(index + 1) of the corpus is to nobody who speaks in it.")
                }
                target = .person(reader)
            } else {
                let name = try ChannelName(line.string("channel"))
                if !channels.contains(name) { channels.append(name) }
                target = .channel(name)
            }
            messages.append(
                DemoMessage(index: index, author: author, target: target, text: try line.string("text")))
        }
    }

    /// The person of a nick; usernames that collide get a numeric suffix.
    private mutating func person(_ nick: String) -> Int {
        if let known = byNick[nick] { return known }
        let folded = Username(folding: nick)
        var username = folded
        var suffix = 2
        while people.contains(where: { $0.username == username }) {
            username = Username(folding: folded.text.prefix(56) + "-\(suffix)")
            suffix += 1
        }
        byNick[nick] = people.count
        people.append(DemoPerson(nick: nick, username: username))
        return people.count - 1
    }

    mutating func addListener() {
        listener = person("listener")
    }

    /// Everybody who speaks in a channel, and who listens.
    func members(of channel: ChannelName) -> [Int] {
        var seen = Set<Int>()
        let speakers = messages.filter { $0.target == .channel(channel) }.map(\.author)
        return (speakers + (listener.map { [$0] } ?? [])).filter { seen.insert($0).inserted }
    }

    /// Whom a message is to reach.
    func readers(of message: DemoMessage) -> [Int] {
        switch message.target {
        case .person(let reader): [reader]
        case .channel(let name): members(of: name).filter { $0 != message.author }
        }
    }
}
