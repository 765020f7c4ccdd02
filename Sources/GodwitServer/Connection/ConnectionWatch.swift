import NIOCore

/// Sets the timer of one plain connection and ends it when it is due. Belongs to the channel's event loop.
final class ConnectionWatch {
    private let channel: any Channel
    private let accepted = NIODeadline.now()
    private var timer: ConnectionTimer
    private var scheduled: Scheduled<Void>?
    private var dueAt: Duration = .zero

    init(channel: any Channel, timer: ConnectionTimer) {
        self.channel = channel
        self.timer = timer
        arm()
    }

    var isBetweenRequests: Bool { timer.isBetweenRequests }

    private var now: Duration { Duration(NIODeadline.now() - accepted) }

    func change(_ happened: (inout ConnectionTimer, Duration) -> Void) {
        happened(&timer, now)
        arm()
    }

    func disarm() {
        timer.disarm()
        scheduled?.cancel()
        scheduled = nil
    }

    private func arm() {
        guard let deadline = timer.deadline else { return }
        // One that fires early only looks and sets the next, so most events cost nothing here.
        if scheduled != nil, dueAt <= deadline { return }
        scheduled?.cancel()
        dueAt = deadline
        let watch = NIOLoopBound(self, eventLoop: channel.eventLoop)
        scheduled = channel.eventLoop.scheduleTask(in: TimeAmount(max(deadline - now, .zero))) { watch.value.fire() }
    }

    private func fire() {
        scheduled = nil
        guard let deadline = timer.deadline else { return }
        if now >= deadline { channel.close(promise: nil) } else { arm() }
    }
}
