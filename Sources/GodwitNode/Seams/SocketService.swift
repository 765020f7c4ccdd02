import GodwitProtocol

/// What the node offers to whoever speaks WebSocket to it (`/ws/v1`, subprotocol `dcp-v1`).
public protocol SocketService: Sendable {
    /// A socket was opened. Before `authenticated`, only `auth_*` frames are answered.
    func open(_ request: SocketRequest, outbox: any SocketOutbox) async -> any SocketSession
}

/// What the handshake carried.
public struct SocketRequest: Sendable {
    /// The bearer token of the `Authorization` header, if any.
    public var token: String?
    public var origin: String?
    public var source: SourceAddress?
    public init(token: String?, origin: String?, source: SourceAddress? = nil) {
        self.token = token
        self.origin = origin
        self.source = source
    }
}

/// One client's socket, seen from the node.
public protocol SocketSession: Sendable {
    /// One whole text message, at most `SocketLimits.messageMax` bytes of UTF-8. Never throws: errors are answered.
    func received(_ text: [UInt8]) async
    /// The peer has gone or the server shuts down. Called once.
    func closed() async
    /// False until a session was opened on it; the server closes with 4401 when it stays false for 30 s.
    func isAuthenticated() async -> Bool
    /// The outbox, which had refused something, has room again.
    func drained() async
}

/// Where the node puts what it has to say. Bounded: see `send`.
public protocol SocketOutbox: Sendable {
    /// Queues one text message. False when the outbox (256 messages) is full or closed: nothing was queued, the
    /// message stays in the spool.
    func send(_ text: [UInt8]) -> Bool
    /// Sends what is queued, then a close frame.
    func close(code: UInt16, reason: String)
}

public enum SocketLimits {
    /// Largest text message accepted, in bytes: a message of 65,535 bytes with its envelope.
    public static let messageMax = 131_072
    /// Messages waiting to be written to one socket.
    public static let outboxMax = 256
}

/// What the node answers to plain HTTP.
public protocol NodeInformation: Sendable {
    /// The signed node descriptor in canonical JSON (`GET /api/v1/node`).
    func descriptor() async -> [UInt8]
    /// True once the node takes traffic (`GET /readyz`).
    func isReady() async -> Bool
}
