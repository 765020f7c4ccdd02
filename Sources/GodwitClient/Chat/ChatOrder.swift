public import GodwitProtocol

/// What somebody asks for with a line that begins with a slash.
public enum ChatOrder: Sendable, Hashable {
    case send(String)
    case reply(tag: String?, text: String)
    case edit(tag: String?, text: String)
    case react(tag: String?, text: String, remove: Bool)
    case delete(tag: String?)
    case open(String)
    case list, members, warnings, outbox, sync, help, quit
    case search(String)
    case contact(String?)
    case block(String, Bool)
    case join(String)
    case attach(String, isVoice: Bool)
    case save(tag: String?, path: String)

    /// What `/help` says, and the man page with it.
    public static let all: [(order: String, meaning: String)] = [
        ("/open NAME", "open #channel, @user or an alias; a number opens from the list"),
        ("/list", "the conversations (Tab)"),
        ("/reply [TAG] TEXT", "answer the chosen message (Ctrl-P, Ctrl-N), or the last one of others"),
        ("/edit [TAG] TEXT", "another text in place of an own message"),
        ("/react [TAG] EMOJI", "react; /unreact takes it back"),
        ("/delete [TAG]", "take an own message back"),
        ("/search WORDS", "look for words here; in the list: everywhere"),
        ("/members", "who is in the channel"),
        ("/contact [NAME]", "key and safety number of a user"),
        ("/block NAME", "show nothing of a user any more; /unblock ends that"),
        ("/join NAME", "join a channel"),
        ("/outbox", "what was written here and how far it has come"),
        ("/warnings", "what arrived and was not used"),
        ("/sync", "call the home node now"),
        ("/attach FILE", "send a file, in messages; /voice FILE sends a recording (Opus in Ogg)"),
        ("/save [TAG] [PATH]", "keep the file of a message, in this directory or at a path"),
        ("/quit", "leave (Ctrl-C)"),
        ("//TEXT", "send a text that begins with a slash"),
    ]

    /// - Parameter tags: those of messages that are shown, which a first word may name.
    /// - Throws: `ProtocolError` 2000 for an unknown order or one that lacks something.
    public init(_ line: String, tags: Set<String> = []) throws(ProtocolError) {
        guard line.hasPrefix("/"), !line.hasPrefix("//") else {
            self = .send(line.hasPrefix("//") ? String(line.dropFirst()) : line)
            return
        }
        let word = line.dropFirst().prefix { !$0.isWhitespace }
        let rest = Self.trimmed(line.dropFirst(word.count + 1))
        func tagged() -> (tag: String?, text: String) {
            let first = String(rest.prefix { !$0.isWhitespace })
            guard tags.contains(first) else { return (nil, rest) }
            return (first, Self.trimmed(rest.dropFirst(first.count)))
        }
        func needed(_ text: String, _ what: String) throws(ProtocolError) -> String {
            guard !text.isEmpty else { throw .malformed("/\(word) needs \(what).", hint: "/help lists the orders.") }
            return text
        }
        switch word {
        case "reply", "r": self = .reply(tag: tagged().tag, text: try needed(tagged().text, "a text"))
        case "edit", "e": self = .edit(tag: tagged().tag, text: try needed(tagged().text, "a text"))
        case "react", "unreact":
            self = .react(tag: tagged().tag, text: try needed(tagged().text, "an emoji"), remove: word == "unreact")
        case "delete":
            guard tagged().text.isEmpty else {
                throw .malformed("No message shown here has this tag.", hint: "Choose one with Ctrl-P and Ctrl-N.")
            }
            self = .delete(tag: tagged().tag)
        case "open", "o": self = .open(try needed(rest, "a name"))
        case "list", "l": self = .list
        case "members": self = .members
        case "warnings": self = .warnings
        case "outbox": self = .outbox
        case "sync": self = .sync
        case "help", "h", "?": self = .help
        case "quit", "q": self = .quit
        case "search", "s": self = .search(try needed(rest, "words"))
        case "contact": self = .contact(rest.isEmpty ? nil : rest)
        case "block", "unblock": self = .block(try needed(rest, "a name"), word == "block")
        case "join": self = .join(try needed(rest, "a name"))
        case "attach", "voice": self = .attach(try needed(rest, "a file"), isVoice: word == "voice")
        case "save": self = .save(tag: tagged().tag, path: tagged().text)
        default: throw .malformed("There is no order /\(word).", hint: "/help lists the orders.")
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
