/// Turns a screen into the next with as few bytes as it takes: over 1,200 baud a whole screen takes a quarter of a minute.
/// The codes are those of the VT100, which every terminal knows.
public struct ScreenDiff: Sendable {
    private var shown: Screen?
    /// Where the terminal's cursor is; nil: unknown.
    private var place: Screen.Place?
    private var style = Screen.Style.plain

    public init() {}

    /// What is on the terminal is not known any more: the next screen is drawn whole.
    public mutating func forget() {
        shown = nil
        place = nil
    }

    public mutating func draw(_ screen: Screen) -> [UInt8] {
        var out = ""
        var old = shown
        if old?.columns != screen.columns || old?.rows != screen.rows { old = nil }
        if old == nil {
            out += "\u{1B}[m\u{1B}[H\u{1B}[2J"
            (place, style) = (Screen.Place(row: 0, column: 0), .plain)
        }
        let blank = Array(repeating: Screen.Line(), count: screen.rows)
        var lines = old?.lines ?? blank
        scroll(&lines, to: screen, &out)
        for row in 0..<screen.rows where lines[row] != screen.lines[row] {
            change(lines[row].cells, to: screen.lines[row].cells, in: row, &out)
        }
        // What is typed next is plain, and so costs its own bytes only.
        setStyle(.plain, &out)
        move(to: screen.cursor, over: screen.lines[screen.cursor.row].cells, &out)
        shown = screen
        return Array(out.utf8)
    }

    // MARK: Scrolling

    /// Moves lines that are there already to where they are wanted, where that saves drawing them.
    private mutating func scroll(_ lines: inout [Screen.Line], to screen: Screen, _ out: inout String) {
        let range = screen.scrolling
        guard range.count > 2, range.upperBound <= lines.count, range.contains(where: { lines[$0] != screen.lines[$0] })
        else { return }
        var best = (shift: 0, gain: 0)
        for shift in 1..<range.count {
            for shift in [shift, -shift] {
                let gain = gain(of: shift, lines, screen)
                if gain > best.gain { best = (shift, gain) }
            }
        }
        // The codes of a shift take some 20 bytes.
        guard best.gain > 24 else { return }
        setStyle(.plain, &out)
        out += "\u{1B}[\(range.lowerBound + 1);\(range.upperBound)r"
        let count = abs(best.shift)
        if best.shift > 0 {
            out += "\u{1B}[\(range.upperBound)H" + String(repeating: "\n", count: count)
            lines.replaceSubrange(
                range, with: Array(lines[range].dropFirst(count)) + Array(repeating: Screen.Line(), count: count))
        } else {
            out += "\u{1B}[\(range.lowerBound + 1)H" + String(repeating: "\u{1B}M", count: count)
            lines.replaceSubrange(
                range, with: Array(repeating: Screen.Line(), count: count) + Array(lines[range].dropLast(count)))
        }
        out += "\u{1B}[r"
        place = nil
    }

    /// Cells that need not be drawn after a shift but without it. Positive shifts go up.
    private func gain(of shift: Int, _ lines: [Screen.Line], _ screen: Screen) -> Int {
        var gain = 0
        for row in screen.scrolling {
            let wanted = screen.lines[row]
            let source = row + shift
            let moved = screen.scrolling.contains(source) ? lines[source] : Screen.Line()
            if moved == wanted { gain += max(wanted.cells.count, lines[row].cells.isEmpty ? 0 : 3) }
            if lines[row] == wanted { gain -= max(wanted.cells.count, moved.cells.isEmpty ? 0 : 3) }
        }
        return gain
    }

    // MARK: Lines

    private mutating func change(
        _ old: [Screen.Cell], to new: [Screen.Cell], in row: Int, _ out: inout String
    ) {
        // Beyond the end of a line there are blanks.
        let old = old + Array(repeating: .blank, count: max(0, new.count - old.count))
        let common = zip(old, new).prefix { $0 == $1 }.count
        var start = common
        // A wide character is drawn whole.
        while start > 0, start < new.count, new[start].character == nil { start -= 1 }
        var end = new.count
        if old.count == new.count {
            while end > start, old[end - 1] == new[end - 1] { end -= 1 }
            while end < new.count, new[end].character == nil { end += 1 }
        }
        if start < end {
            move(to: Screen.Place(row: row, column: start), &out)
            for cell in new[start..<end] {
                guard let character = cell.character else { continue }
                setStyle(cell.style, &out)
                out.append(character)
            }
            place = Screen.Place(row: row, column: end)
        }
        guard old.count > new.count else { return }
        move(to: Screen.Place(row: row, column: new.count), &out)
        setStyle(.plain, &out)
        out += "\u{1B}[K"
    }

    private mutating func setStyle(_ wanted: Screen.Style, _ out: inout String) {
        guard wanted != style else { return }
        let codes = wanted.codes
        // From plain to anything the reset is not needed.
        out += style == .plain ? "\u{1B}[\(codes)m" : codes.isEmpty ? "\u{1B}[m" : "\u{1B}[0;\(codes)m"
        style = wanted
    }

    /// - Parameter cells: of the line; a step forward writes what stands there again, which is shorter than a code.
    private mutating func move(to wanted: Screen.Place, over cells: [Screen.Cell] = [], _ out: inout String) {
        guard place != wanted else { return }
        if let place, place.row == wanted.row, !cells.isEmpty, (1...3).contains(wanted.column - place.column) {
            let passed = (place.column..<wanted.column).map { $0 < cells.count ? cells[$0] : .blank }
            if passed.allSatisfy({ $0.style == .plain && $0.character?.isASCII ?? false }) {
                out += String(passed.compactMap(\.character))
                self.place = wanted
                return
            }
        }
        if let place, place.row == wanted.row, (1...4).contains(place.column - wanted.column) {
            out += String(repeating: "\u{8}", count: place.column - wanted.column)
        } else if wanted.column == 0 {
            out += wanted.row == 0 ? "\u{1B}[H" : "\u{1B}[\(wanted.row + 1)H"
        } else {
            out += "\u{1B}[\(wanted.row + 1);\(wanted.column + 1)H"
        }
        place = wanted
    }
}
