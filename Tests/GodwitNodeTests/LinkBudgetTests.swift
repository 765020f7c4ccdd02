import GodwitBatch
import GodwitContact
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Contacts that break cost what they cost (D-20).
@Suite("Budgets of links")
struct LinkBudgetTests {
    /// Carries a request whole, brings the first record of the answer, and breaks.
    private struct Breaking: Carrier {
        let service: any ExchangeService

        func exchange(
            _ records: [[UInt8]], receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            let session = await service.openExchange()
            for record in records { try await session.receive(record) }
            if let record = try await session.next() { try await receive(record) }
            throw ProtocolError(.nodeUnreachable, "The link broke.")
        }
    }

    @Test("bytes of a contact that broke are booked, in the link's total and in its ledger")
    func broken() async throws {
        let other = try await TestNode(name: "other")
        let one = try await TestNode(name: "one", carrier: { _, _ in Breaking(service: other.node.exchange) })
        try await one.add(other, calls: true)
        try await other.add(one)
        let running = Task { try await one.node.run() }
        func link() async throws -> JSONObject {
            try await one.control(["request": "links"]).array?.first?.object ?? [:]
        }
        try await eventually("a contact that failed") {
            one.time.advance(milliseconds: 1_000)
            _ = try await one.control(["request": "contact", "node": .string(other.id.text)])
            return try await link()["last_error"]?.object != nil
        }
        let status = try await link()
        let (sent, received) = (status["bytes_sent"]?.integer ?? 0, status["bytes_received"]?.integer ?? 0)
        #expect(sent > 48 && received > 48)
        let name = other.id.text
        try await eventually("the ledger") {
            let ledger = try await one.node.core.read { try $0.ledger(for: name) }
            let spent = ledger?.object?["bytes_today"]?.integer ?? 0
            return spent > 96
        }
        running.cancel()
        try await running.value
        one.remove()
        other.remove()
    }
}
