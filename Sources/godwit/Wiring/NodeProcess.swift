import GodwitCarrier
import GodwitContact
import GodwitNode
import GodwitProtocol
import GodwitServer
import Logging
import ServiceLifecycle
import UnixSignals

/// A node as it runs: store and links first, then the listeners; down in reverse.
struct NodeProcess {
    let home: HomeOptions
    let settings: NodeSettings

    /// - Parameter listening: called with the port once the listener is bound.
    func run(listening: @escaping @Sendable (Int) async -> Void) async throws {
        let logger = Wiring.logger("godwit.node")
        NodeLog.setting = try settings.log()
        let registry = NodeMeasures.registry
        let place = try NodeHome(directory: home.nodeDirectory)
        let lines = SerialLines(own: place.id, logger: logger)
        let nodeConfiguration = try settings.nodeConfiguration()
        let node = try await HomeNode(
            home: place, spoolDirectory: settings.spool, configuration: nodeConfiguration,
            logger: logger, carrier: { try Carriers.peer($0, $1, lines) }, lines: { lines.set($0, for: $1) })
        let server = try NodeServer(
            configuration: try serverConfiguration(), exchange: node.exchange, sockets: node, information: node,
            commands: node, queues: node, metrics: NodeMeasures(registry: registry, node: node), logger: logger,
            onBound: listening)
        let reloader = NodeReloader(
            home: home, node: node, server: server, settings: settings, profiles: nodeConfiguration.profiles)
        let control = try ControlServer(path: home.controlPath) { request in
            if let answer = await reloader.answer(request) { return answer }
            return await node.control(request)
        }
        let serial = SerialListener(lines, service: node.exchange, logger: logger)
        var services: [any Service] = [NodeService(node: node), control, server, SerialService(listener: serial)]
        if let (host, port) = try settings.datagramAddress() {
            let listener = try UDPListener(
                configuration: UDPListenerConfiguration(host: host, port: port), service: node.exchange,
                logger: logger)
            services.append(DatagramService(listener: listener))
        }
        if let (host, port) = try settings.broadcastAddress() {
            let interface = settings.broadcastInterface.isEmpty ? nil : settings.broadcastInterface
            let listener = BroadcastListener(
                configuration: BroadcastListenerConfiguration(host: host, port: port, interface: interface),
                service: node.broadcasts, logger: logger)
            services.append(BroadcastReception(listener: listener))
        }
        services.append(ReloadService(reloader: reloader, logger: logger))
        services.append(StartPages())
        var configuration = ServiceGroupConfiguration(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(15)
        configuration.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }

    private func serverConfiguration() throws -> ServerConfiguration {
        let (host, port) = try settings.address()
        var tls: ServerConfiguration.TLS?
        if settings.tls {
            tls = ServerConfiguration.TLS(
                certificateChain: try Wiring.read(home.nodeDirectory + "/tls/certificate.pem"),
                privateKey: try Wiring.read(home.nodeDirectory + "/tls/key.pem"))
        }
        var configuration = ServerConfiguration(host: host, port: port, tls: tls)
        configuration.allowClear = settings.allowClear
        configuration.sessionIdle = try settings.nodeConfiguration().socketIdle
        configuration.origins = settings.apiOrigins()
        configuration.metrics = MetricsAccess(token: settings.metricsToken.isEmpty ? nil : settings.metricsToken)
        return configuration
    }
}

/// Runs the node's links and housekeeping until shutdown.
private struct NodeService: Service {
    let node: HomeNode

    func run() async throws {
        try await untilShutdown { try await node.run() }
    }
}

/// Hears datagrams until shutdown.
private struct DatagramService: Service {
    let listener: UDPListener

    func run() async throws {
        try await untilShutdown { try await listener.run() }
    }
}

/// Hears broadcasts until shutdown.
private struct BroadcastReception: Service {
    let listener: BroadcastListener

    func run() async throws {
        try await untilShutdown { try await listener.run() }
    }
}

/// Answers on the serial lines until shutdown.
private struct SerialService: Service {
    let listener: SerialListener

    func run() async throws {
        try await untilShutdown { await listener.run() }
    }
}

/// Runs until the service group shuts down. That the work was cancelled then is a regular end, not a failure.
func untilShutdown(_ work: @escaping @Sendable () async throws -> Void) async throws {
    do {
        try await cancelWhenGracefulShutdown(work)
    } catch is CancellationError where Task.isShuttingDownGracefully {
        return
    }
}
