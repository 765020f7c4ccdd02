/// What a terminal shows: lines of cells, and where the cursor is.
public struct Screen: Sendable, Hashable {
    public enum Style: UInt8, Sendable, Hashable {
        case plain, bold, inverse
        /// Bold and inverse.
        case alarm

        /// The terminal's codes, from plain on.
        var codes: String {
            switch self {
            case .plain: ""
            case .bold: "1"
            case .inverse: "7"
            case .alarm: "1;7"
            }
        }
    }

    /// A character and its style; one of two cells is followed by a cell of no character.
    struct Cell: Sendable, Hashable {
        var character: Character?
        var style: Style
        static let blank = Cell(character: " ", style: .plain)
    }

    public struct Line: Sendable, Hashable {
        private(set) var cells: [Cell] = []

        public init() {}
        public init(_ text: String, _ style: Style = .plain) { append(text, style) }

        /// - Parameter text: cleaned.
        public mutating func append(_ text: String, _ style: Style = .plain) {
            for character in text {
                let count = TextCells.count(character)
                guard count > 0 else { continue }
                cells.append(Cell(character: character, style: style))
                if count == 2 { cells.append(Cell(character: nil, style: style)) }
            }
        }

        /// At most so many cells; with `filling` just so many.
        public func cut(to width: Int, filling style: Style? = nil) -> Line {
            var line = self
            if line.cells.count > width {
                line.cells.removeLast(line.cells.count - width)
                // Half a wide character is none.
                if self.cells[width].character == nil, let last = line.cells.last {
                    line.cells[width - 1] = Cell(character: " ", style: last.style)
                }
            }
            if let style {
                while line.cells.count < width { line.cells.append(Cell(character: " ", style: style)) }
            }
            while line.cells.last == Cell.blank { line.cells.removeLast() }
            return line
        }

        public var text: String { String(cells.compactMap(\.character)) }
    }

    public struct Place: Sendable, Hashable {
        public var row: Int
        public var column: Int

        public init(row: Int, column: Int) {
            self.row = row
            self.column = column
        }
    }

    public var columns: Int
    public var rows: Int
    /// One a row.
    public var lines: [Line]
    public var cursor: Place
    /// Rows that move together when something is added at their end.
    public var scrolling: Range<Int>

    public init(columns: Int, rows: Int, lines: [Line], cursor: Place, scrolling: Range<Int>) {
        self.columns = columns
        self.rows = rows
        self.lines = lines
        self.cursor = cursor
        self.scrolling = scrolling
    }
}
