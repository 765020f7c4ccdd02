import Synchronization

/// Lets one task sleep until somebody rings or time has passed. A ring that nobody waits for is kept; several are one.
final class Doorbell: Sendable {
    private struct State {
        var hasRung = false
        var waiter: AsyncStream<Void>.Continuation?
    }
    private let state = Mutex(State())

    /// Returns at once; may be called from any thread.
    func ring() {
        let waiter = state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            if waiter == nil { state.hasRung = true }
            return waiter
        }
        waiter?.finish()
    }

    /// Returns when the bell rings, after `time`, or when the task is cancelled. One task at a time.
    func wait(atMost time: Duration) async {
        let (rings, waiter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let hasRung = state.withLock { state in
            guard !state.hasRung else {
                state.hasRung = false
                return true
            }
            state.waiter = waiter
            return false
        }
        guard !hasRung else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in rings {} }
            group.addTask { try? await Task.sleep(for: max(time, .milliseconds(1))) }
            await group.next()
            group.cancelAll()
        }
        state.withLock { $0.waiter = nil }
    }
}
