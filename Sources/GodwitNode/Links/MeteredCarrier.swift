import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol
import Synchronization

/// A carrier whose exchanges are paid for from the budget of its link, those that fail as well, and are measured.
struct MeteredCarrier: Carrier {
    let carrier: any Carrier
    let budget: LinkBudget
    let time: any TimeSource
    let measure: LinkMeasure

    func exchange(
        _ records: [[UInt8]], receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let request = ByteCount(records.reduce(0) { $0 + $1.count })
        let leave = try await budget.reserve(request: request)
        let received = Mutex(0)
        let began = time.uptime()
        do {
            let statistics = try await carrier.exchange(records) { record in
                let sum = received.withLock { received in
                    received += record.count
                    return received
                }
                try await receive(record)
                // What the peer sends beyond the budget is not read: it keeps that, and sends it another day.
                guard sum <= leave.answer?.bytes ?? sum else {
                    var error = LinkBudget.spent
                    error.sentNothing = false
                    throw error
                }
            }
            await budget.settle(
                leave.reservation, sent: statistics.sent, received: statistics.received,
                duration: .milliseconds(statistics.duration))
            measure.take(statistics)
            return statistics
        } catch {
            // A carrier that does not say how far it came may have sent all.
            let isUnsent = (error as? ProtocolError)?.sentNothing ?? false
            let sent = isUnsent ? .zero : request + LinkBudget.overhead
            await budget.settle(
                leave.reservation, sent: sent, received: ByteCount(received.withLock { $0 }),
                duration: time.uptime() - began)
            throw error
        }
    }
}
