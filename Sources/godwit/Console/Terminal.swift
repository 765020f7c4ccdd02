import Glibc

/// Asks at the terminal.
enum Terminal {
    static var isThere: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// Cells of a line on standard output; 80 where it does not say.
    static var columns: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// The beginning of a text that fits into so many cells.
    static func cut(_ text: String, to cells: Int) -> String {
        var left = cells
        return String(
            text.prefix { character in
                left -= Self.cells(of: character)
                return left >= 0
            })
    }

    /// East Asian characters and pictures take two.
    private static func cells(of character: Character) -> Int {
        let wide = character.unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F000...0x1FAFF, 0x20000...0x3FFFD:
                true
            default: scalar.properties.isEmojiPresentation
            }
        }
        return wide ? 2 : 1
    }

    /// A line that is not shown while it is typed; nil at the end of input.
    static func secret(_ prompt: String) -> String? {
        // Not to standard output, which may be a file or the next program.
        Console.note(prompt)
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            Console.note("")
        }
        return readLine(strippingNewline: true)
    }
}
