import GodwitNode
import GodwitProtocol
import NIOCore
import Testing

@testable import GodwitServer

@Suite(.timeLimit(.minutes(2))) struct SocketTests {
    @Test("WS-01, WS-02: the handshake of RFC 6455 §1.3 opens a socket that speaks dcp-v1")
    func handshake() async throws {
        let head = try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.upgrade("Sec-WebSocket-Protocol: chat, dcp-v1\r\n")
            }
        }
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        #expect(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(head.contains("Sec-WebSocket-Protocol: dcp-v1\r\n"))
    }

    @Test("WS-02: without the subprotocol the handshake is answered 400 with the error object")
    func noSubprotocol() async throws {
        let whole = RawClient.handshake()
        let requests = [
            RawClient.handshake(""),
            whole.replacing("Version: 13", with: "Version: 8"),
            whole.replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "c2hvcnQ="),
            whole.replacing("Connection: Upgrade", with: "Connection: keep-alive"),
            whole.replacing("Upgrade: websocket", with: "Upgrade: h2c"),
        ]
        for request in requests {
            let answer = try await ServerHarness.run { harness in
                try await RawClient.connected(to: harness.port) { client in
                    try await client.write(request)
                    return try await client.readAnswer()
                }
            }
            #expect(answer.head.hasPrefix("HTTP/1.1 400 "), "\(request)")
            #expect(answer.body.contains(#""code":"INVALID_MESSAGE_FORMAT""#))
        }
    }

    @Test("A request that asks for another upgrade beside is answered as if it had not")
    func otherUpgrade() async throws {
        let answer = try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write(
                    "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                        + "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
                return try await client.readToEnd()
            }
        }
        #expect(String(decoding: answer, as: UTF8.self).hasSuffix("ok\n"))
    }

    @Test("WS-03, AUTH-17: the bearer token and the origin reach the node; another scheme does not")
    func token() async throws {
        let requests = try await ServerHarness.run { harness in
            for header in [
                "Authorization: Bearer abc.def\r\nOrigin: https://a.example\r\n", "Authorization: Basic abc\r\n", "",
            ] {
                try await RawClient.connected(to: harness.port) { client in
                    _ = try await client.upgrade("Sec-WebSocket-Protocol: dcp-v1\r\n" + header)
                }
            }
            await harness.sockets.requests.wait(count: 3)
            return harness.sockets.requests.all
        }
        #expect(requests.map(\.token) == ["abc.def", nil, nil])
        #expect(requests.map(\.origin) == ["https://a.example", nil, nil])
    }

    @Test("Messages, fragments with a ping between them, and a close cross the real socket")
    func conversation() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                try await client.write(RawClient.text("Grüße"))
                #expect(try await client.readFrame() == .init(first: 0x81, payload: Array("Grüße".utf8)))
                try await client.write(
                    RawClient.frame(0x01, Array("two ".utf8)) + RawClient.frame(0x89, [1, 2])
                        + RawClient.frame(0x80, Array("parts".utf8)))
                #expect(try await client.readFrame() == .init(first: 0x8A, payload: [1, 2]))
                #expect(try await client.readFrame().text == "two parts")
                try await client.write(RawClient.frame(0x88, [0x03, 0xE8]))
                #expect(try await client.readFrame() == .init(first: 0x88, payload: [0x03, 0xE8]))
                #expect(try await client.readToEnd().isEmpty)
            }
            await harness.sockets.closed.wait(count: 1)
        }
    }

    @Test("Bytes one by one make the same message")
    func drip() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                for byte in RawClient.text("slow") { try await client.write([byte]) }
                #expect(try await client.readFrame().text == "slow")
            }
        }
    }

    @Test("A message of 131,072 bytes is taken, whole or in parts; one more byte is closed with 1009")
    func size() async throws {
        let largest = [UInt8](repeating: 0x61, count: SocketLimits.messageMax)
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                try await client.write(RawClient.frame(0x81, largest))
                #expect(try await client.readFrame().payload == largest)
                try await client.write(
                    RawClient.frame(0x01, Array(largest[..<70_000])) + RawClient.frame(0x80, Array(largest[70_000...])))
                #expect(try await client.readFrame().payload == largest)
                try await client.write(RawClient.frame(0x01, largest) + RawClient.frame(0x80, [0x61]))
                #expect(try await client.readFrame().closeCode == 1009)
            }
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                // Refused by its length alone, before the bytes have come.
                try await client.write(RawClient.frame(0x81, [], length: SocketLimits.messageMax + 1))
                #expect(try await client.readFrame().closeCode == 1009)
            }
        }
    }

    static let violations: [(String, [UInt8], UInt16)] = [
        ("binary", RawClient.frame(0x82, [1]), 1003),
        ("not UTF-8", RawClient.frame(0x81, [0xFF]), 1007),
        ("character cut for good", RawClient.frame(0x81, [0xE2, 0x82]), 1007),
        ("unmasked", RawClient.frame(0x81, [0x61], masked: false), 1002),
        ("reserved bit", RawClient.frame(0xC1, [0x61]), 1002),
        ("opcode 3", RawClient.frame(0x83, []), 1002),
        ("opcode 11", RawClient.frame(0x8B, []), 1002),
        ("fragmented ping", RawClient.frame(0x09, []), 1002),
        ("ping of 126 bytes", RawClient.frame(0x89, Array(repeating: 0, count: 126)), 1002),
        ("continuation of nothing", RawClient.frame(0x80, [0x61]), 1002),
        ("length with the top bit", [0x81, 0xFF] + Array(repeating: 0xFF, count: 8), 1009),
        ("close without a whole code", RawClient.frame(0x88, [0x03]), 1002),
        ("close with a code that is none", RawClient.frame(0x88, [0x03, 0xEC]), 1002),
        ("close with a reason that is no UTF-8", RawClient.frame(0x88, [0x03, 0xE8, 0xFF]), 1007),
    ]

    @Test(
        "RFC 6455: what breaks the rules is answered with its close code, and the connection ends",
        arguments: violations)
    func violation(_ name: String, _ bytes: [UInt8], _ code: UInt16) async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                try await client.write(bytes)
                #expect(try await client.readFrame().closeCode == code)
            }
            await harness.sockets.closed.wait(count: 1)
            #expect(harness.sockets.received.all.isEmpty)
        }
    }

    @Test("G-28, G-33: a socket without a session is closed with 4401; one with a session stays")
    func unauthenticated() async throws {
        try await ServerHarness.run(configure: { $0.socket.authentication = .milliseconds(100) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                #expect(try await client.readFrame().closeCode == 4401)
            }
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade("Sec-WebSocket-Protocol: dcp-v1\r\nAuthorization: Bearer x\r\n")
                try await Task.sleep(for: .milliseconds(400))
                try await client.write(RawClient.text("still here"))
                #expect(try await client.readFrame().text == "still here")
            }
        }
    }

    @Test("A silent client is pinged, again and again while it answers")
    func silence() async throws {
        try await ServerHarness.run(configure: { $0.socket.idle = .milliseconds(100) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                for _ in 0..<3 {
                    #expect(try await client.readFrame() == .init(first: 0x89, payload: []))
                    try await client.write(RawClient.frame(0x8A, []))
                }
            }
        }
    }

    @Test("A client that does not answer a ping is cut")
    func dead() async throws {
        try await ServerHarness.run(
            configure: {
                $0.socket.idle = .milliseconds(100)
                $0.socket.answer = .milliseconds(100)
            }
        ) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                _ = try await client.readToEnd()
            }
            await harness.sockets.closed.wait(count: 1)
        }
    }

    @Test("The node closes with its own code, after what was queued")
    func nodeCloses() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                try await client.write(RawClient.text("first") + RawClient.text("bye"))
                #expect(try await client.readFrame().text == "first")
                let close = try await client.readFrame()
                #expect(close.closeCode == 4000)
                #expect(String(decoding: close.payload.dropFirst(2), as: UTF8.self) == "As asked.")
            }
            #expect(harness.sockets.sendResults.all == [true, false], "nothing is queued after a close")
        }
    }

    @Test("A client that does not read fills the outbox: send says false, and the node holds no more than that")
    func slowReader() async throws {
        let text = [UInt8](repeating: 0x61, count: 10_000)
        try await ServerHarness.run(configure: { $0.socket.close = .milliseconds(100) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                let frame = RawClient.frame(0x81, text)
                // The refused send ends the connection, maybe in the middle of a write.
                while !harness.sockets.sendResults.all.contains(false) {
                    do { try await client.write(frame) } catch { break }
                }
                while !harness.sockets.sendResults.all.contains(false) {
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
        }
    }

    @Test("Sockets of devices are asked after a time of their own, live links after theirs (G-46)")
    func ownSilence() async throws {
        try await ServerHarness.run(configure: {
            $0.socket.idle = .seconds(3_600)
            $0.sessionIdle = .milliseconds(50)
        }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                #expect(try await client.readFrame().first == 0x89)
            }
        }
        var configuration = ServerConfiguration(host: "127.0.0.1", port: 0, tls: nil)
        configuration.sessionIdle = .zero
        #expect(throws: ProtocolError.self) { try configuration.validate() }
    }

    @Test("A session whose outbox had refused something is told once the client has read half of it")
    func drained() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                // What the client sends comes back, until nothing more is taken because it does not read.
                let outbound = client.outbound
                async let sending: Void = {
                    while !harness.sockets.sendResults.all.contains(false) {
                        try await outbound.write(
                            ByteBuffer(bytes: RawClient.frame(0x81, [UInt8](repeating: 0x61, count: 10_000))))
                    }
                }()
                while !harness.sockets.sendResults.all.contains(false) { try await Task.sleep(for: .milliseconds(5)) }
                #expect(harness.sockets.drained.all.isEmpty)
                while harness.sockets.drained.all.isEmpty { _ = try await client.readFrame() }
                try await sending
                #expect(harness.sockets.drained.all.count == 1)
            }
        }
    }

    @Test("P3: on shutdown every socket gets 1001, and the server ends although a client never answers")
    func shutdown() async throws {
        try await ServerHarness.run(configure: { $0.socket.close = .seconds(3) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                _ = try await client.upgrade()
                try await client.write(RawClient.text("hello"))
                _ = try await client.readFrame()
                await harness.shutDown()
                #expect(try await client.readFrame().closeCode == 1001)
                // Never answered: the connection is cut all the same.
                _ = try await client.readToEnd()
            }
            await harness.sockets.closed.wait(count: 1)
        }
    }
}
