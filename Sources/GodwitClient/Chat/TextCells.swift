/// What others wrote, made fit for a terminal: nothing in it steers the terminal or hides, and terminals agree on how
/// many cells it takes.
public enum TextCells {
    /// Marks on one letter that are shown.
    public static let marksMax = 4

    /// Cells of a cleaned character: 0 to 2.
    public static func count(_ character: Character) -> Int {
        var cells = 0
        for scalar in character.unicodeScalars { cells = max(cells, count(scalar)) }
        return cells
    }

    public static func count(_ text: some StringProtocol) -> Int { text.reduce(0) { $0 + count($1) } }

    private static func count(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7F ? 1 : 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        switch scalar.value {
        case 0x1160...0x11FF: return 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// One line of text: control characters are U+FFFD, line ends and tabs spaces. Controls of direction and other
    /// invisible characters are written out, as `<U+202E>`. What terminals draw differently is made plain: joined emoji
    /// stand apart, flags are letters.
    public static func clean(_ text: some StringProtocol, ascii: Bool = false) -> String {
        var shown = String.UnicodeScalarView()
        var marks = 0
        for scalar in text.unicodeScalars {
            let isMark = [.nonspacingMark, .enclosingMark].contains(scalar.properties.generalCategory)
            marks = isMark ? marks + 1 : 0
            if isMark, marks > marksMax { continue }
            append(scalar, to: &shown)
        }
        let clean = String(shown)
        return ascii ? String(clean.map { $0.isASCII ? $0 : "?" }) : clean
    }

    private static func append(_ scalar: Unicode.Scalar, to shown: inout String.UnicodeScalarView) {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x85, 0x2028, 0x2029: shown.append(" ")
        // Joiners, soft hyphens, choosers of a presentation, skin tones, tags of flags.
        case 0x200C, 0x200D, 0xAD, 0xFE00...0xFE0F, 0x1F3FB...0x1F3FF, 0xE0000...0xE0FFF: return
        case 0x1F1E6...0x1F1FF: shown.append(Unicode.Scalar(UInt8(0x41 + scalar.value - 0x1F1E6)))
        default:
            switch scalar.properties.generalCategory {
            case .control, .privateUse, .unassigned, .surrogate: shown.append("\u{FFFD}")
            case .format:
                let hex = String(scalar.value, radix: 16, uppercase: true)
                let zeros = String(repeating: "0", count: max(0, 4 - hex.count))
                shown.append(contentsOf: "<U+\(zeros)\(hex)>".unicodeScalars)
            default: shown.append(scalar)
            }
        }
    }

    /// The beginning of a cleaned text that fits.
    public static func prefix(_ text: some StringProtocol, cells: Int) -> String {
        var left = cells
        return String(
            text.prefix { character in
                left -= count(character)
                return left >= 0
            })
    }

    /// A cleaned text in lines of at most so many cells, broken between words where that is possible.
    /// - Parameter indent: cells that lines after the first begin later.
    public static func wrap(_ text: String, cells: Int, indent: Int = 0) -> [String] {
        var lines: [String] = []
        var line = ""
        var used = 0
        let room = { lines.isEmpty ? max(1, cells) : max(1, cells - indent) }
        func end() {
            lines.append((lines.isEmpty ? "" : String(repeating: " ", count: indent)) + line)
            (line, used) = ("", 0)
        }
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let size = count(word)
            if !line.isEmpty || used > 0, used + 1 + size <= room() {
                line += " " + word
                used += 1 + size
                continue
            }
            if !line.isEmpty { end() }
            var rest = word[...]
            while count(rest) > room() {
                let part = prefix(rest, cells: room())
                let taken = part.isEmpty ? String(rest.prefix(1)) : part
                line = taken
                rest = rest.dropFirst(taken.count)
                end()
            }
            line = String(rest)
            used = count(rest)
        }
        if !line.isEmpty || lines.isEmpty { end() }
        return lines
    }
}
