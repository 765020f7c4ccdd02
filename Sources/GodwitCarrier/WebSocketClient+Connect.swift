import GodwitProtocol
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

extension WebSocketClient {
    private enum Upgrade: Sendable { case open(WebSocketClient), refused }

    /// Connects to `endpoint` (scheme `wss`, or `ws` on loopback or with `allowClear`), path `/ws/v1` added.
    ///
    /// - Parameters:
    ///   - pins: public keys that the node may show; without any, the system's trust decides.
    ///   - token: session token for the `Authorization` header; nil opens an unauthenticated socket (gap G-28).
    /// - Throws: `ProtocolError` 3000 without a connection, 1000 for a key that is not pinned, 9002 when the node does
    ///   not take the upgrade.
    public static func connect(
        to endpoint: Endpoint, pins: [CertificatePin], token: String? = nil, allowClear: Bool = false,
        timeout: Duration = .seconds(30)
    ) async throws -> WebSocketClient {
        guard endpoint.scheme == .ws || endpoint.scheme == .wss else {
            throw ProtocolError.malformed("A socket needs a ws or wss address.", hint: "Write it as wss://host:port.")
        }
        try endpoint.requireSecure(unless: allowClear)
        let verdict = PinVerdict()
        let tls = try endpoint.scheme.isSecure ? Self.context(pinned: !pins.isEmpty) : nil
        let headers = Self.headers(endpoint, token: token)
        let amount = TimeAmount.milliseconds(timeout.wholeMilliseconds)
        let attempt: Attempt
        do {
            attempt = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(amount)
                .channelOption(ChannelOptions.socketOption(.tcp_nodelay), value: 1)
                .connect(host: endpoint.host, port: endpoint.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(
                                Self.tlsHandler(tls, endpoint: endpoint, pins: pins, verdict: verdict))
                        }
                        let upgrade = try Self.configureUpgrade(
                            channel, path: endpoint.path + "/ws/v1", headers: headers)
                        return Attempt(channel: channel, upgrade: upgrade)
                    }
                }
        } catch {
            throw Self.failure(verdict)
        }
        return try await Self.negotiated(attempt, verdict: verdict, timeout: amount)
    }

    private struct Attempt: Sendable {
        let channel: any Channel
        let upgrade: EventLoopFuture<Upgrade>
    }

    private static func negotiated(
        _ attempt: Attempt, verdict: PinVerdict, timeout: TimeAmount
    ) async throws -> WebSocketClient {
        let channel = attempt.channel
        // Closing the channel fails the upgrade, and so ends the wait below.
        let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        defer { timer.cancel() }
        let outcome: Upgrade
        do { outcome = try await attempt.upgrade.get() } catch {
            channel.close(promise: nil)
            throw failure(verdict)
        }
        switch outcome {
        case .open(let client): return client
        case .refused:
            channel.close(promise: nil)
            throw ProtocolError(
                .protocolVersionMismatch, "The node did not open a socket.",
                hint: "Check its address; it has to serve /ws/v1 with the subprotocol dcp-v1.")
        }
    }

    private static func failure(_ verdict: PinVerdict) -> ProtocolError {
        guard verdict.isRefused else {
            return ProtocolError(.nodeUnreachable, "The node did not accept a connection.", hint: "It may be off.")
        }
        return ProtocolError(
            .invalidCredentials, "The node showed a key that is not the pinned one. Nothing was sent.",
            hint: "Somebody may be standing between. Compare the new pin by another way.",
            details: ["reason": "pin_mismatch"])
    }

    private static func headers(_ endpoint: Endpoint, token: String?) -> HTTPHeaders {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: endpoint.authority)
        headers.add(name: "Sec-WebSocket-Protocol", value: "dcp-v1")
        if let token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        return headers
    }

    private static func context(pinned: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        if pinned {
            // The pin decides alone, in `tlsHandler`; the system's roots need not be read.
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([])
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func tlsHandler(
        _ context: NIOSSLContext, endpoint: Endpoint, pins: [CertificatePin], verdict: PinVerdict
    ) throws -> NIOSSLClientHandler {
        // A server name must not be an address (RFC 6066 §3).
        let isAddress = endpoint.host.contains(":") || endpoint.host.allSatisfy { $0.isNumber || $0 == "." }
        let name = isAddress ? nil : endpoint.host
        guard !pins.isEmpty else { return try NIOSSLClientHandler(context: context, serverHostname: name) }
        return try NIOSSLClientHandler(context: context, serverHostname: name) { chain, promise in
            let isPinned = chain.first.flatMap { try? CertificatePin(certificate: $0) }.map(pins.contains) ?? false
            if !isPinned { verdict.refuse() }
            promise.succeed(isPinned ? .certificateVerified : .failed)
        }
    }

    private static func configureUpgrade(
        _ channel: any Channel, path: String, headers: HTTPHeaders
    ) throws -> EventLoopFuture<Upgrade> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(
            maxFrameSize: messageMax, enableAutomaticErrorHandling: false
        ) { channel, response in
            channel.eventLoop.makeCompletedFuture {
                guard response.headers["Sec-WebSocket-Protocol"] == ["dcp-v1"] else { return .refused }
                let inbox = SocketInbox()
                let aggregator = NIOWebSocketFrameAggregator(
                    minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1_024,
                    maxAccumulatedFrameSize: messageMax)
                try channel.pipeline.syncOperations.addHandler(aggregator)
                try channel.pipeline.syncOperations.addHandler(ClientSocketHandler(inbox: inbox))
                return .open(WebSocketClient(channel: channel, inbox: inbox))
            }
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        let upgradeConfiguration = NIOTypedHTTPClientUpgradeConfiguration<Upgrade>(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { $0.eventLoop.makeSucceededFuture(.refused) })
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration<Upgrade>(upgradeConfiguration: upgradeConfiguration)
        pipeline.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
    }
}
