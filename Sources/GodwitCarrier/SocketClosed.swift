/// How a socket ended.
public struct SocketClosed: Error, Hashable, Sendable {
    /// The close code of RFC 6455 §7.4, or nil when the connection broke without one.
    public var code: UInt16?
    public var reason: String

    public init(code: UInt16?, reason: String) {
        self.code = code
        self.reason = reason
    }
}
