import Glibc

/// Asks at the terminal.
enum Terminal {
    /// A line that is not shown while it is typed; nil at the end of input.
    static func secret(_ prompt: String) -> String? {
        Console.raw(prompt)
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            Console.out("")
        }
        return readLine(strippingNewline: true)
    }
}
