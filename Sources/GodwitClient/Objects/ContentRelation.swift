public import GodwitProtocol

/// What a content says about another message (MSG-20, docs/protocol.md §5.3). It is inside the ciphertext: no node knows.
enum ContentRelation: Hashable {
    /// `{"edits": id, "text": …}`: the text in place of that of a message of the same author.
    case edit(MessageID)
    /// `{"reacts_to": id, "reaction": …}`, with `"removed": true` one that is taken back.
    case reaction(MessageID, String, removed: Bool)

    /// Bytes of UTF-8 of a reaction.
    static let reactionMax = 64

    /// Nil where a content stands by itself. What has another form stands by itself as well.
    init?(_ content: JSONObject) {
        if let id = Self.id(content["edits"]), content["text"]?.string != nil {
            self = .edit(id)
        } else if let id = Self.id(content["reacts_to"]), let reaction = content["reaction"]?.string,
            (1...Self.reactionMax).contains(reaction.utf8.count)
        {
            self = .reaction(id, reaction, removed: content["removed"]?.bool ?? false)
        } else {
            return nil
        }
    }

    private static func id(_ value: JSONValue?) -> MessageID? {
        guard let text = value?.string, let id = try? MessageID(text), id.prefix != nil else { return nil }
        return id
    }

    var name: String {
        switch self {
        case .edit: "edit"
        case .reaction: "reaction"
        }
    }

    var target: MessageID {
        switch self {
        case .edit(let id), .reaction(let id, _, _): id
        }
    }

    var content: JSONObject {
        switch self {
        case .edit(let id): return ["edits": .string(id.text)]
        case .reaction(let id, let reaction, let removed):
            var content: JSONObject = ["reacts_to": .string(id.text), "reaction": .string(reaction)]
            if removed { content["removed"] = true }
            return content
        }
    }
}

/// A reaction to a message and who has it.
public struct Reaction: Sendable, Hashable {
    public var text: String
    /// In the order in which they came.
    public var users: [UserID]
}
