import GodwitBatch
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite(.timeLimit(.minutes(2))) struct PinnedExchangeTests {
    static func carrier(_ server: ScriptedServer, pins: [CertificatePin]) throws -> HTTPBatchCarrier {
        try HTTPBatchCarrier(
            HTTPCarrierConfiguration(endpoint: Endpoint("https://127.0.0.1:\(server.port)"), pins: pins))
    }

    @Test("SEC-03: a self-signed certificate with a pinned key is accepted, also when the pin is the spare one")
    func pinned() async throws {
        let certificate = try TestCertificate()
        let server = try await ScriptedServer(certificate: certificate) { _ in ScriptedServer.answer([1, 5]) }
        let pin = try CertificatePin(digest: certificate.keyDigest)
        let other = try CertificatePin(digest: Array(repeating: 1, count: 32))
        try await server.serving {
            for pins in [[pin], [other, pin], [pin, other]] {
                let collected = Collected()
                _ = try await Self.carrier(server, pins: pins).exchange([[1]]) { collected.add($0) }
                #expect(collected.all == [[5]])
            }
        }
    }

    @Test("SEC-03: another key is refused before anything is sent, and not to be retried by itself")
    func wrongPin() async throws {
        let server = try await ScriptedServer(certificate: TestCertificate()) { _ in ScriptedServer.answer([1, 5]) }
        let pin = try CertificatePin(digest: TestCertificate().keyDigest)
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                try await Self.carrier(server, pins: [pin]).exchange([[1]]) { _ in Issue.record("nothing is received") }
            }
        }
        #expect(error?.details["reason"] == "pin_mismatch")
        #expect(error?.code.retry == .userIntervention)
        #expect(server.requests.isEmpty)
    }

    @Test("Without pins a certificate that nobody vouches for is refused")
    func unpinned() async throws {
        let server = try await ScriptedServer(certificate: TestCertificate()) { _ in ScriptedServer.answer([1, 5]) }
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving { try await Self.carrier(server, pins: []).exchange([[1]]) { _ in } }
        }
        #expect(error?.details["reason"] == "certificate_untrusted")
        #expect(server.requests.isEmpty)
    }

    @Test("A server that speaks no TLS is not sent anything in clear")
    func noTLS() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([1, 5]) }
        let pin = try CertificatePin(digest: TestCertificate().keyDigest)
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                // A TLS hello is no HTTP request, so this server would wait for more of it.
                try await HTTPBatchCarrier(
                    {
                        var configuration = HTTPCarrierConfiguration(
                            endpoint: try Endpoint("https://127.0.0.1:\(server.port)"), pins: [pin])
                        configuration.connectTimeout = .milliseconds(500)
                        return configuration
                    }()
                ).exchange([[1]]) { _ in }
            }
        }
        #expect(error?.code == .nodeUnreachable)
        #expect(server.requests.isEmpty)
    }
}
