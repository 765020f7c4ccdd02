import GodwitBatch
import GodwitCarrier
import GodwitNode
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitServer

/// Live links over real sockets, by Godwit's own carrier and byte by byte (docs/protocol.md §8.6).
@Suite(.timeLimit(.minutes(2))) struct LiveLinkTests {
    static func carrier(
        _ port: Int, _ pin: CertificatePin? = nil, change: (inout WebSocketCarrierConfiguration) -> Void = { _ in }
    ) throws -> WebSocketCarrier {
        let endpoint = try Endpoint("\(pin == nil ? "ws" : "wss")://127.0.0.1:\(port)")
        var configuration = WebSocketCarrierConfiguration(endpoint: endpoint, pins: pin.map { [$0] } ?? [])
        configuration.stallTimeout = .seconds(20)
        change(&configuration)
        return try WebSocketCarrier(configuration)
    }

    static let handshake =
        "GET /batch/v1/live HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Protocol: dcp-batch-v1\r\n\r\n"

    /// Opens a live link byte by byte.
    static func open(_ client: inout RawClient) async throws {
        try await client.write(handshake)
        let head = try await client.readHead()
        #expect(head.hasPrefix("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        #expect(head.lowercased().contains("sec-websocket-protocol: dcp-batch-v1"))
    }

    @Test("records cross both ways over TLS 1.3 with the pinned key, and the link is kept")
    func exchange() async throws {
        let certificate = try TestCertificate()
        let answer = (0..<40).map { Array(repeating: UInt8($0), count: 1 + Int($0) * 1_600) }
        let request = (0..<30).map { Array(repeating: UInt8($0 + 100), count: 1 + Int($0) * 2_000) }
        try await ServerHarness.run(tls: certificate, exchange: ScriptedExchange(.init(answer: answer))) { harness in
            let carrier = try Self.carrier(harness.port, CertificatePin(digest: certificate.keyDigest))
            let received = Notes<[UInt8]>()
            for round in 0..<3 {
                let statistics = try await carrier.exchange(request) { received.add($0) }
                #expect(statistics.reusedConnection == (round > 0))
                #expect(statistics.sent.bytes >= request.reduce(0) { $0 + $1.count })
                #expect(statistics.received.bytes >= answer.reduce(0) { $0 + $1.count })
            }
            #expect(received.all == answer + answer + answer)
            #expect(harness.exchange.received.all == request + request + request)
            let other = try Self.carrier(harness.port, CertificatePin(digest: TestCertificate().keyDigest))
            let error = await #expect(throws: ProtocolError.self) { try await other.exchange([[9]]) { _ in } }
            #expect(error?.details["reason"] == "pin_mismatch" && error?.sentNothing == true)
            #expect(!harness.exchange.received.all.contains([9]))
        }
    }

    @Test("an exchange with nothing to say on a kept link costs 12 bytes up and 4 down beside its two records")
    func overhead() async throws {
        let loose = [UInt8](repeating: 7, count: 90)
        try await ServerHarness.run(exchange: ScriptedExchange(.init(answer: [loose]))) { harness in
            let carrier = try Self.carrier(harness.port)
            let first = try await carrier.exchange([loose]) { _ in }
            let second = try await carrier.exchange([loose]) { _ in }
            #expect(second.sent == ByteCount(90 + 12) && second.received == ByteCount(90 + 4))
            #expect((350...650).contains(first.sent.bytes + first.received.bytes), "the upgrade comes once: \(first)")
        }
    }

    @Test("the document's example, byte by byte")
    func example() async throws {
        let exchange = ScriptedExchange(.init(answer: [[0x63, 0x64]]))
        try await ServerHarness.run(exchange: exchange) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await Self.open(&client)
                let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
                try await client.write([0x82, 0x82] + mask + [0x56, 0x98] + [0x82, 0x80] + mask)
                #expect(try await client.read(6) == [0x82, 0x02, 0x63, 0x64, 0x82, 0x00])
            }
            #expect(harness.exchange.received.all == [[0x61, 0x62]])
        }
    }

    @Test("the node's refusal reaches the caller as that error, and the next exchange opens another link")
    func refusal() async throws {
        try await ServerHarness.run { harness in
            let carrier = try Self.carrier(harness.port)
            let error = await #expect(throws: ProtocolError.self) {
                try await carrier.exchange([[1], [0xEE], [3]]) { _ in }
            }
            #expect(error?.code == .invalidCredentials && error?.message == "No key fits.")
            let statistics = try await carrier.exchange([[4]]) { _ in }
            #expect(!statistics.reusedConnection)
            #expect(harness.exchange.received.all == [[1], [4]])
        }
    }

    @Test("an answer that breaks keeps the records before it; what the receiver throws ends the exchange as it is")
    func broken() async throws {
        struct Full: Error {}
        let script = ScriptedExchange(.init(answer: [[4], [5], [6]], failsAfter: 2))
        try await ServerHarness.run(exchange: script) { harness in
            let received = Notes<[UInt8]>()
            let error = await #expect(throws: ProtocolError.self) {
                try await Self.carrier(harness.port).exchange([[9]]) { received.add($0) }
            }
            #expect(error?.code == .internalError)
            #expect(received.all == [[4], [5]])
            await #expect(throws: Full.self) {
                _ = try await Self.carrier(harness.port).exchange([[9]]) { _ in throw Full() }
            }
        }
    }

    @Test("when the node has gone the kept link is not used again, and the next exchange says that nobody is there")
    func gone() async throws {
        let carrier = try await ServerHarness.run { harness in
            let carrier = try Self.carrier(harness.port) { $0.connectTimeout = .seconds(5) }
            let first = try await carrier.exchange([[1]]) { _ in }
            let second = try await carrier.exchange([[2]]) { _ in }
            #expect(!first.reusedConnection && second.reusedConnection)
            return carrier
        }
        let error = await #expect(throws: ProtocolError.self) { try await carrier.exchange([[9]]) { _ in } }
        #expect(error?.code == .nodeUnreachable)
    }

    @Test("a kept link that died without a word is noticed, and what was given to it goes again")
    func silentDeath() async throws {
        try await ServerHarness.run { harness in
            let relay = try await CuttingRelay(to: harness.port)
            let carrier = try Self.carrier(relay.port)
            try await relay.running {
                _ = try await carrier.exchange([[1]]) { _ in }
                relay.cut()
                let statistics = try await carrier.exchange([[2], [3]]) { _ in }
                #expect(!statistics.reusedConnection)
            }
            #expect(harness.exchange.received.all == [[1], [2], [3]])
        }
    }

    @Test("hostile input is refused with its code: text, an oversized record, garbage, an early end, a record too many")
    func hostile() async throws {
        let gate = ScriptedExchange(.init(answer: [[1], [2]], holdsBefore: 1))
        try await ServerHarness.run(exchange: gate) { harness in
            let end = RawClient.frame(0x82, [])
            let record = RawClient.frame(0x82, [7])
            let large = [UInt8](repeating: 7, count: Exchange.recordMax + 1)
            let cases: [(name: String, bytes: [UInt8], code: UInt16, error: String?)] = [
                ("text", RawClient.text("{}"), 1003, nil),
                ("too large a record", RawClient.frame(0x82, large), 1009, nil),
                ("a record that nobody sealed", RawClient.frame(0x82, [0xEE]), 4400, "INVALID_CREDENTIALS"),
                ("no record", end, 4400, "INVALID_MESSAGE_FORMAT"),
                ("a record after the end", record + end + record, 4400, "INVALID_MESSAGE_FORMAT"),
                ("two ends", record + end + end, 4400, "INVALID_MESSAGE_FORMAT"),
                ("not masked", RawClient.frame(0x82, [7], masked: false), 1002, nil),
            ]
            for one in cases {
                try await RawClient.connected(to: harness.port) { client in
                    try await Self.open(&client)
                    try await client.write(one.bytes)
                    var frame = try await client.readFrame()
                    while frame.first == 0x82 { frame = try await client.readFrame() }
                    if let error = one.error {
                        #expect(frame.first == 0x81 && frame.text.contains(error), "\(one.name): \(frame.text)")
                        frame = try await client.readFrame()
                    }
                    #expect(frame.closeCode == one.code, "\(one.name): \(frame)")
                }
            }
            gate.release.open()
            // The largest record is taken.
            try await RawClient.connected(to: harness.port) { client in
                try await Self.open(&client)
                try await client.write(RawClient.frame(0x82, Array(large.dropLast())) + end)
                #expect(try await client.readFrame().payload == [1])
            }
        }
    }

    @Test("who has no record accepted in time is closed with 4401; links beyond the limits with 1013 and error 3002")
    func strangers() async throws {
        try await ServerHarness.run(configure: {
            $0.socket.authentication = .milliseconds(200)
            $0.liveStrangersMax = 1
        }) { harness in
            try await RawClient.connected(to: harness.port) { first in
                try await Self.open(&first)
                try await RawClient.connected(to: harness.port) { second in
                    try await Self.open(&second)
                    let frame = try await second.readFrame()
                    #expect(frame.first == 0x81 && frame.text.contains("RATE_LIMITED"))
                    #expect(try await second.readFrame().closeCode == 1013)
                }
                #expect(try await first.readFrame().closeCode == 4401)
                try await first.write(RawClient.frame(0x88, [0x11, 0x31]))
                _ = try await first.readToEnd()
            }
            // The place is free again.
            let carrier = try Self.carrier(harness.port)
            var isTaken = false
            while !isTaken { isTaken = (try? await carrier.exchange([[1]]) { _ in }) != nil }
        }
    }

    @Test("other subprotocols and plain requests at the path are answered, not upgraded")
    func handshakes() async throws {
        try await ServerHarness.run { harness in
            for (text, status) in [
                (Self.handshake.replacing("dcp-batch-v1", with: "dcp-v1"), 426),
                (Self.handshake.replacing("Upgrade: websocket\r\n", with: ""), 400),
            ] {
                try await RawClient.connected(to: harness.port) { client in
                    try await client.write(text)
                    let (head, body) = try await client.readAnswer()
                    #expect(head.hasPrefix("HTTP/1.1 \(status)") && body.contains("dcp-batch-v1"), "\(head)\(body)")
                }
            }
        }
    }

    /// Tells whoever watches when the test says so.
    private final class Queues: QueueWatch {
        let watchers = Mutex<[Int: @Sendable () -> Void]>([:])
        let waiting = Mutex(true)
        func watch(_ party: Party, notice: @escaping @Sendable () -> Void) -> Int {
            watchers.withLock { $0[1] = notice }
            return 1
        }
        func stop(_ watch: Int, for party: Party) { watchers.withLock { $0[watch] = nil } }
        func hasWaiting(for party: Party) async -> Bool { waiting.withLock { $0 } }
        func notify() { watchers.withLock { $0[1] }?() }
    }

    /// Knows who speaks.
    private struct Known: ExchangeService {
        let inner: ScriptedExchange
        struct Session: ExchangeSession {
            let inner: any ExchangeSession
            var party: Party? { get async { try? Party("rightnd2") } }
            func receive(_ record: [UInt8]) async throws { try await inner.receive(record) }
            func next() async throws -> [UInt8]? { try await inner.next() }
        }
        func openExchange() async -> any ExchangeSession { Session(inner: await inner.openExchange()) }
    }

    @Test("the node says once between exchanges that something waits, and no longer after the link has gone")
    func announced() async throws {
        let queues = Queues()
        let service = Known(inner: ScriptedExchange(.init(answer: [[0x63, 0x64]])))
        try await ServerHarness.run(service: service, queues: queues) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await Self.open(&client)
                for _ in 0..<2 {
                    try await client.write(RawClient.frame(0x82, [0x61, 0x62]) + RawClient.frame(0x82, []))
                    #expect(try await client.read(6) == [0x82, 0x02, 0x63, 0x64, 0x82, 0x00])
                    while queues.watchers.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
                    for _ in 0..<3 { queues.notify() }
                    #expect(try await client.read(3) == [0x82, 0x01, 0x01])
                }
                try await client.write(RawClient.frame(0x89, [5]))
                #expect(try await client.readFrame() == .init(first: 0x8A, payload: [5]), "nothing was between")
            }
            while !queues.watchers.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
            // The carrier hands it on, and not as a record.
            let carrier = try Self.carrier(harness.port)
            let notices = Notes<Void>()
            #expect(carrier.onAnnouncement { notices.add(()) })
            let received = Notes<[UInt8]>()
            for round in 1...3 {
                _ = try await carrier.exchange([[1]]) { received.add($0) }
                while queues.watchers.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
                queues.notify()
                await notices.wait(count: round)
            }
            #expect(received.all == [[0x63, 0x64], [0x63, 0x64], [0x63, 0x64]])
        }
    }
}
