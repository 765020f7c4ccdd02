public import GodwitProtocol

/// One way to a peer, for `godwit link status`.
public struct WayReport: Sendable, Hashable {
    public var endpoint: String
    /// The last exchange that reached the peer went this way.
    public var isLastUsed: Bool
    /// Since it last worked.
    public var failures: Int
    public var error: ProtocolError?
    /// Milliseconds until it is preferred again; nil: now.
    public var retry: Int64?

    public init(endpoint: String, isLastUsed: Bool, failures: Int, error: ProtocolError?, retry: Int64?) {
        self.endpoint = endpoint
        self.isLastUsed = isLastUsed
        self.failures = failures
        self.error = error
        self.retry = retry
    }

    public var object: JSONObject {
        [
            "endpoint": .string(endpoint), "last_used": .bool(isLastUsed), "failures": .integer(Int64(failures)),
            "last_error": error.map { error in
                [
                    "code": .string(error.code.name), "message": .string(error.message),
                    "hint": error.hint.map { .string($0) } ?? .null,
                ]
            } ?? .null,
            "retry_ms": retry.map { .integer($0) } ?? .null,
        ]
    }
}

/// A carrier that knows several ways and says how they do.
public protocol WayReporting: Sendable {
    /// Best first.
    var wayReports: [WayReport] { get }
}
