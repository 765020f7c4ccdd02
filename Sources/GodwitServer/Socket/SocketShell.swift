import GodwitNode
import NIOCore
import Synchronization

/// The shared state of one socket: the machine's decisions and the queue of what is to be written.
///
/// Called by the reader, the writer, the timer and whoever sends; none of them waits for another.
final class SocketShell: SocketOutbox {
    private struct State {
        var machine: WebSocketMachine
        var queue: SocketQueue
        var writer: CheckedContinuation<Void, Never>?
        var hasEnded = false
        /// Something was not taken since the queue was half empty.
        var hasRefused = false
        /// Set for `dueAt`, since the opening.
        var timer: Scheduled<Void>?
        var dueAt: Duration = .zero
    }

    private let channel: any Channel
    private let opened = ContinuousClock.now
    private let state: Mutex<State>

    init(
        channel: any Channel, timeouts: SocketTimeouts,
        limits: WebSocketMachine.Limits = .init(messageMax: SocketLimits.messageMax)
    ) {
        self.channel = channel
        let machine = WebSocketMachine(limits: limits, timeouts: timeouts)
        state = Mutex(State(machine: machine, queue: SocketQueue(textsMax: SocketLimits.outboxMax)))
    }

    /// Begins to watch for silence.
    func start() {
        change { _, _ in nil }
    }

    private var now: Duration { .now - opened }

    // MARK: What happens to the socket

    /// A frame arrived. Returns a whole message, if it completed one.
    func receive(_ frame: IncomingFrame) -> [UInt8]? {
        let effect = change { $0.machine.receive(frame, at: $1) }
        if case .deliver(let message) = effect { return message }
        return nil
    }

    /// The server closes, or the bytes were no frames.
    func begin(closing code: UInt16, _ reason: String) {
        change { $0.machine.close(code, reason, at: $1) }
    }

    func wroteClose() {
        change { state, _ in state.machine.wroteClose() }
    }

    private func tick() {
        change { $0.machine.tick(at: $1) }
    }

    /// Asks the machine, does what it says, and sets the timer for what it waits for.
    @discardableResult
    private func change(
        _ decide: (inout State, Duration) -> WebSocketMachine.Effect?
    ) -> WebSocketMachine.Effect? {
        let now = now
        let (effect, writer) = state.withLock { state in
            let effect = decide(&state, now)
            apply(effect, to: &state)
            arm(&state, at: now)
            defer { if effect != nil { state.writer = nil } }
            return (effect, effect == nil ? nil : state.writer)
        }
        writer?.resume()
        if effect == .cut { channel.close(promise: nil) }
        return effect
    }

    private func apply(_ effect: WebSocketMachine.Effect?, to state: inout State) {
        switch effect {
        case .pong(let payload): state.queue.pong(payload)
        case .ping: state.queue.ping()
        case .close(let code, let reason): state.queue.close(code, reason)
        case .deliver, .cut, nil: break
        }
    }

    private func arm(_ state: inout State, at now: Duration) {
        guard !state.hasEnded, let deadline = state.machine.deadline else { return }
        // A timer that fires early only looks and sets the next one, so it is replaced only by an earlier one.
        if state.timer != nil, state.dueAt <= deadline { return }
        state.timer?.cancel()
        state.dueAt = deadline
        state.timer = channel.eventLoop.scheduleTask(in: TimeAmount(max(deadline - now, .zero))) { [weak self] in
            self?.timerFired()
        }
    }

    private func timerFired() {
        state.withLock { $0.timer = nil }
        tick()
    }

    // MARK: The writer

    /// The next frames to write, waiting for one; none after the end. One caller.
    ///
    /// - Parameter bytes: texts that are written at once, one at least.
    func nextFrames(bytes: Int) async -> [SocketQueue.Frame] {
        while true {
            let (frames, hasEnded) = state.withLock { ($0.queue.next(bytes: bytes), $0.hasEnded) }
            if !frames.isEmpty || hasEnded { return frames }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.hasEnded || state.queue.hasFrame { return true }
                    state.writer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// The socket is gone: wakes the writer for the last time, stops the timer.
    func end() {
        let (writer, timer) = state.withLock { state in
            state.hasEnded = true
            state.queue.clear()
            defer { (state.writer, state.timer) = (nil, nil) }
            return (state.writer, state.timer)
        }
        timer?.cancel()
        writer?.resume()
    }

    // MARK: SocketOutbox

    func send(_ text: [UInt8]) -> Bool {
        let (isQueued, writer) = state.withLock { state in
            guard state.queue.offer(text) else {
                state.hasRefused = true
                return (false, nil as CheckedContinuation<Void, Never>?)
            }
            defer { state.writer = nil }
            return (true, state.writer)
        }
        writer?.resume()
        return isQueued
    }

    /// True once after something was refused and the queue has run half empty since.
    func takeDrained() -> Bool {
        state.withLock { state in
            guard state.hasRefused, !state.queue.isClosed, state.queue.isHalfEmpty else { return false }
            state.hasRefused = false
            return true
        }
    }

    func close(code: UInt16, reason: String) {
        begin(closing: code, reason)
    }
}
