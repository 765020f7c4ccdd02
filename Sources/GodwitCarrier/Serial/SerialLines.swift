public import GodwitLink
public import GodwitProtocol
public import Logging
import Synchronization

/// The serial lines of a node: each device is opened once and shared by whoever calls over it and whoever answers.
public final class SerialLines: Sendable {
    /// Lines at the same time.
    public static let linesMax = 64

    private struct State {
        /// By device.
        var lines: [String: SerialLine] = [:]
        var peers: [NodeID: SerialEndpoint] = [:]
        var listener: AsyncStream<SerialLine>.Continuation?
        var isClosed = false
    }

    private let own: NodeID
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter own: the id of this node.
    public init(own: NodeID, logger: Logger) {
        self.own = own
        self.logger = logger
    }

    /// The peer is at the other end of this line from now on, or of none. A line that nobody uses any more is closed; one
    /// whose settings change is closed and opened anew.
    public func set(_ endpoint: SerialEndpoint?, for peer: NodeID) {
        let pair = SerialPair(own, peer)
        let (closed, fresh) = state.withLock { state -> ([SerialLine], [SerialLine]) in
            guard !state.isClosed else { return ([], []) }
            let before = state.peers[peer]
            state.peers[peer] = endpoint
            var closed: [SerialLine] = []
            if let before, before.device != endpoint?.device, let line = state.lines[before.device], line.remove(pair) {
                state.lines[before.device] = nil
                closed.append(line)
            }
            guard let endpoint else { return (closed, []) }
            if let line = state.lines[endpoint.device] {
                if line.endpoint == endpoint {
                    line.add(pair)
                    return (closed, [])
                }
                closed.append(line)
            }
            guard state.lines[endpoint.device] != nil || state.lines.count < Self.linesMax else { return (closed, []) }
            let line = SerialLine(endpoint, logger: logger)
            for (peer, other) in state.peers where other.device == endpoint.device { line.add(SerialPair(own, peer)) }
            state.lines[endpoint.device] = line
            return (closed, [line])
        }
        for line in closed { line.close() }
        let listener = state.withLock { $0.listener }
        for line in fresh { listener?.yield(line) }
    }

    /// The line to a peer and the pair on it; nil: none was set.
    func line(to peer: NodeID) -> (line: SerialLine, pair: SerialPair)? {
        state.withLock { state in
            guard let endpoint = state.peers[peer], let line = state.lines[endpoint.device] else { return nil }
            return (line, SerialPair(own, peer))
        }
    }

    /// All lines, those of now and those that come.
    func all() -> AsyncStream<SerialLine> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SerialLine.self, bufferingPolicy: .bufferingOldest(Self.linesMax * 2))
        let known = state.withLock { state in
            state.listener = continuation
            return Array(state.lines.values)
        }
        for line in known { continuation.yield(line) }
        return stream
    }

    /// Closes all lines for good.
    public func close() {
        let lines = state.withLock { state in
            state.isClosed = true
            state.listener?.finish()
            defer { state.lines = [:] }
            return Array(state.lines.values)
        }
        for line in lines { line.close() }
    }

    deinit { close() }
}
