import GodwitBatch
import GodwitProtocol
import Testing

@testable import GodwitServer

@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
    static func head(_ length: Int) -> String {
        "POST /batch/v1/exchange HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n"
    }

    @Test("D-11: a record reaches the node before the next one has been sent")
    func streamsIn() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(4))
                try await client.write([1, 5])
                await harness.exchange.received.wait(count: 1)
                try await client.write([1, 6])
                #expect(try await client.readAnswer().head.hasPrefix("HTTP/1.1 200 "))
            }
            #expect(harness.exchange.received.all == [[5], [6]])
        }
    }

    @Test("An answer of one record has a length and nothing superfluous")
    func single() async throws {
        let answer = try await ServerHarness.run(exchange: ScriptedExchange(.init(answer: [[7, 8]]))) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(0))
                return try await client.readAnswer()
            }
        }
        #expect(answer.body == "\u{2}\u{7}\u{8}")
        let lines = Set(answer.head.split(separator: "\r\n").map { $0.lowercased() })
        #expect(lines == ["http/1.1 200 ok", "content-type: application/octet-stream", "content-length: 3"])
    }

    @Test("A record of the answer is sent before the next one exists")
    func streamsOut() async throws {
        let exchange = ScriptedExchange(.init(answer: [[1], [2], [3]], holdsBefore: 2))
        try await ServerHarness.run(exchange: exchange) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(0))
                #expect(try await client.readHead().lowercased().contains("transfer-encoding: chunked"))
                #expect(try await client.read(14) == Array("2\r\n\u{1}\u{1}\r\n2\r\n\u{1}\u{2}\r\n".utf8))
                harness.exchange.release.open()
                #expect(try await client.read(12) == Array("2\r\n\u{1}\u{3}\r\n0\r\n\r\n".utf8))
            }
        }
    }

    @Test("An error before the answer is answered with its status and object; earlier records were kept")
    func refused() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(4))
                try await client.write([1, 5])
                await harness.exchange.received.wait(count: 1)
                try await client.write([1, 0xEE])
                let answer = try await client.readAnswer()
                #expect(answer.head.hasPrefix("HTTP/1.1 401 "))
                let error = ProtocolError(object: try JSONObject.parse(Array(answer.body.utf8)))
                #expect(error?.code == .invalidCredentials)
                // The connection lives on.
                try await client.write(Self.head(2))
                try await client.write([1, 6])
                #expect(try await client.readAnswer().head.hasPrefix("HTTP/1.1 200 "))
            }
            #expect(harness.exchange.received.all == [[5], [6]])
        }
    }

    @Test("An error within the answer cuts the connection, so that the answer is seen to be broken")
    func broken() async throws {
        let exchange = ScriptedExchange(.init(answer: [[1], [2], [3]], failsAfter: 2))
        let rest = try await ServerHarness.run(exchange: exchange) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(0))
                _ = try await client.readHead()
                return try await client.readToEnd()
            }
        }
        #expect(rest == Array("2\r\n\u{1}\u{1}\r\n2\r\n\u{1}\u{2}\r\n".utf8), "no last chunk")
    }

    @Test(
        "A body that ends within a record, an empty record and a record over 65,600 bytes are refused",
        arguments: [([2, 1], "400"), ([0], "400"), ([0xC1, 0x80, 0x04], "413"), ([0x80, 0x00], "400")]
            as [([UInt8], String)])
    func malformed(_ body: [UInt8], _ status: String) async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(body.count))
                try await client.write(body)
                #expect(try await client.readAnswer().head.hasPrefix("HTTP/1.1 \(status) "))
            }
            #expect(harness.exchange.received.all.isEmpty)
        }
    }

    @Test("A body of the largest size is taken, one byte more is 413, said or counted")
    func bodyLimit() async throws {
        let record = ExchangeWriter.frame(Array(repeating: 1, count: 99))  // 100 bytes
        try await ServerHarness.run(configure: { $0.bodyMax = 1_000 }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(1_000))
                try await client.write(Array(repeating: record, count: 10).flatMap { $0 })
                #expect(try await client.readAnswer().head.hasPrefix("HTTP/1.1 200 "))
                try await client.write(Self.head(1_001))
                let answer = try await client.readAnswer()
                #expect(answer.head.hasPrefix("HTTP/1.1 413 "))
                #expect(answer.body.contains(#""actual_size":1001"#) && answer.body.contains(#""max_size":1001"#))
            }
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(
                    "POST /batch/v1/exchange HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n")
                try await client.write(Array(repeating: record, count: 10).flatMap { $0 } + [1])
                #expect(try await client.readAnswer().head.hasPrefix("HTTP/1.1 413 "))
            }
            #expect(harness.exchange.received.all.count == 10 || harness.exchange.received.all.count == 20)
        }
    }

    @Test("A client that goes on far beyond the limit is cut")
    func endless() async throws {
        try await ServerHarness.run(configure: { $0.bodyMax = 1_000 }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(1_000_000_000))
                _ = try await client.readAnswer()
                let block = [UInt8](repeating: 1, count: 65_536)
                await #expect(throws: (any Error).self) {
                    while true { try await client.write(block) }
                }
            }
        }
    }

    @Test("An exchange that runs at shutdown is answered to its end")
    func shutdown() async throws {
        let exchange = ScriptedExchange(.init(answer: [[1], [2], [3]], holdsBefore: 2))
        try await ServerHarness.run(exchange: exchange) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(Self.head(0))
                _ = try await client.readHead()
                await harness.shutDown()
                harness.exchange.release.open()
                let rest = String(decoding: try await client.readToEnd(), as: UTF8.self)
                #expect(rest.hasSuffix("\u{1}\u{3}\r\n0\r\n\r\n"))
            }
        }
    }
}
