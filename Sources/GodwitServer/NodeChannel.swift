import GodwitNode
import HummingbirdCore
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL
import NIOWebSocket

/// One accepted connection: TLS, then HTTP, then perhaps a WebSocket (Hummingbird's seam for child channels).
struct NodeChannel: HTTPChannelHandler {
    enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket(NIOAsyncChannel<SocketInput, WebSocketFrame>, SocketRequest)
        case live(NIOAsyncChannel<SocketInput, WebSocketFrame>)
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    let configuration: ServerConfiguration
    let tls: NIOSSLContext?
    let places: ConnectionPlaces
    let sockets: any SocketService
    let live: LiveService
    let responder: Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard takePlace(channel) else {
                // A set-up that fails would be the listener's failure; one without a first request ends in `handle`.
                return Value(channel: channel, negotiated: channel.eventLoop.makeFailedFuture(NoPlace()))
            }
            // An answer's next record is made when those before it have nearly left, so little of them may wait here.
            try channel.syncOptions?.setOption(.writeBufferWaterMark, value: .init(low: 1, high: AheadLimits.queued))
            try channel.syncOptions?.setOption(.tcpOption(AheadLimits.unsentOption), value: AheadLimits.unsent)
            if let tls {
                try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                // TLS ends a direction by its own alert. With TCP's half-closure, which Hummingbird allows, the handler
                // would wait five seconds for the alert of a peer that has gone.
                try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false)
            }
            let watch = ConnectionWatch(channel: channel, timer: ConnectionTimer(configuration))
            try channel.pipeline.syncOperations.addHandler(ByteWatchHandler(watch))
            let isolated = NIOLoopBound(watch, eventLoop: channel.eventLoop)
            var pipeline = NIOUpgradableHTTPServerPipelineConfiguration<Negotiated>(
                upgradeConfiguration: .init(
                    upgraders: [upgrader(isolated)],
                    notUpgradingCompletionHandler: { plain($0, isolated, logger) }))
            pipeline.enablePipelining = false
            pipeline.enableErrorHandling = false
            pipeline.enableResponseHeaderValidation = false
            pipeline.decoderConfiguration.maxHeaderFieldSize = HeaderLimits.fieldMax
            pipeline.decoderConfiguration.maxHeaderListSize = HeaderLimits.listMax
            pipeline.decoderConfiguration.maxHeaderFieldCount = HeaderLimits.countMax
            let negotiated = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: pipeline)
            let decoder = try channel.pipeline.syncOperations.handler(
                type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try channel.pipeline.syncOperations.addHandler(UpgradeFilterHandler(), position: .after(decoder))
            try channel.pipeline.syncOperations.addHandler(FirstRequestErrorHandler())
            return Value(channel: channel, negotiated: negotiated)
        }
    }

    /// Before anything is done for a connection, TLS above all.
    private func takePlace(_ channel: any Channel) -> Bool {
        guard !(configuration.isLocalExempt && channel.isLocal), let source = channel.source else { return true }
        guard places.enter(source) else {
            Counter(label: "godwit_limited_total", dimensions: [("limit", "connections")]).increment()
            return false
        }
        channel.closeFuture.whenComplete { _ in places.leave(source) }
        return true
    }

    /// The address has as many connections as it may.
    private struct NoPlace: Error {}

    private static func removeErrorHandler(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let handler = try pipeline.handler(type: FirstRequestErrorHandler.self)
        pipeline.removeHandler(handler, promise: nil)
    }

    private func plain(
        _ channel: any Channel, _ watch: NIOLoopBound<ConnectionWatch>, _ logger: Logger
    ) -> EventLoopFuture<Negotiated> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try Self.removeErrorHandler(channel)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: tls != nil))
            try pipeline.addHandler(PartWatchHandler(watch.value, bodyMax: configuration.bodyMax))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: nil, logger: logger))
            return .http(
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        }
    }

    private func upgrader(_ watch: NIOLoopBound<ConnectionWatch>) -> NIOTypedWebSocketServerUpgrader<Negotiated> {
        NIOTypedWebSocketServerUpgrader(
            maxFrameSize: SocketLimits.messageMax, enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                // The filter before the upgrader has looked already.
                channel.eventLoop.makeSucceededFuture(SocketHandshake(head)?.answer)
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    watch.value.disarm()
                    try Self.removeErrorHandler(channel)
                    let isLive = SocketHandshake(head) == .live
                    if isLive { try channel.pipeline.syncOperations.addHandler(CloseGuardHandler()) }
                    try channel.pipeline.syncOperations.addHandler(SocketInputHandler())
                    let socket = try NIOAsyncChannel<SocketInput, WebSocketFrame>(
                        wrappingChannelSynchronously: channel)
                    return isLive
                        ? .live(socket) : .socket(socket, SocketHandshake.request(of: head, from: channel.source))
                }
            })
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .socket(let channel, let request):
                let connection = SocketConnection(timeouts: configuration.session, logger: logger)
                await connection.run(channel, request, service: sockets)
            case .live(let channel): await LiveConnection(service: live).run(channel)
            }
        } catch {
            logger.debug("A connection ended before its first request.")
            value.channel.close(promise: nil)
        }
    }
}

/// Bounds of a request's header, in bytes and fields.
enum HeaderLimits {
    static let fieldMax = 8_192
    static let listMax = 16_384
    static let countMax = 64
}

/// What of an answer may wait on its way out, in bytes; more than that keeps its next record from being made.
enum AheadLimits {
    /// In this process.
    static let queued = 4_096
    /// In the system, not sent yet.
    static let unsent = 4_096
    /// `TCP_NOTSENT_LOWAT` of Linux, which its headers do not show to Swift.
    static let unsentOption = NIOBSDSocket.Option(rawValue: 25)
}
