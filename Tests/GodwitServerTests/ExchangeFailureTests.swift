import GodwitBatch
import GodwitProtocol
import Logging
import Testing

@testable import GodwitServer

/// Failures of the node's own behind an exchange.
@Suite(.timeLimit(.minutes(2))) struct ExchangeFailureTests {
    private struct Damaged: Error { var secret = "row 7 of a table" }

    private struct Broken: ExchangeService, ExchangeSession {
        var inReceive: Bool
        func openExchange() async -> any ExchangeSession { self }
        func receive(_ record: [UInt8]) async throws { if inReceive { throw Damaged() } }
        func next() async throws -> [UInt8]? { throw Damaged() }
    }

    @Test("A failure in the node's own words is answered with 9000 and none of them", arguments: [true, false])
    func internalError(_ inReceive: Bool) async throws {
        let answer = try await ServerHarness.run(service: Broken(inReceive: inReceive)) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(ExchangeTests.head(2))
                try await client.write([1, 5])
                return try await client.readAnswer()
            }
        }
        #expect(answer.head.hasPrefix("HTTP/1.1 500 "))
        #expect(answer.body.contains("\"INTERNAL_ERROR\""))
        #expect(!answer.body.contains("row 7"))
    }
}
