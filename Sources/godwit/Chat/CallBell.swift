import GodwitClient
import Synchronization

/// Wakes the task that calls the home node. Rings of one cause while it is busy are one, and none is lost.
final class CallBell: Sendable {
    private let causes = Mutex<Set<CallPlan.Cause>>([])
    let rings: AsyncStream<Void>
    private let post: AsyncStream<Void>.Continuation

    init() { (rings, post) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func ring(_ cause: CallPlan.Cause) {
        causes.withLock { _ = $0.insert(cause) }
        post.yield()
    }

    /// What has rung since the last time.
    func take() -> Set<CallPlan.Cause> {
        causes.withLock { causes in
            defer { causes = [] }
            return causes
        }
    }

    func finish() { post.finish() }
}
