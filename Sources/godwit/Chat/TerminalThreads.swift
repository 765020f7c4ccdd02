import Dispatch
import Glibc
import GodwitClient
import Synchronization

/// Draws on a thread of its own. While it writes, only the newest screen waits: a slow line shows what is now and not all
/// that was between.
final class TerminalWriter: Sendable {
    private struct State {
        var screen: Screen?
        var mustForget = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)
    private let baud: Int?

    /// - Parameter baud: bits a second of the line; nil: it takes what it gets.
    init(baud: Int?) {
        self.baud = baud
        DispatchQueue(label: "godwit.chat.write").async { self.run() }
    }

    func show(_ screen: Screen, whole: Bool = false) {
        state.withLock { state in
            state.screen = screen
            if whole { state.mustForget = true }
        }
        signal.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        signal.signal()
    }

    private func run() {
        var diff = ScreenDiff()
        while true {
            signal.wait()
            let next = state.withLock { state in
                let next = state
                (state.screen, state.mustForget) = (nil, false)
                return next
            }
            if next.isClosed { return }
            if next.mustForget { diff.forget() }
            guard let screen = next.screen else { continue }
            let bytes = diff.draw(screen)
            guard !bytes.isEmpty else { continue }
            ChatTerminal.write(bytes)
            // Ten bits a byte. The kernel would take some thousand bytes at once, and the next key show up behind them.
            if let baud { usleep(UInt32(bytes.count * 10_000_000 / baud)) }
        }
    }
}

/// Reads keys on a thread of its own.
final class TerminalReader: Sendable {
    /// Milliseconds after which an Escape that nothing follows was the key.
    private static let escapeTime: Int32 = 150
    private let isClosed = Mutex(false)

    init(_ take: @escaping @Sendable ([ChatKey]?) -> Void) {
        DispatchQueue(label: "godwit.chat.read").async { self.run(take) }
    }

    func close() { isClosed.withLock { $0 = true } }

    /// Nil at the end of input.
    private func run(_ take: @Sendable ([ChatKey]?) -> Void) {
        var decoder = ChatKeyDecoder()
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !isClosed.withLock({ $0 }) {
            var wanted = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let ready = poll(&wanted, 1, decoder.isWaiting ? Self.escapeTime : 500)
            if ready < 0, errno != EINTR { return take(nil) }
            guard ready > 0 else {
                let keys = decoder.flush()
                if !keys.isEmpty { take(keys) }
                continue
            }
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return take(nil) }
            let keys = decoder.decode(Array(buffer[..<count]))
            if !keys.isEmpty { take(keys) }
        }
    }
}
