import GodwitBatch
import GodwitCarrier
import GodwitNode
import GodwitProtocol
import Testing

@testable import GodwitServer

/// Godwit's own carriers against its own server, over real sockets and real TLS (NODE-03).
@Suite(.timeLimit(.minutes(2))) struct CarrierLoopTests {
    static func carrier(_ port: Int, _ pin: CertificatePin) throws -> HTTPBatchCarrier {
        try HTTPBatchCarrier(
            HTTPCarrierConfiguration(endpoint: Endpoint("https://127.0.0.1:\(port)"), pins: [pin]))
    }

    @Test("D-11: records cross both ways over TLS 1.3, and the second exchange uses the kept connection")
    func exchange() async throws {
        let certificate = try TestCertificate()
        let answer = (0..<50).map { Array(repeating: UInt8($0), count: 1 + Int($0) * 1_000) }
        let script = ScriptedExchange(.init(answer: answer))
        try await ServerHarness.run(tls: certificate, exchange: script) { harness in
            let carrier = try Self.carrier(harness.port, CertificatePin(digest: certificate.keyDigest))
            let received = Notes<[UInt8]>()
            let first = try await carrier.exchange([[1], [2]]) { received.add($0) }
            let second = try await carrier.exchange([[3]]) { received.add($0) }
            #expect(received.all == answer + answer)
            #expect(harness.exchange.received.all == [[1], [2], [3]])
            #expect(!first.reusedConnection)
            #expect(second.reusedConnection)
            // Another connection for another carrier with the wrong key: nothing reaches the node.
            let other = try Self.carrier(harness.port, CertificatePin(digest: TestCertificate().keyDigest))
            let error = await #expect(throws: ProtocolError.self) { try await other.exchange([[9]]) { _ in } }
            #expect(error?.details["reason"] == "pin_mismatch")
            #expect(!harness.exchange.received.all.contains([9]))
        }
    }

    @Test("An empty exchange on a kept connection costs little: under 75 bytes up and 90 down")
    func headers() async throws {
        try await ServerHarness.run { harness in
            let carrier = try HTTPBatchCarrier(
                HTTPCarrierConfiguration(endpoint: Endpoint("http://127.0.0.1:\(harness.port)"), pins: []))
            _ = try await carrier.exchange([]) { _ in }
            let statistics = try await carrier.exchange([]) { _ in }
            #expect(statistics.reusedConnection)
            #expect(statistics.sent < ByteCount(80) && statistics.received < ByteCount(90), "\(statistics)")
        }
    }

    @Test("The node's refusal reaches the caller as that error")
    func refusal() async throws {
        try await ServerHarness.run { harness in
            let carrier = try HTTPBatchCarrier(
                HTTPCarrierConfiguration(endpoint: Endpoint("http://127.0.0.1:\(harness.port)"), pins: []))
            let error = await #expect(throws: ProtocolError.self) { try await carrier.exchange([[0xEE]]) { _ in } }
            #expect(error?.code == .invalidCredentials)
            #expect(error?.message == "No key fits.")
        }
    }

    @Test("An answer that breaks keeps the records before the break")
    func broken() async throws {
        let script = ScriptedExchange(.init(answer: [[1], [2], [3]], failsAfter: 2))
        try await ServerHarness.run(exchange: script) { harness in
            let carrier = try HTTPBatchCarrier(
                HTTPCarrierConfiguration(endpoint: Endpoint("http://127.0.0.1:\(harness.port)"), pins: []))
            let received = Notes<[UInt8]>()
            let error = await #expect(throws: ProtocolError.self) {
                try await carrier.exchange([]) { received.add($0) }
            }
            #expect(error?.code == .nodeUnreachable)
            #expect(received.all == [[1], [2]])
        }
    }

    @Test("WS-01 to WS-03: the WebSocket client talks to the server over pinned TLS and closes in order")
    func socket() async throws {
        let certificate = try TestCertificate()
        try await ServerHarness.run(tls: certificate) { harness in
            let endpoint = try Endpoint("wss://127.0.0.1:\(harness.port)")
            let pin = try CertificatePin(digest: certificate.keyDigest)
            let client = try await WebSocketClient.connect(to: endpoint, pins: [pin], token: "secret")
            let largest = String(repeating: "a", count: SocketLimits.messageMax)
            for text in ["", "Grüße", largest] { try await client.send(text) }
            try await client.ping()
            var echoes: [String] = []
            for try await text in client.messages {
                echoes.append(text)
                if echoes.count == 3 { break }
            }
            #expect(echoes == ["", "Grüße", largest])
            #expect(harness.sockets.requests.all.first?.token == "secret")
            await client.close()
            await harness.sockets.closed.wait(count: 1)
            await #expect(throws: ProtocolError.self) { try await client.send("late") }
        }
    }

    @Test("A burst of messages that the client does not take at once loses none")
    func burst() async throws {
        try await ServerHarness.run { harness in
            let client = try await WebSocketClient.connect(to: Endpoint("ws://127.0.0.1:\(harness.port)"), pins: [])
            for number in 0..<200 { try await client.send("\(number)") }
            await harness.sockets.received.wait(count: 200)
            var next = 0
            for try await text in client.messages {
                #expect(text == "\(next)")
                next += 1
                if next == 200 { break }
            }
            await client.close()
        }
    }

    @Test("The client learns why the node closed")
    func closeCode() async throws {
        try await ServerHarness.run { harness in
            let client = try await WebSocketClient.connect(to: Endpoint("ws://127.0.0.1:\(harness.port)"), pins: [])
            try await client.send("bye")
            let closed = await #expect(throws: SocketClosed.self) { for try await _ in client.messages {} }
            #expect(closed == SocketClosed(code: 4000, reason: "As asked."))
        }
    }

    @Test("SEC-03: a socket to a node with another key, or to nobody, is not opened")
    func socketRefused() async throws {
        let certificate = try TestCertificate()
        let wrong = try CertificatePin(digest: TestCertificate().keyDigest)
        let port = try await ServerHarness.run(tls: certificate) { harness in
            let endpoint = try Endpoint("wss://127.0.0.1:\(harness.port)")
            let error = await #expect(throws: ProtocolError.self) {
                _ = try await WebSocketClient.connect(to: endpoint, pins: [wrong])
            }
            #expect(error?.details["reason"] == "pin_mismatch")
            #expect(harness.sockets.requests.all.isEmpty)
            return harness.port
        }
        let error = await #expect(throws: ProtocolError.self) {
            _ = try await WebSocketClient.connect(to: Endpoint("wss://127.0.0.1:\(port)"), pins: [wrong])
        }
        #expect(error?.code == .nodeUnreachable)
    }
}
