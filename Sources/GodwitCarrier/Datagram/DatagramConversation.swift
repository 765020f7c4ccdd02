import NIOCore
import Synchronization

/// Drives one `DatagramStream` by a real clock and a socket. Every call sends what is due and wakes whoever waits.
final class DatagramConversation: Sendable {
    private struct Waiter {
        var isReady: @Sendable (borrowing DatagramStream, _ now: Duration) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }
    private struct State {
        var stream: DatagramStream
        var waiters: [Int: Waiter] = [:]
        var nextWaiter = 0
        var timer: Scheduled<Void>?
        var isReleased = false
    }

    private static let clock = ContinuousClock()
    private static let start = clock.now

    private let state: Mutex<State>
    private let path: any DatagramPath
    private let address: PathAddress

    init(
        role: DatagramStream.Role, id: UInt32, link: DatagramLink, over path: any DatagramPath, to address: PathAddress
    ) {
        self.path = path
        self.address = address
        state = Mutex(State(stream: DatagramStream(role: role, id: id, link: link, at: Self.now)))
    }

    private static var now: Duration { clock.now - start }

    /// Works on the stream, sends what is due then and comes back by itself when more is.
    @discardableResult
    func with<Value: Sendable>(_ body: (inout DatagramStream, _ now: Duration) -> Value) -> Value {
        let (value, woken) = state.withLock { state in
            let value = body(&state.stream, Self.now)
            pump(&state)
            let now = Self.now
            let ready = state.waiters.filter { $0.value.isReady(state.stream, now) }
            for key in ready.keys { state.waiters[key] = nil }
            return (value, ready.values.map(\.continuation))
        }
        for continuation in woken { continuation.resume() }
        return value
    }

    private func pump(_ state: inout State) {
        guard !state.isReleased else { return }
        let pace = path.pace
        while true {
            let now = Self.now
            if let pace { state.stream.pace.hold(until: pace.freeAt(for: ObjectIdentifier(self))) }
            guard let bytes = state.stream.poll(at: now) else { break }
            pace?.charge(path.size(bytes, to: address), to: ObjectIdentifier(self), at: now)
            let (path, address) = (path, address)
            // Not from under the lock: a write can call back.
            path.eventLoop.execute { path.send(bytes, to: address) }
        }
        state.timer?.cancel()
        state.timer = nil
        let now = Self.now
        pace?.note(ObjectIdentifier(self), isWaiting: state.stream.isPressing(at: now))
        guard let wakeup = state.stream.wakeup(at: now) else { return }
        let wait = max((wakeup - now).nanosecondsRoundedUp, 100_000)
        state.timer = path.eventLoop.scheduleTask(in: .nanoseconds(wait)) { [weak self] in _ = self?.with { _, _ in } }
    }

    /// Waits until the stream is as it should be, or the task is cancelled.
    func wait(until isReady: @escaping @Sendable (borrowing DatagramStream, _ now: Duration) -> Bool) async {
        let key = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    // Cancelled before it was registered: nobody would come to wake it.
                    if isReady(state.stream, Self.now) || Task.isCancelled { return true }
                    state.waiters[key] = Waiter(isReady: isReady, continuation: continuation)
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: key) }?.continuation.resume()
        }
    }

    /// Waits until the link is about to need the next record.
    /// - Returns: false when the exchange has ended.
    /// - Throws: `CancellationError`.
    func waitUntilHungry() async throws -> Bool {
        await wait { stream, now in stream.state != .open || stream.isHungry(at: now) }
        try Task.checkCancellation()
        return with { stream, now in
            guard case .open = stream.state else { return false }
            stream.awaitRecord(at: now)
            return true
        }
    }

    /// Nothing is sent any more.
    func release() {
        state.withLock { state in
            state.isReleased = true
            state.timer?.cancel()
            state.timer = nil
        }
        path.pace?.forget(ObjectIdentifier(self))
    }

    deinit { path.pace?.forget(ObjectIdentifier(self)) }
}

extension Duration {
    fileprivate var nanosecondsRoundedUp: Int64 {
        let (whole, atto) = components
        return whole >= 1_000_000_000 ? .max / 4 : whole * 1_000_000_000 + (atto + 999_999_999) / 1_000_000_000
    }
}
