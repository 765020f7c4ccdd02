public import GodwitBatch
import GodwitLink
import GodwitProtocol
public import Logging

/// The answering end of exchanges over the serial lines of a node, those of now and those that are set later.
public final class SerialListener: Sendable {
    /// Exchanges at the same time on one line, as in `UDPListenerConfiguration`.
    public static let exchangesMax = 8
    /// Bytes of one request.
    public static let bodyMax = 16_777_216

    private let lines: SerialLines
    private let service: any ExchangeService
    private let logger: Logger

    public init(_ lines: SerialLines, service: any ExchangeService, logger: Logger) {
        self.lines = lines
        self.service = service
        self.logger = logger
    }

    /// Serves until cancelled, then closes the lines.
    public func run() async {
        let all = lines.all()
        await withDiscardingTaskGroup { group in
            for await line in all {
                group.addTask { await self.serve(line) }
            }
            group.cancelAll()
        }
        lines.close()
    }

    private func serve(_ line: SerialLine) async {
        let endpoint = line.endpoint
        let limits = ListenerLimits(
            exchangesMax: Self.exchangesMax, exchangesPerAddressMax: Self.exchangesMax, bodyMax: Self.bodyMax,
            rateMax: endpoint.bitRate.bitsPerSecond, payloadMax: endpoint.mtu - SerialFrame.checkSize)
        await DatagramServer(limits: limits, service: service, logger: logger).run(over: line) { table, stop in
            line.answer(by: table, stop: stop)
        }
    }
}
