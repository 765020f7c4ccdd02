public import GodwitBatch
import GodwitProtocol

extension HTTPBatchCarrier: LinkProbing {
    /// Over a connection of its own, whose opening shows the round trip. Cancelling the task breaks it off within about a
    /// second.
    public func probe(_ record: [UInt8], up: Int, down: Int) async throws -> ExchangeStatistics {
        try Probe.check(up: up, down: down)
        var configuration = configuration
        configuration.path = Probe.path + "?down=\(down)"
        let (handle, settings) = (try CurlHandle(configuration), configuration)
        let body = RequestBody(whole: ExchangeWriter.frame(record) + Probe.padding(up))
        let pipe = ChunkPipe<CurlOutcome>()
        try CurlThread.run {
            pipe.finish(
                CurlTransfer(handle: handle, body: body, pipe: pipe, settings).perform())
        }
        do {
            try await withTaskCancellationHandler {
                try await Self.count(pipe, upTo: down)
            } onCancel: {
                pipe.abandon()
            }
        } catch {
            pipe.abandon()
            _ = await pipe.outcome()
            throw error
        }
        let traffic = await pipe.outcome().statistics
        return traffic.measured(
            ExchangeStatistics(
                sent: ByteCount(traffic.sent), received: ByteCount(traffic.received),
                duration: traffic.milliseconds, reusedConnection: false))
    }

    private static func count(_ pipe: ChunkPipe<CurlOutcome>, upTo down: Int) async throws {
        var received = 0
        while let chunks = await pipe.take() {
            received += chunks.reduce(0) { $0 + $1.count }
            guard received <= down else {
                throw ProtocolError.malformed("The answer to a probe is longer than was asked for.")
            }
        }
        try Task.checkCancellation()
        if let failure = CarrierFailure.error(of: await pipe.outcome()) { throw failure }
        guard received == down else {
            throw ProtocolError.malformed("The answer to a probe is shorter than was asked for.")
        }
    }
}
