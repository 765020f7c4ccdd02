import GodwitBatch
import GodwitContact
import GodwitLink
import GodwitProtocol

/// A carrier whose exchanges are paid for from the budget of its link, those that fail as well, and are measured.
struct MeteredCarrier: Carrier {
    let carrier: any Carrier
    let budget: LinkBudget
    let time: any TimeSource
    let measure: LinkMeasure

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        let metered = MeteredRequest(request, of: budget, as: await budget.open())
        let began = time.uptime()
        do {
            let statistics = try await carrier.exchange(metered) { record in
                let isPaidFor = await metered.arrived(record)
                try await receive(record)
                // What the peer sends beyond the budget is not read: it keeps that, and sends it another day.
                guard isPaidFor else {
                    var error = LinkBudget.spent
                    error.sentNothing = false
                    throw error
                }
            }
            await metered.settle(
                sent: statistics.sent, received: statistics.received, duration: .milliseconds(statistics.duration))
            measure.take(statistics)
            return statistics
        } catch {
            let isUnsent = (error as? ProtocolError)?.sentNothing ?? false
            await metered.settle(unsent: isUnsent, duration: time.uptime() - began)
            throw error
        }
    }
}

/// The records of one request, each booked before it is handed over.
private actor MeteredRequest: RecordSource {
    private let source: any RecordSource
    private let budget: LinkBudget
    private let booking: LinkBudget.Booking
    private var request = ByteCount.zero
    private var received = ByteCount.zero
    /// Sealed bytes of the answer after which no more is read; nil: no limit.
    private var answerMax: ByteCount?
    private var isSpent = false

    init(_ source: any RecordSource, of budget: LinkBudget, as booking: LinkBudget.Booking) {
        self.source = source
        self.budget = budget
        self.booking = booking
    }

    func next() async throws -> [UInt8]? {
        guard !isSpent, let record = try await source.next() else { return nil }
        let grown = request + ByteCount(record.count)
        do {
            answerMax = try await budget.reserve(request: grown, received: received, as: booking)
        } catch let error as ProtocolError where error == LinkBudget.spent && request > .zero {
            // An answer that came early has taken its place: the frame is kept, and goes with the next exchange.
            isSpent = true
            return nil
        }
        request = grown
        return record
    }

    func keep(_ beginning: [UInt8]) async { await source.keep(beginning) }

    /// False when the budget holds no more.
    func arrived(_ record: [UInt8]) -> Bool {
        received += ByteCount(record.count)
        return answerMax.map { received <= $0 } ?? true
    }

    func settle(sent: ByteCount, received: ByteCount, duration: Duration) async {
        await budget.settle(booking, sent: sent, received: received, duration: duration)
    }

    /// The exchange failed. A carrier that does not say how far it came may have sent all that it was given.
    func settle(unsent: Bool, duration: Duration) async {
        let sent = unsent || request == .zero ? ByteCount.zero : await budget.most(of: request)
        await budget.settle(booking, sent: sent, received: received, duration: duration)
    }
}
