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
    private let signal: AsyncStream<Void>.Continuation
    /// Says that answers were given. Ends when the last question has gone.
    let signals: AsyncStream<Void>
    let given = Given()

    /// Answers that have come and were not taken yet. They outlive the line: what follows from them has to be done.
    final class Given: Sendable {
        private let answers = Mutex<[Answer]>([])

        /// - Returns: whether it is the only one.
        fileprivate func add(_ answer: Answer) -> Bool {
            answers.withLock { answers in
                answers.append(answer)
                return answers.count == 1
            }
        }

        /// Those that are there, in order.
        func take() -> [Answer] {
            answers.withLock { answers in
                defer { answers = [] }
                return answers
            }
        }
    }

    init() { (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    deinit { signal.finish() }

    /// Takes a place, waiting until there is one.
    func enter() async {
        await wait(until: Self.depthMax - 1)
        state.withLock { $0.open += 1 }
    }

    /// An answer, called in the order in which places were taken, once for each.
    func answer(_ answer: Answer) {
        // Those that share a commit come together and are taken together.
        if given.add(answer) { signal.yield() }
    }

    /// So many of the oldest answers have been dealt with.
    func finished(_ count: Int = 1) {
        let woken = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.open -= count
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
