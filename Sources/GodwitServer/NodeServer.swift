public import GodwitBatch
public import GodwitNode
public import GodwitProtocol
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
import NIOSSL
public import ServiceLifecycle
import Synchronization

/// The listener of a node: batch exchanges, live links, WebSockets, the REST interface and the few plain HTTP answers, over TLS 1.3.
///
/// Translates and calls; what anything means is decided behind its services. On graceful shutdown it stops
/// accepting, lets exchanges that run end, and closes each socket with 1001 after what waits for it was sent.
public final class NodeServer: Service {
    private let configuration: ServerConfiguration
    private let tls: NIOSSLContext?
    private let exchange: any ExchangeService
    private let sockets: any SocketService
    private let information: any NodeInformation
    private let commands: any CommandService
    private let queues: (any QueueWatch)?
    private let metrics: (any MetricsSource)?
    private let origins: Mutex<APIOrigins>
    private let logger: Logger
    private let onBound: @Sendable (_ port: Int) async -> Void

    /// - Parameters:
    ///   - commands: what the REST interface calls.
    ///   - queues: tells peers with a live link when something waits for them; nil: they have to ask.
    ///   - metrics: what `/metrics` shows; nil: nothing is there.
    ///   - onBound: called once with the port that was taken, before the first connection is served.
    /// - Throws: `ProtocolError` for a configuration that cannot be (see `ServerConfiguration.validate`) and 2000 for a
    ///   certificate or key that cannot be read. Nothing listens yet.
    public init(
        configuration: ServerConfiguration, exchange: any ExchangeService, sockets: any SocketService,
        information: any NodeInformation, commands: any CommandService, queues: (any QueueWatch)? = nil,
        metrics: (any MetricsSource)? = nil, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws(ProtocolError) {
        try configuration.validate()
        tls = try configuration.tls?.context()
        self.configuration = configuration
        origins = Mutex(configuration.origins)
        self.exchange = exchange
        self.sockets = sockets
        self.information = information
        self.commands = commands
        self.queues = queues
        self.metrics = metrics
        self.logger = logger
        self.onBound = onBound
    }

    /// Lets other web pages in from the next request on.
    /// - Throws: `ProtocolError` 2000 for what is no origin.
    public func set(_ next: APIOrigins) throws(ProtocolError) {
        try next.validate()
        origins.withLock { $0 = next }
    }

    /// Serves until shutdown. Throws when the port cannot be taken.
    public func run() async throws {
        let responder = NodeResponder(
            exchange: ExchangeResponder(service: exchange, bodyMax: configuration.bodyMax, logger: logger),
            api: APIResponder(
                service: commands, information: information, currentOrigins: { self.origins.withLock { $0 } },
                budget: BodyBudget(most: configuration.apiBodiesMax), bodyTimeout: configuration.apiBodyTimeout,
                logger: logger),
            metrics: MetricsResponder(source: metrics, access: configuration.metrics),
            information: information, logger: logger)
        let (configuration, tls, sockets, onBound) = (configuration, tls, sockets, onBound)
        let live = LiveService(
            exchange: exchange, queues: queues,
            places: LivePlaces(linksMax: configuration.liveLinksMax, strangersMax: configuration.liveStrangersMax),
            bodyMax: configuration.bodyMax, timeouts: configuration.socket, logger: logger)
        let places = ConnectionPlaces(perSourceMax: configuration.connectionsPerSourceMax)
        let builder = HTTPServerBuilder { responder in
            NodeChannel(
                configuration: configuration, tls: tls, places: places, sockets: sockets, live: live,
                responder: responder)
        }
        let server = try builder.buildServer(
            configuration: HummingbirdCore.ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 1_024,
                availableConnectionsDelegate: .maximum(configuration.connectionsMax, logger: logger)),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            responder: { request, writer, channel in
                try await responder.respond(to: request, from: channel.source, isLocal: channel.isLocal, writer)
            },
            onServerRunning: { channel in await onBound(channel.localAddress?.port ?? configuration.port) })
        try await server.run()
    }
}

extension ServerConfiguration.TLS {
    func context() throws(ProtocolError) -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(certificateChain).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: privateKey, format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .malformed(
                "The listener's certificate or private key cannot be used.",
                hint: "Both have to be PEM, and belong together.")
        }
    }
}
