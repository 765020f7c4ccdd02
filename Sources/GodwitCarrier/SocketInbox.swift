import Synchronization

/// Messages that arrived and were not yet taken, at most `depthMax` before reading from the socket stops.
final class SocketInbox<Message: Sendable>: Sendable {
    static var depthMax: Int { 64 }

    private struct State {
        var messages: [Message] = []
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<Void, Never>?
        var resumeReading: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Called by the socket's handler. False: the inbox is full, stop reading until `resumeReading` is called.
    func offer(_ message: Message, resumeReading: @escaping @Sendable () -> Void) -> Bool {
        let (reader, hasRoom) = state.withLock { state in
            guard state.end == nil else { return (nil as CheckedContinuation<Void, Never>?, true) }
            state.messages.append(message)
            let hasRoom = state.messages.count < Self.depthMax
            if !hasRoom { state.resumeReading = resumeReading }
            defer { state.reader = nil }
            return (state.reader, hasRoom)
        }
        reader?.resume()
        return hasRoom
    }

    /// No more will come. The first call counts.
    func end(_ result: Result<Void, any Error>) {
        let reader = state.withLock { state in
            if state.end == nil { state.end = result }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    private enum Step { case message(Message, (@Sendable () -> Void)?), end(Result<Void, any Error>), wait }

    /// The next message, or nil at the end. One caller at a time. Cancellation ends the wait with nil.
    func next() async throws -> Message? {
        while true {
            switch step() {
            case .message(let message, let resumeReading):
                resumeReading?()
                return message
            case .end(let result):
                try result.get()
                return nil
            case .wait:
                if Task.isCancelled { return nil }
                await wait()
            }
        }
    }

    private func step() -> Step {
        state.withLock { state in
            if state.messages.isEmpty { return state.end.map { .end($0) } ?? .wait }
            let message = state.messages.removeFirst()
            guard state.messages.count <= Self.depthMax / 2 else { return .message(message, nil) }
            defer { state.resumeReading = nil }
            return .message(message, state.resumeReading)
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.messages.isEmpty || state.end != nil || Task.isCancelled { return true }
                    state.reader = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume()
        }
    }
}
