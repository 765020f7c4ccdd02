import GodwitProtocol

/// How the chat looks: a title, what is read, a line for remarks, and the line that is written. The last column stays
/// empty, for terminals disagree on where the cursor is after it.
extension ChatModel {
    /// A line of the reading pane, and the message that it is of.
    struct PaneLine: Hashable {
        var line: Screen.Line
        var key: ChatEntry.Key?
    }

    var width: Int { columns - 1 }
    /// Rows of the reading pane.
    var paneRows: Int { rows - 3 }

    public func screen() -> Screen {
        let lines = paneLines
        let end = max(0, lines.count - offset)
        let shown = lines[max(0, end - paneRows)..<end].map(\.line)
        let empty = Array(repeating: Screen.Line(), count: paneRows - shown.count)
        // The list begins at the top; what is read ends at the bottom, so that it scrolls from the first line on.
        let pane = view == .conversation ? empty + shown : shown + empty
        let (compose, column) = composing
        return Screen(
            columns: columns, rows: rows,
            lines: [titleLine] + pane.map { $0.cut(to: width) } + [noticeLine, compose.cut(to: width)],
            cursor: Screen.Place(row: rows - 1, column: column), scrolling: 1..<(1 + paneRows))
    }

    // MARK: Frame

    private func clean(_ text: some StringProtocol) -> String { TextCells.clean(text, ascii: ascii) }

    private var titleLine: Screen.Line {
        let isOpen = view == .conversation
        let name: String =
            switch view {
            case .list: "godwit"
            case .conversation: clean(conversation?.name ?? target?.description ?? "")
            case .panel(let title, _): clean(title)
            }
        let elsewhere = conversations.filter { !isOpen || $0.target != target }.reduce(0) { $0 + $1.unread }
        var line = Screen.Line(" \(name)", .inverse)
        if isOpen, let warning = conversation?.warning { line.append("  \(clean(warning))", .alarm) }
        if offset > 0, isOpen { line.append("  (scrolled back)", .inverse) }
        let right = (elsewhere > 0 ? "\(elsewhere) unread  " : "") + link.word + " "
        let room = width - TextCells.count(right)
        line = line.cut(to: max(0, room), filling: .inverse)
        line.append(right, .inverse)
        return line.cut(to: width, filling: .inverse)
    }

    private var noticeLine: Screen.Line {
        if !notice.isEmpty { return Screen.Line(clean(notice), .bold).cut(to: width) }
        if case .offline(let why) = link { return Screen.Line(clean(why)).cut(to: width) }
        return Screen.Line()
    }

    /// The composed line, with the part that has the cursor; moved by half a line at a time, so that most keys change one
    /// cell only.
    private var composing: (line: Screen.Line, column: Int) {
        var cells: [(text: String, count: Int)] = []
        var cursor = 0
        for (index, character) in editor.characters.enumerated() {
            if index == editor.cursor { cursor = cells.reduce(0) { $0 + $1.count } }
            let text = character.isNewline ? (ascii ? "\\" : "¶") : clean(String(character))
            cells.append((text, TextCells.count(text)))
        }
        let whole = cells.reduce(0) { $0 + $1.count }
        if editor.cursor == editor.characters.count { cursor = whole }
        let room = max(4, width - 3)
        let step = room / 2
        let first = cursor <= room ? 0 : ((cursor - room + step - 1) / step) * step
        var line = Screen.Line(first > 0 ? "< " : "> ", .bold)
        var (place, column) = (0, 2)
        for cell in cells {
            if place >= first, place + cell.count <= first + room { line.append(cell.text) }
            place += cell.count
        }
        column += cursor - first
        return (line, min(column, width))
    }

    // MARK: Pane

    var paneLines: [PaneLine] {
        switch view {
        case .list: listLines
        case .conversation: entries.indices.flatMap(lines)
        case .panel(_, let lines):
            lines.flatMap { line in
                TextCells.wrap(clean(line), cells: width, indent: 2).map { PaneLine(line: Screen.Line($0)) }
            }
        }
    }

    private var listLines: [PaneLine] {
        guard !conversations.isEmpty else {
            let hint = "No conversations yet. /open @user or /join #channel; /help says more."
            return [PaneLine(line: Screen.Line(hint))]
        }
        let lines = conversations.enumerated().map { index, conversation in
            var line = Screen.Line(index == row ? "> " : "  ", .bold)
            let count = conversation.unread > 0 ? " (\(conversation.unread))" : ""
            line.append("\(index + 1) \(clean(conversation.name))\(count)", conversation.unread > 0 ? .bold : .plain)
            if let warning = conversation.warning { line.append("  " + clean(warning), .alarm) }
            return PaneLine(line: line)
        }
        // The chosen row is always there.
        guard lines.count > paneRows else { return lines }
        let first = min(max(0, row - paneRows / 2), lines.count - paneRows)
        return Array(lines[first..<first + paneRows])
    }

    private func lines(_ index: Int) -> [PaneLine] {
        let entry = entries[index]
        var lines: [PaneLine] = []
        let day = Self.day(entry.time, zone)
        if index == 0 || Self.day(entries[index - 1].time, zone) != day {
            lines.append(PaneLine(line: Screen.Line("-- \(day) --")))
        }
        if entry.followsGap { lines.append(PaneLine(line: Screen.Line("-- something before this is missing --"))) }
        let isChosen = entry.key == chosen
        let head = "\(Self.minute(entry.time, zone)) \(name(of: entry.author)): "
        for (number, paragraph) in text(of: entry).enumerated() {
            let parts =
                number == 0
                ? TextCells.wrap(head + paragraph, cells: width - 2, indent: 6)
                : TextCells.wrap(paragraph, cells: width - 8).map { "      " + $0 }
            for part in parts {
                let mark = lines.contains { $0.key == entry.key } ? "  " : entry.mark?.text ?? "  "
                var line = Screen.Line(isChosen ? "=>" : mark, isChosen ? .bold : .plain)
                line.append(part, isChosen ? .bold : .plain)
                lines.append(PaneLine(line: line, key: entry.key))
            }
        }
        return lines
    }

    /// Paragraphs of a message, cleaned.
    func text(of entry: ChatEntry) -> [String] {
        if entry.isDeleted { return ["(deleted)"] }
        var paragraphs: [String]
        if let vouch = entry.vouch {
            let user = name(of: vouch.user)
            paragraphs = [vouch.isWithdrawn ? "(vouches no more for \(user))" : "(vouches for the key of \(user))"]
        } else {
            paragraphs = entry.text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(clean)
        }
        if let id = entry.replyTo { paragraphs[0] = "[re \(quoted(id))] " + paragraphs[0] }
        var ending = entry.isEdited ? " (edited)" : ""
        for reaction in entry.reactions {
            ending += "  [\(clean(reaction.text))\(reaction.users.count > 1 ? " \(reaction.users.count)" : "")]"
        }
        if let failure = entry.failure { ending += " (\(clean(failure)))" }
        paragraphs[paragraphs.count - 1] += ending
        return paragraphs
    }

    /// Who and the first words of a message that another one answers.
    private func quoted(_ id: MessageID) -> String {
        guard let entry = entries.first(where: { $0.id == id }) else { return String(id.text.suffix(4)) }
        let words = clean(entry.text)
        let short = TextCells.prefix(words, cells: 20)
        return "\(name(of: entry.author)): \(short)\(short.count < words.count ? ".." : "")"
    }

    /// Of users of the own node the name suffices.
    func name(of user: UserID) -> String {
        let target = MessageTarget.user(user)
        if user != own, let known = conversations.first(where: { $0.target == target }),
            known.name != target.description
        {
            let name = clean(known.name)
            return name.hasPrefix("@") ? String(name.dropFirst()) : name
        }
        return user.node == own.node ? user.username.text : user.text
    }

    // MARK: Times

    private static func day(_ time: Timestamp, _ zone: Int64) -> String {
        String(time.adding(milliseconds: zone * 1_000).description.prefix(10))
    }

    private static func minute(_ time: Timestamp, _ zone: Int64) -> String {
        String(time.adding(milliseconds: zone * 1_000).description.dropFirst(11).prefix(5))
    }
}
