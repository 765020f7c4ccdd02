public import GodwitProtocol

/// The chat in a terminal without the terminal: what happens goes in, what is to be done and shown comes out. It knows
/// no clock, no store and no socket.
public struct ChatModel: Sendable {
    public enum Event: Sendable, Hashable {
        case key(ChatKey)
        case resized(columns: Int, rows: Int)
        case conversations([ChatConversation])
        /// What the device has of a conversation; `isWhole` if there is nothing before it.
        /// A conversation that was named is to be shown.
        case opened(MessageTarget)
        case entries(MessageTarget, [ChatEntry], isWhole: Bool)
        case link(ChatLink)
        /// A line for the person at the keys.
        case said(String)
        /// Lines to read: an answer to an order.
        case panel(title: String, lines: [String])
    }

    /// What the shell does; each answers with events.
    public enum Action: Sendable, Hashable {
        /// The list of conversations.
        case reload
        case load(MessageTarget, limit: Int)
        case open(String)
        case send(String, MessageTarget, replyTo: MessageID?)
        case edit(ChatEntry.Key, MessageID?, String)
        case react(MessageID, String, remove: Bool)
        case delete(MessageID)
        case search(String, MessageTarget?)
        case members(MessageTarget)
        case contact(String)
        case block(String, Bool)
        case join(String)
        case attach(String, MessageTarget, isVoice: Bool)
        /// An empty path: under the file's own name.
        case save(MessageID, String)
        case warnings, outbox, sync
        case markRead(MessageTarget, upTo: Int64)
        case suspend, quit
    }

    public enum View: Sendable, Hashable {
        case list, conversation
        case panel(title: String, lines: [String])
    }

    /// Messages that are loaded at first, and more each time that somebody goes back beyond them.
    public static let window = 100

    public let own: UserID
    /// Seconds that local time is ahead of UTC.
    public let zone: Int64
    /// Only ASCII is shown.
    public let ascii: Bool

    public private(set) var columns = 80
    public private(set) var rows = 24
    public private(set) var view = View.list
    public private(set) var conversations: [ChatConversation] = []
    public private(set) var target: MessageTarget?
    public private(set) var entries: [ChatEntry] = []
    public private(set) var link = ChatLink.idle
    public private(set) var notice = ""
    public internal(set) var editor = LineEditor()
    /// Of the list.
    public private(set) var row = 0
    /// The message that orders are about; nil: the last that fits.
    public private(set) var chosen: ChatEntry.Key?
    /// Lines that the view is scrolled back.
    public internal(set) var offset = 0
    private var isWhole = false
    private var limit = ChatModel.window
    private var drafts: [MessageTarget: String] = [:]

    public init(own: UserID, zone: Int64 = 0, ascii: Bool = false) {
        self.own = own
        self.zone = zone
        self.ascii = ascii
    }

    public var conversation: ChatConversation? { conversations.first { $0.target == target } }

    // MARK: Events

    public mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .key(let key): return press(key)
        case .resized(let columns, let rows):
            (self.columns, self.rows) = (max(20, columns), max(5, rows))
            clampOffset()
        case .conversations(let list):
            // The choice stays on its conversation, wherever that has moved.
            let before = conversations.indices.contains(row) ? conversations[row].target : nil
            conversations = list
            row = list.firstIndex { $0.target == before } ?? min(row, max(0, list.count - 1))
        case .opened(let target): return open(target)
        case .entries(let target, let entries, let isWhole): return show(entries, of: target, isWhole)
        case .link(let link): self.link = link
        case .said(let text): notice = text
        case .panel(let title, let lines): enter(.panel(title: title, lines: lines))
        }
        return []
    }

    private mutating func show(_ entries: [ChatEntry], of target: MessageTarget, _ isWhole: Bool) -> [Action] {
        guard target == self.target else { return [] }
        // Somebody who reads further up goes on reading there.
        let before = offset > 0 && view == .conversation ? paneLines.count : nil
        let lastBefore = self.entries.last?.key
        self.entries = entries
        self.isWhole = isWhole
        if let chosen, !entries.contains(where: { $0.key == chosen }) { self.chosen = nil }
        if let before, let lastBefore, entries.last?.key != lastBefore { offset += max(0, paneLines.count - before) }
        clampOffset()
        return readActions
    }

    /// What stands on the screen of the open conversation counts as read.
    private var readActions: [Action] {
        guard view == .conversation, let target else { return [] }
        let unread = entries.compactMap { entry -> Int64? in
            if case .received(let row) = entry.key, !entry.isRead { row } else { nil }
        }
        return unread.max().map { [.markRead(target, upTo: $0)] } ?? []
    }

    private mutating func enter(_ view: View) {
        self.view = view
        offset = 0
        if case .panel = view { offset = max(0, paneLines.count - paneRows) }
    }

    // MARK: Keys

    private mutating func press(_ key: ChatKey) -> [Action] {
        switch key {
        case .control("c"): return [.quit]
        case .control("z"): return [.suspend]
        case .control("l"): return [.sync]
        case .pageUp: return scroll(by: max(1, paneRows - 1))
        case .pageDown: return scroll(by: -max(1, paneRows - 1))
        case .tab:
            notice = ""
            enter(view == .list && target != nil ? .conversation : .list)
            return view == .conversation ? readActions : []
        case .escape: return leave()
        case .enter: return enterLine()
        case .up where view == .list && editor.isEmpty: row = max(0, row - 1)
        case .down where view == .list && editor.isEmpty: row = min(max(0, conversations.count - 1), row + 1)
        case .control("p"): choose(-1)
        case .control("n"): choose(1)
        default: _ = editor.handle(key)
        }
        return []
    }

    private mutating func leave() -> [Action] {
        notice = ""
        if chosen != nil {
            chosen = nil
        } else if case .panel = view {
            enter(target == nil ? .list : .conversation)
            return readActions
        } else if offset > 0 {
            offset = 0
        }
        return []
    }

    private mutating func scroll(by lines: Int) -> [Action] {
        offset += lines
        let most = max(0, paneLines.count - paneRows)
        let isAtTop = offset >= most
        clampOffset()
        guard isAtTop, lines > 0, view == .conversation, !isWhole, let target else { return [] }
        limit += Self.window
        return [.load(target, limit: limit)]
    }

    private mutating func clampOffset() { offset = min(max(0, offset), max(0, paneLines.count - paneRows)) }

    private mutating func choose(_ step: Int) {
        guard view == .conversation, !entries.isEmpty else { return }
        let place = entries.firstIndex { $0.key == chosen } ?? entries.count
        let next = place + step
        chosen = entries.indices.contains(next) ? entries[next].key : step > 0 ? nil : entries[0].key
        showChosen()
    }

    /// Scrolls so far that the chosen message is seen.
    private mutating func showChosen() {
        guard let chosen else { return }
        let lines = paneLines
        let indices = lines.indices.filter { lines[$0].key == chosen }
        guard let first = indices.first, let last = indices.last else { return }
        offset = min(max(offset, lines.count - first - paneRows), lines.count - 1 - last)
        clampOffset()
    }

    // MARK: Opening

    /// Shows a conversation.
    public mutating func open(_ target: MessageTarget) -> [Action] {
        if let before = self.target { drafts[before] = editor.text }
        if self.target != target { entries = [] }
        self.target = target
        editor.set(drafts.removeValue(forKey: target) ?? "")
        chosen = nil
        notice = ""
        limit = Self.window
        enter(.conversation)
        return [.load(target, limit: limit)]
    }

    /// What the shell loads again when something has changed.
    public var refresh: [Action] { [.reload] + (target.map { [.load($0, limit: limit)] } ?? []) }

    // MARK: Orders

    private mutating func enterLine() -> [Action] {
        if editor.isEmpty {
            guard view == .list else {
                if case .panel = view { return leave() }
                return []
            }
            return conversations.indices.contains(row) ? open(conversations[row].target) : []
        }
        let line = editor.text
        do {
            let actions = try carryOut(ChatOrder(line, tags: Set(entries.map(\.tag))))
            if editor.text == line { _ = editor.take() }
            return actions
        } catch {
            notice = error.message + (error.hint.map { " " + $0 } ?? "")
            return []
        }
    }

    private mutating func carryOut(_ order: ChatOrder) throws(ProtocolError) -> [Action] {
        notice = ""
        switch order {
        case .send(let text): return try send(text, replyTo: nil)
        case .reply(let tag, let text):
            let entry = try subject(tag) { !$0.isOwn && !$0.isDeleted }
            guard let id = entry.id else { throw Self.unsealed }
            return try send(text, replyTo: id)
        case .edit(let tag, let text):
            let entry = try subject(tag) { $0.isOwn && !$0.isDeleted && $0.vouch == nil }
            return [.edit(entry.key, entry.id, text)]
        case .react(let tag, let text, let remove):
            guard let id = try subject(tag, where: { !$0.isDeleted }).id else { throw Self.unsealed }
            return [.react(id, text, remove: remove)]
        case .delete(let tag):
            guard let id = try subject(tag, where: { $0.isOwn && !$0.isDeleted }).id else { throw Self.unsealed }
            return [.delete(id)]
        case .open(let name):
            if let number = Int(name), conversations.indices.contains(number - 1) {
                _ = editor.take()
                return open(conversations[number - 1].target)
            }
            return [.open(name)]
        case .list: enter(.list)
        case .help: enter(.panel(title: "Help", lines: Self.helpLines))
        case .members: return [.members(try opened())]
        case .search(let words): return [.search(words, view == .list ? nil : target)]
        case .contact(let name):
            guard name == nil, case .user(let user)? = target else { return [.contact(name ?? "")] }
            return [.contact(user.text)]
        case .block(let name, let isBlocked): return [.block(name, isBlocked)]
        case .join(let name): return [.join(name)]
        case .warnings: return [.warnings]
        case .outbox: return [.outbox]
        case .sync: return [.sync]
        case .quit: return [.quit]
        case .attach(let path, let isVoice):
            let target = try opened()
            showNewest()
            return [.attach(path, target, isVoice: isVoice)]
        case .save(let tag, let path):
            guard let id = try subject(tag, where: \.hasFile).id else { throw Self.unsealed }
            return [.save(id, path)]
        }
        return []
    }

    private mutating func send(_ text: String, replyTo: MessageID?) throws(ProtocolError) -> [Action] {
        let target = try opened()
        showNewest()
        return [.send(text, target, replyTo: replyTo)]
    }

    private mutating func showNewest() {
        chosen = nil
        if view != .conversation { enter(.conversation) }
        offset = 0
    }

    private func opened() throws(ProtocolError) -> MessageTarget {
        guard let target else {
            throw .malformed("No conversation is open.", hint: "Choose one with the arrows and Enter, or /open NAME.")
        }
        return target
    }

    /// The message with a tag, the chosen one, or the last that fits.
    private func subject(
        _ tag: String?, where fits: (ChatEntry) -> Bool
    ) throws(ProtocolError) -> ChatEntry {
        _ = try opened()
        let entry =
            tag.map { tag in entries.last { $0.tag == tag } } ?? chosen.map { key in entries.first { $0.key == key } }
            ?? entries.last(where: fits)
        guard let entry, fits(entry) else {
            throw .malformed("There is no message for that here.", hint: "Choose one with Ctrl-P and Ctrl-N.")
        }
        return entry
    }

    private static let unsealed = ProtocolError(
        .invalidMessageFormat, "The message still waits for keys and has no id.", hint: "/edit changes it in place.")
    static let helpLines =
        ChatOrder.all.map { order, meaning in
            order + String(repeating: " ", count: max(1, 22 - order.count)) + meaning
        } + [
            "", "Marks of own messages: . queued  > at the node  + delivered  ++ read  ! failed",
            "Enter sends, Ctrl-J or Alt-Enter begins a new line, PgUp and PgDn scroll, Esc goes back.",
        ]
}
