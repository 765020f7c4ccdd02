import Synchronization

/// Answers that are still to come on one socket, in the order of the questions: a client need not wait for one commit
/// before it sends the next message, so many share a commit.
///
/// At most `depthMax` are open; then whoever asks waits, and the socket is not read.
final class AnswerLine<Answer: Sendable>: Sendable {
    static var depthMax: Int { 64 }

    private struct State {
        var open = 0
        /// Resumed when there is room, or when nothing is open any more.
        var waiting: [(until: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    private let input: AsyncStream<Answer>.Continuation
    /// In order; whoever has dealt with one says so by `finished`. Ends when the last question has gone.
    let answers: AsyncStream<Answer>

    init() {
        // `enter` lets no more in, so none is ever dropped.
        (answers, input) = AsyncStream.makeStream(of: Answer.self, bufferingPolicy: .bufferingOldest(Self.depthMax))
    }

    deinit { input.finish() }

    /// Takes a place, waiting until there is one.
    func enter() async {
        await wait(until: Self.depthMax - 1)
        state.withLock { $0.open += 1 }
    }

    /// An answer, called in the order in which places were taken, once for each.
    func answer(_ answer: Answer) { input.yield(answer) }

    /// The oldest answer has been dealt with.
    func finished() {
        let woken = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.open -= 1
            let ready = state.waiting.filter { $0.until >= state.open }
            state.waiting.removeAll { $0.until >= state.open }
            return ready.map(\.continuation)
        }
        for continuation in woken { continuation.resume() }
    }

    /// Returns when everything that was asked has been answered.
    func drained() async { await wait(until: 0) }

    private func wait(until count: Int) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.open <= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}
