import GodwitProtocol

/// Where and how a node listens. Limits have defaults that suit a site of some thousand devices on thin links.
public struct ServerConfiguration: Sendable {
    /// Certificate chain and private key of the listener, PEM.
    public struct TLS: Sendable {
        public var certificateChain: [UInt8]
        public var privateKey: [UInt8]

        public init(certificateChain: [UInt8], privateKey: [UInt8]) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }

    /// Name or address of the interface to listen on.
    public var host: String
    /// 0 takes a free port; `NodeServer`'s `onBound` tells which.
    public var port: Int
    /// nil serves clear text: on loopback only, unless `allowClear` (SEC-02).
    public var tls: TLS?
    public var allowClear = false

    /// Connections at the same time; more wait in the system's queue until one ends.
    public var connectionsMax = 12_000
    /// Of them those of one address but this machine's own: a whole site may stand behind one, but none takes the
    /// places of all others. One more is closed at once.
    public var connectionsPerSourceMax = 2_000
    /// A proxy on this machine may stand for all addresses.
    var isLocalExempt = true
    /// Live links at the same time; one more is refused with 3002.
    public var liveLinksMax = 256
    /// Live links of which no record was accepted yet.
    public var liveStrangersMax = 64
    /// Bytes of a batch request's body.
    public var bodyMax = 16_777_216
    /// Bytes of bodies of the REST interface that may be arriving at the same time; one more is refused with 3002.
    public var apiBodiesMax = 33_554_432
    /// For how long the body of a request of the REST interface may arrive.
    public var apiBodyTimeout: Duration = .seconds(600)
    /// From the connection, or the first byte of a later request, to the end of the header, TLS handshake included.
    public var headTimeout: Duration = .seconds(60)
    /// No byte of a body, or no byte of an answer taken, for so long ends the connection. Satellite links stall.
    public var stallTimeout: Duration = .seconds(120)
    /// A connection without a request is kept for so long: a new one costs a thin link two round trips and 1.2 kB.
    public var idleTimeout: Duration = .seconds(900)
    public var socket = SocketTimeouts()
    /// Web pages that may use the REST interface.
    public var origins = APIOrigins()
    /// After so long without a frame a device's socket is asked with a ping, where that is not `socket.idle`.
    public var sessionIdle: Duration?

    /// For sockets of devices; live links keep to `socket`, for their callers count on its pings.
    var session: SocketTimeouts {
        var timeouts = socket
        timeouts.idle = sessionIdle ?? socket.idle
        return timeouts
    }
    public var metrics = MetricsAccess()

    public init(host: String, port: Int, tls: TLS?) {
        self.host = host
        self.port = port
        self.tls = tls
    }

    /// - Throws: `ProtocolError` 2000 naming the member that is out of its range, 3001 for clear text beyond loopback.
    func validate() throws(ProtocolError) {
        guard !host.isEmpty else { throw .malformed("The listener has no address.", member: "host") }
        guard (0...65_535).contains(port) else { throw .malformed("The port is out of 0...65535.", member: "port") }
        guard connectionsMax > 0, connectionsPerSourceMax > 0 else {
            throw .malformed("No connection would be accepted.", member: "connectionsMax")
        }
        guard liveLinksMax > 0, liveStrangersMax > 0 else {
            throw .malformed("No live link would be accepted.", member: "liveLinksMax")
        }
        guard bodyMax > 0, apiBodiesMax > 0 else { throw .malformed("No body would be accepted.", member: "bodyMax") }
        let durations = [
            headTimeout, stallTimeout, idleTimeout, apiBodyTimeout, socket.authentication, socket.idle, socket.answer,
            socket.close,
            session.idle,
        ]
        guard durations.allSatisfy({ $0 > .zero }) else {
            throw .malformed("Time-outs have to be longer than nothing.")
        }
        try origins.validate()
        guard tls != nil || allowClear || Self.isLoopback(host) else {
            throw ProtocolError(
                .federationError, "A listener without TLS is open to others than this machine.",
                hint: "Give it a certificate, listen on 127.0.0.1, or allow clear text in the configuration.")
        }
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// How long a WebSocket may stay silent.
public struct SocketTimeouts: Sendable, Hashable {
    /// Without a session for so long a socket is closed with 4401 (gaps G-28, G-33).
    public var authentication: Duration = .seconds(30)
    /// After so long without a frame the server asks with a ping.
    public var idle: Duration = .seconds(240)
    /// After a ping without any frame for so long the connection is cut.
    public var answer: Duration = .seconds(60)
    /// After a close frame was due for so long the connection is cut.
    public var close: Duration = .seconds(5)

    public init() {}
}
