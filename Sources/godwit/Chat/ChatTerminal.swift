import FoundationEssentials
import Glibc
import GodwitClient

/// The terminal while the chat has it: no echo, no lines, and everything put back at the end, however that comes.
enum ChatTerminal {
    /// Alternate screen where there is one, pastes in brackets.
    private static let enterCodes = "\u{1B}[?1049h\u{1B}[?2004h"
    /// Also for terminals without an alternate screen: the cursor goes below what was drawn.
    private static let leaveCodes = "\u{1B}[r\u{1B}[m\u{1B}[?2004l\u{1B}[999;1H\u{1B}[?1049l\r"

    /// What a handler of signals may read: it is set before any handler is installed, and then only by the main loop.
    nonisolated(unsafe) private static var saved = termios()
    nonisolated(unsafe) private static var isEntered = false
    nonisolated(unsafe) private static let leaveBytes = UnsafeMutableRawPointer(strdup(leaveCodes))
    private static let leaveCount = leaveCodes.utf8.count

    /// A terminal on both sides, with a cursor that can be moved.
    static var isCapable: Bool {
        let kind = ProcessInfo.processInfo.environment["TERM"] ?? "dumb"
        return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && kind != "dumb" && !kind.isEmpty
    }

    static var isUTF8: Bool {
        let environment = ProcessInfo.processInfo.environment
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let folded = locale.lowercased()
        return folded.hasSuffix("utf-8") || folded.hasSuffix("utf8") || folded.contains("utf-8@")
    }

    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Bits a second of a real line; nil for one that is as fast as it likes.
    static var speed: Int? {
        var settings = termios()
        guard tcgetattr(STDOUT_FILENO, &settings) == 0 else { return nil }
        let speeds: [speed_t: Int] = [
            speed_t(B50): 50, speed_t(B75): 75, speed_t(B110): 110, speed_t(B300): 300, speed_t(B600): 600,
            speed_t(B1200): 1_200, speed_t(B2400): 2_400, speed_t(B4800): 4_800, speed_t(B9600): 9_600,
            speed_t(B19200): 19_200,
        ]
        return speeds[cfgetospeed(&settings)]
    }

    static func enter() {
        guard !isEntered else { return }
        tcgetattr(STDIN_FILENO, &saved)
        isEntered = true
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] {
            Glibc.signal(signal) { number in
                ChatTerminal.restore()
                Glibc.signal(number, SIG_DFL)
                raise(number)
            }
        }
        resume()
    }

    /// Raw again, as after another program had the terminal.
    static func resume() {
        var raw = saved
        raw.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP)
        raw.c_oflag &= ~tcflag_t(OPOST)
        raw.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | IEXTEN)
        isEntered = true
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        write(Array(enterCodes.utf8))
    }

    /// Puts everything back. Only calls that a handler of signals may make.
    static func restore() {
        guard isEntered else { return }
        isEntered = false
        // What a slow line has not taken yet is of no use any more.
        tcflush(STDOUT_FILENO, TCOFLUSH)
        if let leaveBytes { _ = Glibc.write(STDOUT_FILENO, leaveBytes, leaveCount) }
        tcsetattr(STDIN_FILENO, TCSANOW, &saved)
    }

    /// Blocks for as long as the terminal does.
    /// - Returns: false when it is gone.
    @discardableResult
    static func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
