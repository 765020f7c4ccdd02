import GodwitBatch
import GodwitProtocol

/// A link over which nobody answers.
struct Silence: Carrier {
    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        _ = try await request.next()
        throw ProtocolError(.nodeUnreachable, "Nobody answers.")
    }
}
