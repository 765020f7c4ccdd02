import Dispatch
import Synchronization

/// Hands what curl's thread receives to a task, at most `bytesMax` bytes ahead of it. One writer, one reader.
///
/// A full pipe blocks the writer, and so, by TCP's window, the peer.
final class ChunkPipe<Outcome: Sendable>: Sendable {
    static var bytesMax: Int { 262_144 }

    private struct State {
        var chunks: [[UInt8]] = []
        var bytes = 0
        var writerWaits = false
        var reader: CheckedContinuation<Void, Never>?
        var outcome: Outcome?
        var isAbandoned = false
    }
    private enum Offer { case taken(CheckedContinuation<Void, Never>?), full, abandoned }

    private let state = Mutex(State())
    private let room = DispatchSemaphore(value: 0)

    /// Nobody reads any more: the writer should stop.
    var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    /// Blocks while the pipe is full. False when nobody reads any more. Only on curl's thread.
    func push(_ chunk: [UInt8]) -> Bool {
        while true {
            switch offer(chunk) {
            case .taken(let reader):
                reader?.resume()
                return true
            case .full: room.wait()
            case .abandoned: return false
            }
        }
    }

    private func offer(_ chunk: [UInt8]) -> Offer {
        state.withLock { state in
            if state.isAbandoned { return .abandoned }
            guard state.chunks.isEmpty || state.bytes + chunk.count <= Self.bytesMax else {
                state.writerWaits = true
                return .full
            }
            state.chunks.append(chunk)
            state.bytes += chunk.count
            defer { state.reader = nil }
            return .taken(state.reader)
        }
    }

    /// The writer's last word.
    func finish(_ outcome: Outcome) {
        let reader = state.withLock { state in
            state.outcome = outcome
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    /// The reader's last word, from any thread; `outcome()` still waits for the writer.
    func abandon() {
        let writerWaits = state.withLock { state in
            state.isAbandoned = true
            defer { state.writerWaits = false }
            return state.writerWaits
        }
        if writerWaits { room.signal() }
    }

    /// What has arrived since, or nil when the writer has finished and everything was taken.
    func take() async -> [[UInt8]]? {
        while true {
            let (chunks, ended, wakesWriter) = state.withLock { state in
                let chunks = state.chunks
                state.chunks = []
                state.bytes = 0
                defer { state.writerWaits = false }
                return (chunks, state.outcome != nil, state.writerWaits)
            }
            if wakesWriter { room.signal() }
            if !chunks.isEmpty { return chunks }
            if ended { return nil }
            await waitForWriter()
        }
    }

    /// What became of the transfer; drops what was not taken.
    func outcome() async -> Outcome {
        while true {
            if let outcome = state.withLock({ $0.outcome }) { return outcome }
            _ = await take()
        }
    }

    private func waitForWriter() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if !state.chunks.isEmpty || state.outcome != nil { return true }
                state.reader = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}
