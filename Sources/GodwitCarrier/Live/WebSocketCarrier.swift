public import GodwitBatch
public import GodwitProtocol
import NIOCore
import NIOWebSocket
import Synchronization

/// How to reach one peer over a live link.
public struct WebSocketCarrierConfiguration: Sendable {
    /// `wss://host[:port]`; `ws://` on loopback only, see `allowClear`. A path stands before `/batch/v1/live`.
    public var endpoint: Endpoint
    /// Public keys that the peer may show (SEC-03).
    public var pins: [CertificatePin]
    /// Clear text beyond loopback.
    public var allowClear = false
    /// TCP, TLS and upgrade together.
    public var connectTimeout: Duration = .seconds(30)
    /// Nothing moved either way for so long breaks an exchange off.
    public var stallTimeout: Duration = .seconds(120)

    public init(endpoint: Endpoint, pins: [CertificatePin]) {
        self.endpoint = endpoint
        self.pins = pins
    }
}

/// Batch exchanges with one peer over one WebSocket that is kept (docs/protocol.md §8.6): for links that are stable. Both
/// ways at once, without headers, and the peer can say between exchanges that something waits there.
public final class WebSocketCarrier: AnnouncedCarrier {
    static let path = "/batch/v1/live"
    static let subprotocol = "dcp-batch-v1"
    /// A link that the peer took down sooner is not made again at once.
    private static let livesMin = Duration.seconds(60)
    /// A peer pings after four minutes of silence; one that has not for so long is gone.
    private static let silenceMax = TimeAmount.seconds(420)

    /// Also the handlers of the link's socket know it, so it is apart from the carrier.
    private final class Standing: Sendable {
        struct State {
            var kept: LiveSocket?
            var isRunning = false
            var notice: (@Sendable () -> Void)?
        }
        private let state = Mutex(State())

        func withLock<Value: Sendable, Failure>(
            _ body: (inout State) throws(Failure) -> Value
        ) throws(Failure) -> Value {
            try state.withLock { state throws(Failure) in try body(&state) }
        }

        var isRunning: Bool { state.withLock { $0.isRunning } }
        func announced() { state.withLock { $0.notice }?() }

        func lost(_ socket: LiveSocket?, after time: Duration) {
            let notice = state.withLock { state -> (@Sendable () -> Void)? in
                guard let socket, state.kept === socket else { return nil }
                state.kept = nil
                return time >= WebSocketCarrier.livesMin ? state.notice : nil
            }
            notice?()
        }
    }

    private let configuration: WebSocketCarrierConfiguration
    private let state = Standing()

    /// - Throws: `ProtocolError` 2000 or 3001 for a configuration that cannot be; nothing is connected yet.
    public init(_ configuration: WebSocketCarrierConfiguration) throws(ProtocolError) {
        guard configuration.endpoint.scheme == .ws || configuration.endpoint.scheme == .wss else {
            throw .malformed("A live link needs a ws or wss address.", hint: "Write it as wss://host:port.")
        }
        try configuration.endpoint.requireSecure(unless: configuration.allowClear)
        guard configuration.connectTimeout > .zero, configuration.stallTimeout > .zero else {
            throw .malformed("Time-outs have to be longer than nothing.")
        }
        self.configuration = configuration
    }

    /// Called also when a link that had lived for a minute was lost: a contact makes it anew.
    public func onAnnouncement(_ notice: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { $0.notice = notice }
        return true
    }

    /// One round trip; one at a time. Cancelling the task breaks the link and throws `CancellationError`.
    ///
    /// - Throws: `ProtocolError` 3000 when the link failed, 1000 with `details.reason` `pin_mismatch`, 3002 when an
    ///   exchange runs already, the peer's own error where it answered one, whatever `request` or `receive` threw.
    public func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let kept = try begin()
        defer { state.withLock { $0.isRunning = false } }
        let remembered = RememberedRecords(request)
        var lost = ByteCount.zero
        if let kept, kept.isOpen {
            let records = remembered.reader()
            let before = kept.meter.now
            do {
                return try await run(kept, records, isReused: true, receive)
            } catch let error as ProtocolError
                where error.code == .nodeUnreachable && kept.meter.now.received == before.received
            {
                // The peer had gone meanwhile.
                try Task.checkCancellation()
                lost = await records.bytes
            }
        }
        let fresh: LiveSocket
        do { fresh = try await dial() } catch var error as ProtocolError {
            if lost > .zero { error.sentNothing = false }
            throw error
        }
        var statistics = try await run(fresh, remembered.reader(), isReused: false, receive)
        statistics.sent += lost
        return statistics
    }

    private func begin() throws(ProtocolError) -> LiveSocket? {
        try state.withLock { state throws(ProtocolError) in
            guard !state.isRunning else {
                throw ProtocolError(
                    .rateLimited, "An exchange with the peer runs already.", hint: "Wait for it to end.")
            }
            state.isRunning = true
            defer { state.kept = nil }
            return state.kept
        }
    }

    private func run(
        _ socket: LiveSocket, _ records: any RecordSource, isReused: Bool,
        _ receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let start = ContinuousClock.now
        // The upgrade is paid for by the exchange that needed it.
        let before = isReused ? socket.meter.now : ByteMeter.Counts()
        try await socket.exchange(records, stallTimeout: configuration.stallTimeout, receive: receive)
        let after = socket.meter.now
        state.withLock { $0.kept = socket }
        return ExchangeStatistics(
            sent: ByteCount(after.sent - before.sent), received: ByteCount(after.received - before.received),
            duration: (ContinuousClock.now - start).wholeMilliseconds, reusedConnection: isReused)
    }

    private func dial() async throws -> LiveSocket {
        let dialer = SocketDialer(
            endpoint: configuration.endpoint, pins: configuration.pins, path: Self.path,
            subprotocol: Self.subprotocol, allowClear: configuration.allowClear,
            timeout: configuration.connectTimeout, frameMax: Exchange.recordMax)
        let meter = ByteMeter()
        let socket = try await dialer.connect { channel in
            try channel.syncOptions?.setOption(.tcpOption(UnsentLimit.option), value: UnsentLimit.bytes)
            try channel.pipeline.syncOperations.addHandler(ByteMeterHandler(meter))
        } open: { [state] channel in
            let inbox = SocketInbox<LiveMessage>()
            let handler = ClientSocketHandler(inbox: inbox) { frame in Self.read(frame) { state.announced() } }
            try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: Self.silenceMax))
            try channel.pipeline.syncOperations.addHandler(SilenceHandler { state.isRunning })
            try ClientSocketHandler.add(handler, to: channel, messageMax: Exchange.recordMax)
            return LiveSocket(channel: channel, meter: meter, inbox: inbox)
        }
        let opened = ContinuousClock.now
        socket.channel.closeFuture.whenComplete { [state, weak socket] (_: Result<Void, any Error>) in
            state.lost(socket, after: .now - opened)
        }
        return socket
    }

    private static func read(
        _ frame: WebSocketFrame, _ announced: () -> Void
    ) -> ClientSocketHandler<LiveMessage>.Reading {
        let bytes = Array(frame.unmaskedData.readableBytesView)
        switch frame.opcode {
        case .text: return .message(.error(bytes))
        case .binary where bytes == LiveMessage.announcement:
            announced()
            return .nothing
        case .binary: return .message(.record(bytes))
        default: return .refused(code: 1003, reason: "Unknown content.")
        }
    }

    deinit { state.withLock { $0.kept }?.channel.close(promise: nil) }
}

/// What the system may hold unsent of a connection, so that what was handed to it is nearly on the link.
enum UnsentLimit {
    static let bytes = 4_096
    /// `TCP_NOTSENT_LOWAT` of Linux, which its headers do not show to Swift.
    static let option = NIOBSDSocket.Option(rawValue: 25)
}
