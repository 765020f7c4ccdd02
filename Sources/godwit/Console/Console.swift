import Glibc
import GodwitProtocol

/// The only place that writes to the terminal.
enum Console {
    /// A line on standard output.
    static func out(_ line: String) { write(printable(line) + "\n", to: STDOUT_FILENO) }

    /// A line on standard error.
    static func note(_ line: String) { write(printable(line) + "\n", to: STDERR_FILENO) }

    /// Texts of other people must not steer the terminal: control characters but tab and line feed are shown as U+FFFD.
    static func printable(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            shown.append(isControl ? "\u{FFFD}" : scalar)
        }
        return String(shown)
    }

    /// Text without a line's end, for progress.
    static func raw(_ text: String) { write(text, to: STDOUT_FILENO) }
    static func raw(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// One JSON object a line, canonical.
    static func json(_ object: JSONObject) { write(object.canonicalText + "\n", to: STDOUT_FILENO) }
    static func value(_ value: JSONValue) { write(value.canonicalText + "\n", to: STDOUT_FILENO) }
    static func jsonNote(_ object: JSONObject) { write(object.canonicalText + "\n", to: STDERR_FILENO) }

    /// Columns aligned with two spaces between them.
    static func table(_ header: [String], _ rows: [[String]]) {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        for row in [header] + rows {
            let cells = row.enumerated().map { index, cell in
                index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
            }
            out(cells.joined(separator: "  "))
        }
    }

    /// What cannot be written ends the command: whoever did not see a message must not have it marked as read.
    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                if descriptor == STDOUT_FILENO {
                    // A reader that has seen enough, as head does, needs no word.
                    if errno != EPIPE { note("godwit: Standard output cannot be written (error \(errno)).") }
                    exit(Failure.outputFailed)
                }
                return
            }
            bytes = bytes.dropFirst(count)
        }
    }
}
