public import GodwitProtocol

/// How to reach one peer over HTTP.
public struct HTTPCarrierConfiguration: Sendable {
    /// `https://host[:port]`; `http://` on loopback only, see `allowClear`. A path stands before `/batch/v1/exchange`.
    public var endpoint: Endpoint
    /// Public keys that the peer may show: its present one and spares (SEC-03). With pins the certificate chain is not
    /// looked at; without, it has to lead to a root that this machine trusts.
    public var pins: [CertificatePin]
    /// Clear text beyond loopback: for links that are sealed below, or closed networks.
    public var allowClear = false
    /// TCP and TLS together.
    public var connectTimeout: Duration = .seconds(30)
    /// No byte either way for so long breaks the exchange off. Scale it to the link: a few round trips, and the time
    /// that 4 KiB take. What the receiver of records takes for itself does not count.
    public var stallTimeout: Duration = .seconds(120)
    /// Bytes that the system may hold unsent. The less, the later records are asked for, and the better an urgent item
    /// overtakes; a quarter of a second of the link's time is enough to keep it busy.
    public var unsentMax = Self.unsentRange.upperBound
    public static let unsentRange = 1_024...4_096
    /// Bytes of the request that go together at most, and are encrypted together: where the link breaks, only what came of
    /// whole pieces is of use. Each piece costs some 29 bytes.
    public var pieceMax = Self.pieceRange.upperBound
    public static let pieceRange = 1_024...65_536
    /// Network interface or local address to leave by, in curl's notation (`CURLOPT_INTERFACE`).
    public var interface: String?
    /// A proxy as curl writes it, such as `socks5h://127.0.0.1:9050`.
    public var proxy: String?
    /// Upper bounds for this carrier alone.
    public var sendRate: BitRate?
    public var receiveRate: BitRate?

    public init(endpoint: Endpoint, pins: [CertificatePin]) {
        self.endpoint = endpoint
        self.pins = pins
    }

    /// The address that is posted to.
    var exchangeURL: String { endpoint.text + path }
    /// Below the endpoint.
    var path = "/batch/v1/exchange"

    func validate() throws(ProtocolError) {
        guard endpoint.scheme == .http || endpoint.scheme == .https else {
            throw .malformed("A batch exchange needs an http or https address.", hint: "Write it as https://host:port.")
        }
        try endpoint.requireSecure(unless: allowClear)
        guard Self.unsentRange.contains(unsentMax) else {
            throw .malformed("The system holds 1,024 to 4,096 bytes unsent.", member: "unsentMax")
        }
        guard Self.pieceRange.contains(pieceMax) else {
            throw .malformed("A piece of a request has 1,024 to 65,536 bytes.", member: "pieceMax")
        }
        guard connectTimeout > .zero, stallTimeout > .zero else {
            throw .malformed("Time-outs have to be longer than nothing.")
        }
    }
}
