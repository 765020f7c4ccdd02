import GodwitProtocol
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Opens WebSockets to a node: TLS 1.3 with the node's key pinned, then the upgrade (RFC 6455 §4.1).
struct SocketDialer: Sendable {
    enum Upgrade<Output: Sendable>: Sendable { case open(Output), refused }

    /// Scheme `wss`, or `ws` on loopback or with `allowClear`; `path` is added to its own.
    let endpoint: Endpoint
    /// Public keys that the node may show; without any, the system's trust decides.
    let pins: [CertificatePin]
    let path: String
    let subprotocol: String
    /// Session token for the `Authorization` header.
    var token: String?
    var allowClear = false
    var timeout: Duration = .seconds(30)
    /// Bytes of the largest frame.
    let frameMax: Int

    /// - Parameters:
    ///   - prepare: adds what stands right after TLS.
    ///   - open: takes over the channel of the open socket.
    /// - Throws: `ProtocolError` 3000 without a connection, 1000 for a key that is not pinned, 9002 when the node does
    ///   not take the upgrade.
    func connect<Output: Sendable>(
        prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in },
        open: @escaping @Sendable (any Channel) throws -> Output
    ) async throws -> Output {
        guard endpoint.scheme == .ws || endpoint.scheme == .wss else {
            throw ProtocolError.malformed("A socket needs a ws or wss address.", hint: "Write it as wss://host:port.")
        }
        try endpoint.requireSecure(unless: allowClear)
        let verdict = PinVerdict()
        let tls = try endpoint.scheme.isSecure ? Self.context(pinned: !pins.isEmpty) : nil
        let amount = TimeAmount.milliseconds(timeout.wholeMilliseconds)
        let attempt: Attempt<Output>
        do {
            attempt = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(amount)
                .channelOption(ChannelOptions.socketOption(.tcp_nodelay), value: 1)
                .connect(host: endpoint.host, port: endpoint.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(tlsHandler(tls, verdict: verdict))
                        }
                        try prepare(channel)
                        return Attempt(channel: channel, upgrade: try configureUpgrade(channel, open))
                    }
                }
        } catch {
            throw Self.failure(verdict)
        }
        return try await negotiated(attempt, verdict: verdict, timeout: amount)
    }

    private struct Attempt<Output: Sendable>: Sendable {
        let channel: any Channel
        let upgrade: EventLoopFuture<Upgrade<Output>>
    }

    private func negotiated<Output: Sendable>(
        _ attempt: Attempt<Output>, verdict: PinVerdict, timeout: TimeAmount
    ) async throws -> Output {
        let channel = attempt.channel
        // Closing the channel fails the upgrade, and so ends the wait below.
        let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        defer { timer.cancel() }
        let outcome: Upgrade<Output>
        do { outcome = try await attempt.upgrade.get() } catch {
            channel.close(promise: nil)
            throw Self.failure(verdict)
        }
        switch outcome {
        case .open(let output): return output
        case .refused:
            channel.close(promise: nil)
            var error = ProtocolError(
                .protocolVersionMismatch, "The node did not open a socket.",
                hint: "Check its address; it has to serve \(path) with the subprotocol \(subprotocol).")
            error.sentNothing = true
            throw error
        }
    }

    private static func failure(_ verdict: PinVerdict) -> ProtocolError {
        var error =
            verdict.isRefused
            ? ProtocolError(
                .invalidCredentials, "The node showed a key that is not the pinned one. Nothing was sent.",
                hint: "Somebody may be standing between. Compare the new pin by another way.",
                details: ["reason": "pin_mismatch"])
            : ProtocolError(.nodeUnreachable, "The node did not accept a connection.", hint: "It may be off.")
        error.sentNothing = true
        return error
    }

    private var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: endpoint.authority)
        headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol)
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

    private func tlsHandler(_ context: NIOSSLContext, verdict: PinVerdict) throws -> NIOSSLClientHandler {
        // A server name must not be an address (RFC 6066 §3).
        let isAddress = endpoint.host.contains(":") || endpoint.host.allSatisfy { $0.isNumber || $0 == "." }
        let name = isAddress ? nil : endpoint.host
        guard !pins.isEmpty else { return try NIOSSLClientHandler(context: context, serverHostname: name) }
        let pins = pins
        return try NIOSSLClientHandler(context: context, serverHostname: name) { chain, promise in
            let isPinned = chain.first.flatMap { try? CertificatePin(certificate: $0) }.map(pins.contains) ?? false
            if !isPinned { verdict.refuse() }
            promise.succeed(isPinned ? .certificateVerified : .failed)
        }
    }

    private func configureUpgrade<Output: Sendable>(
        _ channel: any Channel, _ open: @escaping @Sendable (any Channel) throws -> Output
    ) throws -> EventLoopFuture<Upgrade<Output>> {
        let subprotocol = subprotocol
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade<Output>>(
            maxFrameSize: frameMax, enableAutomaticErrorHandling: false
        ) { channel, response in
            channel.eventLoop.makeCompletedFuture {
                guard response.headers["Sec-WebSocket-Protocol"] == [subprotocol] else { return .refused }
                return .open(try open(channel))
            }
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: endpoint.path + path, headers: headers)
        let upgradeConfiguration = NIOTypedHTTPClientUpgradeConfiguration<Upgrade<Output>>(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { $0.eventLoop.makeSucceededFuture(.refused) })
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration<Upgrade<Output>>(
            upgradeConfiguration: upgradeConfiguration)
        pipeline.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
    }
}
