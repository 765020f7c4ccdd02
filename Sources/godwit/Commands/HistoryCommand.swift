import ArgumentParser
import GodwitClient
import GodwitProtocol

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Take messages back: own ones, or as a channel's moderator those of others.",
        discussion: """
            Their content is erased here at once. The deletion goes ahead of all texts; nodes and devices on its way \
            erase what they have. Who has read a message may remember it all the same.
            """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "Ids of messages of one conversation.")
    var ids: [String]
    @Flag(help: "Call the home node right after.")
    var sync = false

    func run() async throws {
        let files = ClientFiles(home)
        try await files.withDevice { device in
            let messages = try ids.map { text throws(ProtocolError) in try MessageID(text) }
            try await device.delete(messages)
            if sync { _ = try await device.sync(over: files.carrier()) }
            if home.json {
                Console.json(["deleted": .array(messages.map { .string($0.text) })])
            } else {
                Console.out(messages.count == 1 ? "Deleted 1 message." : "Deleted \(messages.count) messages.")
            }
        }
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show what this device has of a conversation, written and received.",
        discussion: "By the clocks of the authors. Does not call the node and marks nothing as read.")

    @OptionGroup var home: HomeOptions
    @Argument(help: "#channel, #channel:node, @user-id or an alias.")
    var conversation: String
    @Option(help: "At most so many, the newest.")
    var limit = 50

    func run() async throws {
        try await ClientFiles(home).withDevice(show)
    }

    private func show(_ device: Device) async throws {
        let target = try await device.target(named: conversation)
        for entry in try await device.history(target.conversation(of: device.userID), limit: limit) {
            switch entry {
            case .received(let entry):
                home.json ? Console.json(MessageLine.object(entry)) : Console.out(MessageLine.text(entry))
            case .written(let entry):
                home.json
                    ? Console.json(MessageLine.object(entry, of: device))
                    : Console.out(MessageLine.text(entry, of: device))
            }
        }
    }
}

/// A message as `read` and `history` show it.
enum MessageLine {
    static func text(_ entry: InboxEntry) -> String {
        let shown =
            entry.deletedBy.map { "(deleted by \($0.text))" } ?? entry.hole.map { "(not here: \($0.explanation))" }
            ?? entry.vouch.map(text) ?? shown(entry.text, entry.attachment)
        let late =
            entry.late.map { " (came late, sealed again: \($0.cause))" }
            ?? (entry.isOvertaken ? " (came late, after later ones)" : "")
        return "\(entry.timestamp)  \(entry.conversation.text)  \(entry.author): \(shown)\(late)"
            + suffix(entry.isEdited, entry.reactions)
    }

    static func object(_ entry: InboxEntry) -> JSONObject {
        let object: JSONObject = [
            "row": .integer(entry.row), "message_id": .string(entry.hash.id.text),
            "conversation": .string(entry.conversation.text), "author": .string(entry.author.text),
            "timestamp": .string(entry.timestamp.description), "text": .string(entry.text),
        ]
        let line = adding(
            to: entry.isSynced ? object.setting("synced", true) : object, entry.content, isEdited: entry.isEdited,
            entry.reactions, deletedBy: entry.deletedBy?.text)
        return reasons(of: entry, addedTo: line)
    }

    static func text(_ entry: OutboxEntry, of device: Device) -> String {
        let shown = entry.isDeleted ? "(deleted)" : entry.vouch.map(text) ?? shown(entry.text, entry.attachment)
        let state = entry.wasRead ? "read" : entry.state.rawValue
        return "\(entry.created)  \(entry.conversation.text)  \(device.userID): \(shown)"
            + suffix(entry.isEdited, entry.reactions) + " [\(state)]"
    }

    static func object(_ entry: OutboxEntry, of device: Device) -> JSONObject {
        let object: JSONObject = [
            "row": .integer(entry.row), "message_id": entry.id.map { .string($0.text) } ?? .null,
            "conversation": .string(entry.conversation.text), "author": .string(device.userID.text),
            "timestamp": .string(entry.created.description), "text": .string(entry.text),
            "state": .string(entry.state.rawValue), "was_read": .bool(entry.wasRead),
        ]
        return adding(
            to: object, entry.content, isEdited: entry.isEdited, entry.reactions,
            deletedBy: entry.isDeleted ? device.userID.text : nil)
    }

    private static func reasons(of entry: InboxEntry, addedTo line: JSONObject) -> JSONObject {
        var line = line
        if let hole = entry.hole {
            line["hole"] = [
                "reason": .string(hole.reason), "asked": .bool(hole.isAskedFor), "message": .string(hole.explanation),
            ]
        }
        if let late = entry.late {
            line["sealed_again"] = ["reason": .string(late.reason), "message": .string(late.cause)]
        }
        if entry.followsGap { line["follows_gap"] = true }
        if entry.isOvertaken { line["overtaken"] = true }
        return line
    }

    static func text(_ vouch: Vouch) -> String {
        vouch.isWithdrawn ? "(vouches no more for \(vouch.user))" : "(vouches for the key of \(vouch.user))"
    }

    private static func shown(_ text: String, _ attachment: Attachment?) -> String {
        guard let attachment else { return indented(text) }
        return text.isEmpty ? attachment.line : "\(attachment.line) \(indented(text))"
    }

    /// Further lines are set in, so that none of them can pass for a message of somebody else.
    private static func indented(_ text: String) -> String {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).joined(separator: "\n    ")
    }

    private static func suffix(_ isEdited: Bool, _ reactions: [Reaction]) -> String {
        let edited = isEdited ? " (edited)" : ""
        guard !reactions.isEmpty else { return edited }
        return edited + "  "
            + reactions.map { reaction in
                let text = reaction.text.filter { !$0.isNewline }
                return reaction.users.count > 1 ? "\(text) \(reaction.users.count)" : text
            }.joined(separator: "  ")
    }

    private static func adding(
        to object: JSONObject, _ content: JSONObject, isEdited: Bool, _ reactions: [Reaction], deletedBy: String?
    ) -> JSONObject {
        var object = object
        if let answered = content["reply_to"], !answered.isNull { object["reply_to"] = answered }
        if let mentions = content["mentions"]?.array, !mentions.isEmpty { object["mentions"] = .array(mentions) }
        if let attachment = Attachment(content) { object["file"] = .object(attachment.summary) }
        if isEdited { object["edited"] = true }
        if let vouch = content["vouches"]?.object { object["vouches"] = .object(vouch) }
        if let deletedBy { object["deleted_by"] = .string(deletedBy) }
        if !reactions.isEmpty {
            object["reactions"] = .object(
                JSONObject(
                    uniqueKeysWithValues: reactions.map { reaction in
                        (reaction.text, .array(reaction.users.map { .string($0.text) }))
                    }))
        }
        return object
    }
}
