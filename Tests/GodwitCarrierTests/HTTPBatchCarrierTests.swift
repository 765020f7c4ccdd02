import GodwitBatch
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitCarrier

@Suite(.timeLimit(.minutes(2))) struct HTTPBatchCarrierTests {
    static func carrier(
        _ port: Int, _ change: (inout HTTPCarrierConfiguration) -> Void = { _ in }
    ) throws -> HTTPBatchCarrier {
        var configuration = HTTPCarrierConfiguration(endpoint: try Endpoint("http://127.0.0.1:\(port)"), pins: [])
        change(&configuration)
        return try HTTPBatchCarrier(configuration)
    }

    @Test(
        "a request goes in pieces of 1,024 to 65,536 bytes",
        arguments: [(1_023, false), (1_024, true), (65_536, true), (65_537, false)])
    func pieces(_ bytes: Int, isFine: Bool) throws {
        var configuration = HTTPCarrierConfiguration(endpoint: try Endpoint("https://a"), pins: [])
        configuration.pieceMax = bytes
        let change = configuration
        if isFine {
            _ = try HTTPBatchCarrier(change)
        } else {
            #expect(throws: ProtocolError.self) { try HTTPBatchCarrier(change) }
        }
    }

    @Test("A request has no header that need not be, and the statistics count every byte of both directions")
    func bytes() async throws {
        let answer = ScriptedServer.records([[5, 6], [7]])
        let server = try await ScriptedServer { _ in ScriptedServer.answer(answer) }
        let collected = Collected()
        let statistics = try await server.serving {
            try await Self.carrier(server.port).exchange([[1, 2, 3], [4]]) { collected.add($0) }
        }
        let head =
            "POST /batch/v1/exchange HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nContent-Length: 6\r\n\r\n"
        #expect(server.requests == [Array(head.utf8) + [3, 1, 2, 3, 1, 4]])
        #expect(collected.all == [[5, 6], [7]])
        #expect(statistics.sent == ByteCount(head.utf8.count + 6))
        #expect(statistics.received == ByteCount("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8.count + 5))
        #expect(!statistics.reusedConnection)
    }

    @Test("An exchange without records has an empty body")
    func empty() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([]) }
        let statistics = try await server.serving {
            try await Self.carrier(server.port).exchange([]) { _ in Issue.record("no record was sent") }
        }
        #expect(statistics.received.bytes > 0)
        #expect(server.requests.first?.suffix(4) == ArraySlice("\r\n\r\n".utf8))
    }

    @Test("The connection is kept for the next exchange")
    func reuse() async throws {
        let server = try await ScriptedServer { ScriptedServer.answer(ScriptedServer.records([[UInt8($0)]])) }
        let reused = try await server.serving {
            let carrier = try Self.carrier(server.port)
            var reused: [Bool] = []
            for _ in 0..<3 { reused.append(try await carrier.exchange([[1]]) { _ in }.reusedConnection) }
            return reused
        }
        #expect(reused == [false, true, true])
        #expect(server.connections == 1)
    }

    @Test("A kept connection that died is replaced without the caller noticing")
    func deadConnection() async throws {
        let server = try await ScriptedServer { number in
            ScriptedServer.answer(ScriptedServer.records([[UInt8(number)]])) + (number == 0 ? [.cut] : [])
        }
        let collected = Collected()
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            for _ in 0..<2 { _ = try await carrier.exchange([[1]]) { collected.add($0) } }
        }
        #expect(collected.all == [[0], [1]])
        #expect(server.connections == 2)
    }

    @Test("Records cut into single bytes and chunks come out whole")
    func chunked() async throws {
        let body = ScriptedServer.records([Array(repeating: 3, count: 300), [9]])
        let server = try await ScriptedServer { _ in
            [.text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
                + body.map { .bytes(Array("1\r\n".utf8) + [$0] + Array("\r\n".utf8)) } + [.text("0\r\n\r\n")]
        }
        let collected = Collected()
        let statistics = try await server.serving {
            try await Self.carrier(server.port).exchange([[1]]) { collected.add($0) }
        }
        #expect(collected.all == [Array(repeating: 3, count: 300), [9]])
        // Chunk framing crosses the link too: 6 bytes a chunk here, and 5 at the end.
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8.count
        #expect(statistics.received == ByteCount(head + body.count * 6 + 5))
    }

    @Test("A record is handed over while the rest of the answer is still on its way")
    func streams() async throws {
        let server = try await ScriptedServer { _ in
            [
                .text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), .bytes([1, 5]), .hold, .bytes([1, 6]),
            ]
        }
        let collected = Collected()
        try await server.serving {
            _ = try await Self.carrier(server.port).exchange([[1]]) { record in
                collected.add(record)
                // The server goes on only after this: no time-out could make it pass otherwise.
                server.release()
            }
        }
        #expect(collected.all == [[5], [6]])
    }

    @Test("A connection cut within the answer keeps the records handed over so far, and says 3000")
    func cut() async throws {
        let body = ScriptedServer.records([[5], [6], [7, 7, 7]])
        let server = try await ScriptedServer { _ in
            [
                .text("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n"), .bytes(Array(body.dropLast(2))),
                .cut,
            ]
        }
        let collected = Collected()
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                try await Self.carrier(server.port).exchange([[1]]) { collected.add($0) }
            }
        }
        #expect(error?.code == .nodeUnreachable)
        #expect(error?.code.retry == .automatically)
        #expect(collected.all == [[5], [6]])
    }

    @Test("An answer that ends within a record is malformed")
    func halfRecord() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([1, 5, 3, 1]) }
        let collected = Collected()
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                try await Self.carrier(server.port).exchange([[1]]) { collected.add($0) }
            }
        }
        #expect(error?.code == .invalidMessageFormat)
        #expect(collected.all == [[5]])
    }

    @Test("An answer that stalls is broken off and reported as unreachable")
    func stall() async throws {
        let server = try await ScriptedServer { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), .bytes([1, 5]), .hold]
        }
        let collected = Collected()
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                try await Self.carrier(server.port) { $0.stallTimeout = .seconds(2) }
                    .exchange([[1]]) { collected.add($0) }
            }
        }
        #expect(error?.code == .nodeUnreachable)
        #expect(error?.message == "The link stalled.")
        #expect(collected.all == [[5]])
    }

    @Test("The time that the receiver of records takes is no stall")
    func slowReceiver() async throws {
        let records = (0..<40).map { Array(repeating: UInt8($0), count: 60_000) }
        let server = try await ScriptedServer { _ in ScriptedServer.answer(ScriptedServer.records(records)) }
        let collected = Collected()
        try await server.serving {
            _ = try await Self.carrier(server.port) { $0.stallTimeout = .seconds(2) }.exchange([[1]]) {
                if collected.all.isEmpty { try await Task.sleep(for: .seconds(5)) }
                collected.add($0)
            }
        }
        #expect(collected.all == records)
    }

    @Test("Nobody listening is 3000, without an address in the message")
    func refused() async throws {
        let server = try await ScriptedServer { _ in [] }
        let port = server.port
        try await server.serving {}
        let error = await #expect(throws: ProtocolError.self) {
            try await Self.carrier(port).exchange([[1]]) { _ in }
        }
        #expect(error?.code == .nodeUnreachable)
        #expect(error.map { "\($0.message)\($0.hint ?? "")".contains("127.0.0.1") } == false)
        #expect(error?.hint != nil)
    }

    @Test("ERR-01: the peer's error object becomes that error, with its delay")
    func peerError() async throws {
        let body = #"{"error":{"code":"RATE_LIMITED","message":"Slower.","details":{"retry_after":30}}}"#
        let server = try await ScriptedServer { _ in
            [.text("HTTP/1.1 429 Too Many Requests\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")]
        }
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving {
                try await Self.carrier(server.port).exchange([[1]]) { _ in Issue.record("an error has no records") }
            }
        }
        #expect(error?.code == .rateLimited)
        #expect(error?.retryAfter == 30)
    }

    @Test("A page of something else between is no batch answer", arguments: [302, 404, 502])
    func foreign(_ status: Int) async throws {
        let server = try await ScriptedServer { _ in
            [.text("HTTP/1.1 \(status) X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 6\r\n\r\n<html>")]
        }
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving { try await Self.carrier(server.port).exchange([[1]]) { _ in } }
        }
        #expect(error?.code == (status == 502 ? .nodeUnreachable : .federationError))
        #expect(error?.details["status"] == .integer(Int64(status)))
    }

    @Test("Of a page that is no batch answer 64 KiB are taken, not all that comes")
    func endlessForeign() async throws {
        let server = try await ScriptedServer { _ in
            [
                .text("HTTP/1.1 404 X\r\nContent-Length: 1000000000\r\n\r\n"),
                .bytes(Array(repeating: 0x2E, count: 70_000)), .hold,
            ]
        }
        let error = await #expect(throws: ProtocolError.self) {
            try await server.serving { try await Self.carrier(server.port).exchange([[1]]) { _ in } }
        }
        #expect(error?.code == .federationError)
        #expect(error?.details["status"] == 404)
    }

    @Test("A receiver that throws ends the exchange with what it threw, and the carrier goes on")
    func receiverThrows() async throws {
        struct Full: Error {}
        let server = try await ScriptedServer { _ in
            ScriptedServer.answer(ScriptedServer.records((0..<20).map { Array(repeating: UInt8($0), count: 60_000) }))
        }
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            await #expect(throws: Full.self) { try await carrier.exchange([[1]]) { _ in throw Full() } }
            let collected = Collected()
            _ = try await carrier.exchange([[1]]) { collected.add($0) }
            #expect(collected.all.count == 20)
        }
    }

    @Test("Cancelling breaks the exchange off")
    func cancellation() async throws {
        let server = try await ScriptedServer { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), .bytes([1, 5]), .hold]
        }
        let started = Gate()
        try await server.serving {
            let exchange = Task { try await Self.carrier(server.port).exchange([[1]]) { _ in started.open() } }
            await started.wait()
            exchange.cancel()
            await #expect(throws: CancellationError.self) { try await exchange.value }
        }
    }

    @Test("Four exchanges run at once, a fifth is refused with 3002, and after them it goes on")
    func concurrency() async throws {
        let server = try await ScriptedServer { number in
            (number < HTTPBatchCarrier.exchangesMax ? [.hold] : []) + ScriptedServer.answer([1, 5])
        }
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<HTTPBatchCarrier.exchangesMax {
                    group.addTask { _ = try await carrier.exchange([[1]]) { _ in } }
                }
                while server.requests.count < HTTPBatchCarrier.exchangesMax {
                    try await Task.sleep(for: .milliseconds(5))
                }
                let error = await #expect(throws: ProtocolError.self) { try await carrier.exchange([[1]]) { _ in } }
                #expect(error?.code == .rateLimited)
                server.release()
                try await group.waitForAll()
            }
            _ = try await carrier.exchange([[1]]) { _ in }
        }
    }

    @Test("A record of 65,600 bytes is sent, a larger one and an empty one are refused; a request ends below 16 MiB")
    func limits() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([]) }
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            _ = try await carrier.exchange([Array(repeating: 1, count: Exchange.recordMax)]) { _ in }
            for records in [[[]], [Array(repeating: 1, count: Exchange.recordMax + 1)]] as [[[UInt8]]] {
                await #expect(throws: ProtocolError.self) { try await carrier.exchange(records) { _ in } }
            }
            let large = Array(repeating: UInt8(1), count: 65_533)  // 65,536 with its length
            var records = OutgoingRecords(FixedRecords(Array(repeating: large, count: 300)))
            var sizes: [Int] = []
            while let record = try await records.next() { sizes.append(record.count) }
            #expect(sizes == Array(repeating: 65_536, count: 255), "another one of the largest might not fit")
        }
        #expect(server.requests.count == 1)
    }

    @Test("A request of little more than a packet has a length; a longer one comes in chunks, one a record")
    func requestInChunks() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([]) }
        let (short, long) = ([UInt8](repeating: 1, count: 500), [UInt8](repeating: 2, count: 1_300))
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            for records in [[short], [short, short], [long, short]] {
                _ = try await carrier.exchange(records) { _ in }
            }
        }
        let heads = server.requests.map { String(decoding: $0, as: UTF8.self).lowercased() }
        #expect(heads.map { $0.contains("content-length: ") } == [true, true, false])
        #expect(heads.map { $0.contains("transfer-encoding: chunked") } == [false, false, true])
        let body = ScriptedServer.records([long]) + ScriptedServer.records([short])
        #expect(ScriptedServer.chunks(server.requests[2]) == [1_302, 502])
        #expect(server.requests[2].count > body.count)
    }

    @Test(
        "A kept connection that died before a chunked request, or in the middle of it, is replaced, and all of it comes",
        arguments: [ScriptedServer.Step.cut, .cutAtNext])
    func deadConnectionInChunks(_ end: ScriptedServer.Step) async throws {
        let server = try await ScriptedServer { number in
            ScriptedServer.answer(ScriptedServer.records([[UInt8(number)]])) + (number == 0 ? [end] : [])
        }
        let records = (1...4).map { [UInt8](repeating: UInt8($0), count: 2_000) }
        let collected = Collected()
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            _ = try await carrier.exchange(records) { collected.add($0) }
            _ = try await carrier.exchange(SlowRecords(records)) { collected.add($0) }
        }
        #expect(collected.all == [[0], [1]])
        #expect(server.connections == 2 && server.requests.count == 2)
        // What curl had taken before may go as one chunk the second time.
        #expect(server.requests.map(ScriptedServer.body) == Array(repeating: ScriptedServer.records(records), count: 2))
    }

    @Test("The first byte leaves before later records are made, and each later one when those before it have come")
    func lazy() async throws {
        let server = try await ScriptedServer { _ in ScriptedServer.answer([]) }
        let source = WaitingRecords(count: 6, size: 300_000 / 6) { server.begun }
        try await server.serving {
            _ = try await Self.carrier(server.port).exchange(source) { _ in }
        }
        #expect(source.made == 6, "or it would wait for ever")
    }

    @Test("What the source throws ends the exchange as it is; the connection is not used again")
    func sourceFails() async throws {
        struct Damaged: Error {}
        let server = try await ScriptedServer { _ in ScriptedServer.answer([]) }
        try await server.serving {
            let carrier = try Self.carrier(server.port)
            for count in [0, 1, 3] {
                let source = WaitingRecords(count: count, size: 2_000, failure: Damaged()) { .max }
                await #expect(throws: Damaged.self) { _ = try await carrier.exchange(source) { _ in } }
            }
            _ = try await carrier.exchange([[1]]) { _ in }
        }
        #expect(server.requests.count == 1)
    }
}

/// Makes no record but the first before the peer has heard something of the one before.
final class WaitingRecords: RecordSource {
    private let count: Int
    private let size: Int
    private let failure: (any Error)?
    private let heard: @Sendable () -> Int
    private let position = Mutex(0)

    /// - Parameter heard: bytes that the peer has.
    init(count: Int, size: Int, failure: (any Error)? = nil, heard: @escaping @Sendable () -> Int) {
        self.count = count
        self.size = size
        self.failure = failure
        self.heard = heard
    }

    var made: Int { position.withLock { $0 } }

    func next() async throws -> [UInt8]? {
        let index = made
        guard index < count else {
            if let failure { throw failure }
            return nil
        }
        while index > 0, heard() <= size * (index - 1) { try await Task.sleep(for: .milliseconds(1)) }
        position.withLock { $0 += 1 }
        return [UInt8](repeating: UInt8(index + 1), count: size)
    }
}

/// Takes its time for each record but the first.
final class SlowRecords: RecordSource {
    private let records: FixedRecords
    private let isFirst = Mutex(true)

    init(_ records: [[UInt8]]) { self.records = FixedRecords(records) }

    func next() async throws -> [UInt8]? {
        let pauses = isFirst.withLock { isFirst in
            defer { isFirst = false }
            return !isFirst
        }
        if pauses { try await Task.sleep(for: .milliseconds(20)) }
        return await records.next()
    }
}
