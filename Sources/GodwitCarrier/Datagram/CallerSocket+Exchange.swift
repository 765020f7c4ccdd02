import GodwitBatch
import GodwitLink
import GodwitProtocol

extension CallerSocket {
    /// One round trip: sends `request`, the body of `records`, and hands over what is answered. Cancelling the task
    /// tells the peer and throws `CancellationError`.
    ///
    /// - Throws: `ProtocolError` 3000 when nothing was heard for long, the peer's own error, whatever `receive` threw.
    func exchange(
        _ request: [UInt8], of records: [[UInt8]], over link: DatagramLink, isReused: Bool,
        receive: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let conversation = begin(link)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            conversation.with { stream, now in
                stream.firstPart = records.first.map { ExchangeWriter.frame($0).count }
                stream.write(request, at: now)
                stream.finish()
            }
            try await Self.deliver(conversation, to: receive)
        } catch {
            conversation.with { stream, _ in stream.close(nil) }
            end(conversation)
            throw error
        }
        end(conversation)
        let duration = (clock.now - start).inMillisecondsRoundedUp
        return conversation.with { stream, _ in
            stream.measured(
                ExchangeStatistics(
                    sent: ByteCount(stream.counts.sent), received: ByteCount(stream.counts.received),
                    duration: duration, reusedConnection: isReused))
        }
    }

    /// Ends when the whole answer was handed over.
    private static func deliver(
        _ conversation: DatagramConversation, to receive: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var reader = ExchangeReader()
        while true {
            await conversation.wait { $0.hasNews }
            try Task.checkCancellation()
            let (bytes, isEnd, state) = conversation.with { stream, now in
                (stream.read(at: now), stream.input.isRead, stream.state)
            }
            for record in try reader.feed(bytes) {
                try Task.checkCancellation()
                try await receive(record)
            }
            if isEnd { return try reader.end() }
            if bytes.isEmpty, case .failed(let error) = state { throw error }
        }
    }
}
