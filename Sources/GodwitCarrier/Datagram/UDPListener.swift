public import GodwitBatch
public import GodwitProtocol
public import Logging

/// Where a node hears datagrams, and how much it takes on. The limits hold for strangers: until a first record was
/// accepted nothing goes out but acknowledgements, and at most three times the bytes that came until the caller has
/// acknowledged something.
public struct UDPListenerConfiguration: Sendable {
    /// Name or address of the interface to listen on.
    public var host: String
    /// 0 takes a free port.
    public var port: Int
    /// Exchanges at the same time, each with up to 256 KiB of memory beside what its service takes; for one more, the
    /// oldest gives way of which no record was accepted yet, else it is refused with 3002.
    public var exchangesMax = 64
    /// Exchanges at the same time from one IP address.
    public var exchangesPerAddressMax = 16
    /// Bytes of one request.
    public var bodyMax = 16_777_216
    /// Upper bound for the rate that a caller asks for; bit/s.
    public var rateMax = 1_000_000_000
    /// Bytes of the largest datagram that goes out, IP and UDP headers not counted; callers say less.
    public var payloadMax = 1_472
    /// Nothing heard for so long ends an exchange; nil: 60 s or 20 round trips, the longer of them.
    public var silence: Duration?
    /// Ended exchanges are still answered for so long.
    public var lingering: Duration = .seconds(60)

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    var limits: ListenerLimits {
        ListenerLimits(
            exchangesMax: exchangesMax, exchangesPerAddressMax: exchangesPerAddressMax, bodyMax: bodyMax,
            rateMax: rateMax, payloadMax: payloadMax, silence: silence, lingering: lingering)
    }

    /// - Throws: `ProtocolError` 2000 naming the member that is out of its range.
    func validate() throws(ProtocolError) {
        guard !host.isEmpty else { throw .malformed("The listener has no address.", member: "host") }
        guard (0...65_535).contains(port) else { throw .malformed("The port is out of 0...65535.", member: "port") }
        guard exchangesMax > 0, exchangesPerAddressMax > 0 else {
            throw .malformed("No exchange would be accepted.", member: "exchangesMax")
        }
        guard bodyMax > 0 else { throw .malformed("No body would be accepted.", member: "bodyMax") }
        guard rateMax >= Datagram.Opening.rates.lowerBound else {
            throw .malformed("The rate is below 10 bit/s.", member: "rateMax")
        }
        guard Datagram.Opening.payloads.contains(payloadMax) else {
            throw .malformed("A datagram has 36 to 65,507 bytes.", member: "payloadMax")
        }
    }
}

/// The answering end of exchanges in datagrams (docs/protocol.md §8.2): one socket, one session an exchange. The answer
/// begins while the request still comes in, where the session has something to say.
public final class UDPListener: Sendable {
    private let configuration: UDPListenerConfiguration
    private let service: any ExchangeService
    private let logger: Logger
    private let onBound: @Sendable (_ port: Int) async -> Void

    /// - Parameter onBound: called once with the port that was taken.
    /// - Throws: `ProtocolError` 2000 for a configuration that cannot be.
    public init(
        configuration: UDPListenerConfiguration, service: any ExchangeService, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws(ProtocolError) {
        try configuration.validate()
        self.configuration = configuration
        self.service = service
        self.logger = logger
        self.onBound = onBound
    }

    /// Serves until cancelled; callers of exchanges that run are told then. Throws when the port cannot be taken.
    public func run() async throws {
        let address = try await DatagramSocket.resolve(configuration.host, port: configuration.port)
        let socket = try await DatagramSocket.bound(to: address)
        let server = DatagramServer(limits: configuration.limits, service: service, logger: logger)
        await server.run(over: socket) { table, _ in
            socket.take { bytes, address in table.take(bytes, from: .socket(address)) }
            await onBound(socket.port)
        }
        await socket.close()
    }
}
