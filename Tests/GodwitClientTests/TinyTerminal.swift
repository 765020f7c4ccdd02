import Testing

@testable import GodwitClient

/// A terminal as small as the codes that the chat uses: what it shows after bytes. Any other code is an issue.
struct TinyTerminal {
    let columns: Int
    let rows: Int
    private(set) var cells: [[Screen.Cell]]
    private(set) var row = 0
    private(set) var column = 0
    private var style = Screen.Style.plain
    private var region: Range<Int>
    private var rest: [Unicode.Scalar] = []

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        region = 0..<rows
        cells = Array(repeating: Array(repeating: .blank, count: columns), count: rows)
    }

    /// A row without the blanks at its end.
    func line(_ row: Int) -> [Screen.Cell] {
        var line = cells[row]
        while line.last == .blank { line.removeLast() }
        return line
    }

    func text(_ row: Int) -> String { String(line(row).compactMap(\.character)) }

    mutating func take(_ bytes: [UInt8]) throws {
        var text = Substring(String(decoding: bytes, as: UTF8.self))
        while let character = text.popFirst() {
            switch character {
            case "\u{1B}": try escape(&text)
            case "\n":
                if row == region.upperBound - 1 { scroll(up: true) } else { row += 1 }
            case "\u{8}": column -= 1
            default: put(character)
            }
            try #require((0..<rows).contains(row) && (0..<columns).contains(column), "the cursor left the screen")
        }
    }

    private mutating func put(_ character: Character) {
        cells[row][column] = Screen.Cell(character: character, style: style)
        column += 1
        if TextCells.count(character) == 2 {
            cells[row][column] = Screen.Cell(character: nil, style: style)
            column += 1
        }
    }

    private mutating func scroll(up: Bool) {
        let blank = Array(repeating: Screen.Cell.blank, count: columns)
        if up {
            cells.remove(at: region.lowerBound)
            cells.insert(blank, at: region.upperBound - 1)
        } else {
            cells.remove(at: region.upperBound - 1)
            cells.insert(blank, at: region.lowerBound)
        }
    }

    private mutating func escape(_ text: inout Substring) throws {
        let kind = text.popFirst()
        if kind == "M" {
            if row == region.lowerBound { scroll(up: false) } else { row -= 1 }
            return
        }
        try #require(kind == "[")
        let parameters = text.prefix { $0.isNumber || $0 == ";" }
        text = text.dropFirst(parameters.count)
        let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch text.popFirst() {
        case "H": (row, column) = (max(1, numbers[0]) - 1, numbers.count > 1 ? max(1, numbers[1]) - 1 : 0)
        case "J": cells = Array(repeating: Array(repeating: .blank, count: columns), count: rows)
        case "K": for place in column..<columns { cells[row][place] = .blank }
        case "r":
            region = numbers.count > 1 ? (numbers[0] - 1)..<numbers[1] : 0..<rows
            (row, column) = (0, 0)
        case "m":
            let codes = Set(numbers)
            if codes.contains(0) { style = .plain }
            if codes.contains(1) || codes.contains(7) {
                style = codes.isSuperset(of: [1, 7]) ? .alarm : codes.contains(1) ? .bold : .inverse
            }
        default: Issue.record("an unknown code")
        }
    }
}
