import GodwitContact
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

/// What is known of a contact that broke (D-20: budgets count what it cost).
@Suite("Progress of contacts")
struct ProgressTests {
    private static let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

    private static func last(_ fault: Fault) async throws -> (report: ContactReport, carrier: LoopCarrier) {
        let pair = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        for number in 0..<6 { _ = try await pair.left.enqueue(number, to: pair.right.identity.party) }
        for number in 100..<112 { _ = try await pair.right.enqueue(number, to: pair.left.identity.party) }
        let carrier = LoopCarrier(pair.right.answerer(limits), faults: [fault])
        let latest = Mutex(ContactReport())
        do {
            _ = try await pair.left.caller.contact(
                with: pair.right.key, over: carrier, limits: limits, exchangesMax: 64
            ) { report in
                latest.withLock { $0 = report }
            }
        } catch is ProtocolError {}
        return (latest.withLock { $0 }, carrier)
    }

    @Test("a contact that breaks within the answer tells all that was sent, and what came")
    func withinAnswer() async throws {
        let (report, carrier) = try await Self.last(.answer(before: 2))
        let sent = carrier.count.requests.flatMap { $0 }.reduce(0, +)
        #expect(report.sent.bytes == sent && report.underWay == .zero && sent > 0)
        #expect(report.received.bytes == carrier.count.answers[0].prefix(2).reduce(0, +))
        #expect(report.received.bytes > 0)
    }

    @Test("a record of the answer that is refused here was paid for all the same")
    func alteredAnswer() async throws {
        let (report, carrier) = try await Self.last(.alteredAnswer(0))
        #expect(report.received.bytes == carrier.count.answers[0][0] && report.underWay == .zero)
    }

    @Test("of a request to which nothing came back only the size is known")
    func withinRequest() async throws {
        let (report, carrier) = try await Self.last(.request(before: 1))
        #expect(report.sent == .zero && report.received == .zero)
        #expect(report.underWay.bytes > carrier.count.requests[0].reduce(0, +))
    }
}
