import GodwitBatch
import GodwitLink
import GodwitProtocol

extension CallerSocket {
    /// One round trip: sends the records of `request` as the link takes them, and hands over what is answered. Cancelling
    /// the task tells the peer and throws `CancellationError`.
    ///
    /// - Throws: `ProtocolError` 3000 when nothing was heard for long, the peer's own error, whatever `request` or
    ///   `receive` threw.
    func exchange(
        _ request: any RecordSource, over link: DatagramLink, isReused: Bool,
        receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        // Before the exchange begins: with a record that cannot be, nothing does.
        var records = OutgoingRecords(request)
        let first = try await records.next()
        let rest = records
        let conversation = begin(link)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.send(first, rest, conversation) }
                group.addTask { try await Self.deliver(conversation, keeping: request, to: receive) }
                for try await _ in group {}
            }
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

    /// Ends when the whole request was written, or nobody takes it any more.
    private static func send(
        _ first: [UInt8]?, _ rest: OutgoingRecords, _ conversation: DatagramConversation
    ) async throws {
        var rest = rest
        var record = first
        conversation.with { stream, _ in stream.firstPart = first?.count }
        while let bytes = record {
            conversation.with { stream, now in stream.write(bytes, at: now) }
            guard try await conversation.waitUntilHungry() else { return }
            record = try await rest.next()
        }
        conversation.with { stream, _ in stream.finish() }
    }

    /// Ends when the whole answer was handed over.
    private static func deliver(
        _ conversation: DatagramConversation, keeping request: any RecordSource,
        to receive: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var reader = ExchangeReader()
        while true {
            await conversation.wait { stream, _ in stream.hasNews }
            try Task.checkCancellation()
            let (bytes, isEnd, state) = conversation.with { stream, now in
                (stream.read(at: now), stream.input.isRead, stream.state)
            }
            for record in try reader.feed(bytes) {
                try Task.checkCancellation()
                try await receive(record)
            }
            let beginning = reader.beginning
            if !bytes.isEmpty, !beginning.isEmpty { await request.keep(beginning) }
            if isEnd { return try reader.end() }
            if bytes.isEmpty, case .failed(let error) = state { throw error }
        }
    }
}
