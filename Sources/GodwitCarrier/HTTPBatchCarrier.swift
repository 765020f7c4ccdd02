public import GodwitBatch
public import GodwitProtocol
import Synchronization

/// Batch exchanges with one peer over HTTP/1.1 and TLS 1.3: one POST each, on a connection that is kept.
///
/// One exchange at a time uses the kept connection. Another one begun meanwhile opens a connection of its own, at most
/// `exchangesMax` run at once. Curl blocks a thread of its own, never a task's.
public final class HTTPBatchCarrier: Carrier {
    /// Exchanges at the same time; one more is refused with 3002.
    public static let exchangesMax = 4

    private struct State {
        var kept: CurlHandle?
        var running = 0
    }

    let configuration: HTTPCarrierConfiguration
    private let state = Mutex(State())

    /// - Throws: `ProtocolError` 2000 or 3001 for a configuration that cannot be; nothing is connected yet.
    public init(_ configuration: HTTPCarrierConfiguration) throws(ProtocolError) {
        try configuration.validate()
        self.configuration = configuration
    }

    /// One round trip. Cancelling the task breaks it off within about a second and throws `CancellationError`.
    ///
    /// A request of little more than a packet goes in one piece with its length. A longer one is sent in chunks, one a
    /// record; each is asked for when curl has handed those before it to the system, which keeps little of them back.
    ///
    /// - Throws: `ProtocolError` 3000 when the link failed, 1000 with `details.reason` `pin_mismatch` or
    ///   `certificate_untrusted` when the peer is not who it should be (not to be retried by itself), the peer's own
    ///   error where it answered one, whatever `request` or `receive` threw.
    public func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        var records = OutgoingRecords(request)
        let body = try await RequestBody(beginning: &records)
        let rest = records
        let pipe = ChunkPipe<CurlOutcome>()
        try start(body, pipe)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await withTaskCancellationHandler {
                        try await body.fill(from: rest)
                    } onCancel: {
                        body.end()
                    }
                }
                group.addTask {
                    try await withTaskCancellationHandler {
                        try await Self.deliver(pipe, keeping: request, to: receive)
                    } onCancel: {
                        pipe.abandon()
                    }
                }
                for try await _ in group {}
            }
        } catch {
            pipe.abandon()
            body.end()
            _ = await pipe.outcome()
            throw body.failure ?? error
        }
        let statistics = await pipe.outcome().statistics
        return statistics.measured(
            ExchangeStatistics(
                sent: ByteCount(statistics.sent), received: ByteCount(statistics.received),
                duration: statistics.milliseconds, reusedConnection: statistics.reusedConnection))
    }

    /// Ends when the transfer has; throws its failure.
    private static func deliver(
        _ pipe: ChunkPipe<CurlOutcome>, keeping request: any RecordSource,
        to receive: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var reader = ExchangeReader()
        while let chunks = await pipe.take() {
            for chunk in chunks {
                for record in try reader.feed(chunk) {
                    try Task.checkCancellation()
                    try await receive(record)
                }
            }
            let beginning = reader.beginning
            if !beginning.isEmpty { await request.keep(beginning) }
        }
        try Task.checkCancellation()
        if let failure = CarrierFailure.error(of: await pipe.outcome()) { throw failure }
        try reader.end()
    }

    private func start(_ body: RequestBody, _ pipe: ChunkPipe<CurlOutcome>) throws(ProtocolError) {
        let handle = try borrow()
        let configuration = configuration
        do {
            try CurlThread.run { [self] in
                let transfer = CurlTransfer(handle: handle, body: body, pipe: pipe, configuration)
                let outcome = transfer.perform()
                giveBack(handle)
                body.end()
                pipe.finish(outcome)
            }
        } catch {
            giveBack(handle)
            throw error
        }
    }

    private func borrow() throws(ProtocolError) -> CurlHandle {
        let kept = try state.withLock { state throws(ProtocolError) -> CurlHandle? in
            guard state.running < Self.exchangesMax else {
                throw ProtocolError(
                    .rateLimited, "Too many exchanges with one peer at the same time.", hint: "Wait for one to end.")
            }
            state.running += 1
            defer { state.kept = nil }
            return state.kept
        }
        if let kept { return kept }
        do {
            return try CurlHandle(configuration)
        } catch {
            state.withLock { $0.running -= 1 }
            throw error
        }
    }

    private func giveBack(_ handle: CurlHandle) {
        // A second handle is let go outside the lock: closing a connection takes its time.
        let surplus = state.withLock { state -> CurlHandle? in
            state.running -= 1
            defer { if state.kept == nil { state.kept = handle } }
            return state.kept == nil ? nil : handle
        }
        _ = surplus
    }
}
