import GodwitClient
import GodwitProtocol

/// Carries out what the chat's model asks for.
struct ChatWorker: Sendable {
    let device: Device

    private static let panelMax = 200

    func carryOut(_ action: ChatModel.Action) async throws -> [ChatModel.Event] {
        switch action {
        case .reload: return [try await conversations()]
        case .load(let target, let limit): return [try await load(target, limit)]
        case .open(let name): return [.opened(try await device.target(named: name))]
        case .send(let text, let target, let replyTo): return try await send(text, target, replyTo)
        case .edit(let key, let id, let text): try await edit(key, id, text)
        case .react(let id, let text, let remove): try await device.react(to: id, text, removing: remove)
        case .delete(let id): try await device.delete([id])
        case .search(let words, let target): return [try await search(words, target)]
        case .members(let target): return [try await members(target)]
        case .contact(let name): return [try await contact(name)]
        case .block(let name, let isBlocked): return [try await block(name, isBlocked)]
        case .join(let name):
            let id = try await device.channel(named: name)
            try await device.joinChannel(id)
            return [.opened(.channel(id)), .said("Asked to join; it comes with the next call.")]
        case .attach(let path, let target, let isVoice):
            let entries = try await device.send(
                file: try AttachedFile.read(path), named: AttachedFile.name(of: path), isVoice: isVoice, to: target)
            return entries.count > 1 ? [.said("The file goes in \(entries.count) messages.")] : []
        case .save(let id, let path):
            let file = try await device.file(of: id)
            return [.said("Saved as \(try AttachedFile.save(file, at: path.isEmpty ? nil : path)).")]
        case .warnings: return [try await warnings()]
        case .outbox: return [try await outbox()]
        case .markRead(let target, let row):
            try await device.markRead(upTo: row, conversation: target.conversation(of: device.userID))
        case .sync, .suspend, .quit: break
        }
        return []
    }

    // MARK: What is shown

    private func load(_ target: MessageTarget, _ limit: Int) async throws -> ChatModel.Event {
        let entries = try await device.history(target.conversation(of: device.userID), limit: limit)
        return .entries(
            target, entries.map { ChatEntry($0, own: device.userID) }, isWhole: entries.count < limit)
    }

    /// Conversations with something in them, newest first, then channels without.
    private func conversations() async throws -> ChatModel.Event {
        let book = try await device.addressBook()
        var list: [ChatConversation] = []
        for summary in try await device.conversations() {
            let target: MessageTarget =
                switch summary.conversation {
                case .channel(let id): .channel(id)
                case .direct(let one, let other): .user(one == device.userID ? other : one)
                }
            list.append(
                ChatConversation(
                    target: target, name: book.name(of: target), unread: summary.unread, latest: summary.latest,
                    warning: try await warning(target)))
        }
        for channel in try await device.channels() {
            let target = MessageTarget.channel(channel.id)
            let word: String? =
                switch channel.state {
                case .member: nil
                case .joining: "joining"
                case .invited: "invited: /join \(book.name(of: target))"
                case .refused: "refused"
                case .left: "left"
                }
            if let index = list.firstIndex(where: { $0.target == target }) {
                list[index].warning = word
            } else if channel.state != .left {
                list.append(ChatConversation(target: target, name: book.name(of: target), warning: word))
            }
        }
        return .conversations(list)
    }

    private func warning(_ target: MessageTarget) async throws -> String? {
        guard case .user(let user) = target, let contact = try await device.contact(user) else { return nil }
        return contact.offered == nil ? nil : "KEY CHANGED"
    }

    // MARK: Writing

    private func send(_ text: String, _ target: MessageTarget, _ replyTo: MessageID?) async throws -> [ChatModel.Event]
    {
        let sent = try await device.send(text: text, replyTo: replyTo, to: target, ifTooLong: .split)
        guard let link = sent.link else { return [] }
        return [
            .said(
                sent.entries.count > 1
                    ? "It goes in \(sent.entries.count) parts, for the link to \(link.next) is thin."
                    : "It waits at the node, for the link to \(link.next) is too thin.")
        ]
    }

    private func edit(_ key: ChatEntry.Key, _ id: MessageID?, _ text: String) async throws {
        if let id {
            try await device.edit(id, text: text)
        } else if case .written(let row) = key {
            try await device.edit(row: row, text: text)
        }
    }

    private func block(_ name: String, _ isBlocked: Bool) async throws -> ChatModel.Event {
        let user = try await device.user(named: name)
        try await device.setBlocked(user, isBlocked)
        return .said(
            isBlocked
                ? "\(user) is blocked here; `godwit identity publish` tells the node."
                : "\(user) is not blocked any more.")
    }

    // MARK: Panels

    private func search(_ words: String, _ target: MessageTarget?) async throws -> ChatModel.Event {
        let hits = try await device.search(
            SearchQuery(words), in: target?.conversation(of: device.userID), limit: Self.panelMax)
        let lines = hits.map { SearchCommand.text($0, of: device) }
        return .panel(title: "Search: \(words)", lines: lines.isEmpty ? ["Nothing was found."] : lines)
    }

    private func members(_ target: MessageTarget) async throws -> ChatModel.Event {
        guard case .channel(let id) = target else { return try await contact(target.description) }
        let details = try await device.channelDetails(id)
        let head = details.settings.topic.isEmpty ? [] : ["Topic: \(details.settings.topic)"]
        return .panel(
            title: "Members of \(id.name)",
            lines: head + details.members.map { "\($0.user)  \($0.role.rawValue)" })
    }

    private func contact(_ name: String) async throws -> ChatModel.Event {
        let user = try await device.user(named: name)
        guard let contact = try await device.contact(user) else { throw Person.unknown(user) }
        var lines = ["key: \(ContactLine.word(contact))"]
        if !contact.aliases.isEmpty { lines.append("alias: " + contact.aliases.joined(separator: ", ")) }
        let notes = ContactLine.notes(contact)
        if !notes.isEmpty { lines.append(notes) }
        if contact.publicKey != nil {
            let groups = try await device.safetyNumber(with: user).groups
            lines.append("safety number: " + groups.joined(separator: " "))
            lines.append("Compare it over another way, then: godwit contact verify \(user)")
        }
        return .panel(title: user.text, lines: lines)
    }

    private func warnings() async throws -> ChatModel.Event {
        let warnings = try await device.warnings(limit: Self.panelMax)
        let lines = warnings.map(WarningLine.text)
        return .panel(title: "Warnings", lines: lines.isEmpty ? ["There are none."] : lines)
    }

    private func outbox() async throws -> ChatModel.Event {
        // Who looks wants to know: it goes with the next call, and the marks tell.
        try await device.askCustody()
        let entries = try await device.recentOutbox(limit: Self.panelMax)
        let book = try await device.addressBook()
        let lines = entries.map { OutboxLine.text($0, book) }
        return .panel(title: "Outbox", lines: lines.isEmpty ? ["Nothing was written here."] : lines)
    }
}
