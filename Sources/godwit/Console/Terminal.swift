import Glibc

/// Asks at the terminal.
enum Terminal {
    static var isThere: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

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
