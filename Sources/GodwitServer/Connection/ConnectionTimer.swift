/// When a plain connection has been silent for too long. Times are durations since it was accepted.
struct ConnectionTimer {
    private enum Phase: Hashable {
        /// The first request's head is awaited, TLS included.
        case connecting
        case idle
        /// Some bytes of a later head are there.
        case head
        case body
        case answering
        /// A WebSocket keeps its own time.
        case disarmed
    }

    private let headTimeout: Duration
    private let stallTimeout: Duration
    private let idleTimeout: Duration
    private var phase = Phase.connecting
    private var phaseBegan: Duration = .zero
    private var lastMove: Duration = .zero
    private var writesPending = 0
    private var answersPending = 0

    init(_ configuration: ServerConfiguration) {
        headTimeout = configuration.headTimeout
        stallTimeout = configuration.stallTimeout
        idleTimeout = configuration.idleTimeout
    }

    /// No request is being read or answered.
    var isBetweenRequests: Bool { phase == .connecting || phase == .idle }

    private mutating func enter(_ next: Phase, at now: Duration) {
        guard phase != .disarmed else { return }
        phase = next
        phaseBegan = now
    }

    mutating func bytesArrived(at now: Duration) {
        lastMove = now
        if phase == .idle { enter(.head, at: now) }
    }

    mutating func headArrived(at now: Duration) {
        answersPending += 1
        enter(.body, at: now)
    }

    mutating func requestEnded(at now: Duration) {
        enter(answersPending > 0 ? .answering : .idle, at: now)
    }

    /// The last byte of an answer was handed to the connection.
    mutating func answered(at now: Duration) {
        answersPending -= 1
        if answersPending == 0, phase == .answering { enter(.idle, at: now) }
    }

    mutating func writeBegan(at now: Duration) {
        if writesPending == 0 { lastMove = now }
        writesPending += 1
    }

    mutating func writeEnded(at now: Duration) {
        writesPending -= 1
        lastMove = now
    }

    mutating func disarm() { enter(.disarmed, at: .zero) }

    /// When the connection is to be ended if nothing else happens; nil while only the node itself is awaited.
    var deadline: Duration? {
        switch phase {
        case .connecting, .head: phaseBegan + headTimeout
        // An answer that is not taken stalls also after it was written to its end.
        case .idle: writesPending > 0 ? lastMove + stallTimeout : phaseBegan + idleTimeout
        case .body: max(lastMove, phaseBegan) + stallTimeout
        case .answering: writesPending > 0 ? lastMove + stallTimeout : nil
        case .disarmed: nil
        }
    }
}
