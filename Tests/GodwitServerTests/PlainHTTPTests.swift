import GodwitNode
import GodwitProtocol
import Testing

@testable import GodwitServer

@Suite(.timeLimit(.minutes(2))) struct PlainHTTPTests {
    static func answer(
        _ request: String, prepare: @escaping @Sendable (ServerHarness) -> Void = { _ in }
    ) async throws -> (head: String, body: String) {
        try await ServerHarness.run { harness in
            prepare(harness)
            return try await RawClient.connected(to: harness.port) { client in
                try await client.write(request)
                return try await client.readAnswer()
            }
        }
    }

    @Test("The descriptor is answered with four lines of header and not one more")
    func descriptor() async throws {
        let answer = try await Self.answer("GET /api/v1/node HTTP/1.1\r\nHost: a\r\n\r\n")
        let lines = answer.head.split(separator: "\r\n").map { $0.lowercased() }
        #expect(lines.first == "http/1.1 200 ok")
        #expect(
            Set(lines.dropFirst()) == [
                "content-type: application/json", "content-length: \(answer.body.utf8.count)",
                "etag: " + AnswerConditions.tag(of: ScriptedInformation.descriptor),
            ])
        #expect(answer.body.utf8.elementsEqual(ScriptedInformation.descriptor))
    }

    @Test("Health is always well, readiness is what the node says")
    func health() async throws {
        let get = "HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(try await Self.answer("GET /healthz \(get)").head.hasPrefix("HTTP/1.1 200 "))
        #expect(try await Self.answer("GET /readyz \(get)").head.hasPrefix("HTTP/1.1 200 "))
        let notReady = try await Self.answer("GET /readyz \(get)") { $0.information.setReady(false) }
        #expect(notReady.head.hasPrefix("HTTP/1.1 503 "))
        #expect(notReady.body.contains("MAINTENANCE_MODE"))
    }

    @Test("REST-09, ERR-01: other paths are 404, other methods 405, with an error object")
    func refusals() async throws {
        let cases = [
            ("GET /", "404"), ("GET /healthz/", "404"), ("GET /../healthz", "404"), ("GET //healthz", "404"),
            ("POST /healthz", "405"), ("GET /batch/v1/exchange", "405"), ("DELETE /api/v1/node", "405"),
            ("GET /ws/v1", "400"),
        ]
        for (line, status) in cases {
            let answer = try await Self.answer("\(line) HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            #expect(answer.head.hasPrefix("HTTP/1.1 \(status) "), "\(line): \(answer.head)")
            let object = try JSONObject.parse(Array(answer.body.utf8))
            let error = object["error"]?.object
            #expect(error?["code"]?.string == "INVALID_MESSAGE_FORMAT")
            #expect(error?["request_id"]?.string?.hasPrefix("req_") == true)
            #expect(error?["timestamp"]?.string.flatMap { Timestamp(iso8601: $0) } != nil)
            #expect(error?["hint"]?.string != nil)
            if status == "405" { #expect(answer.head.lowercased().contains("allow: ")) }
        }
    }

    @Test("another version of an interface is refused with 9002, by path or by subprotocol (ERR-07)")
    func versions() async throws {
        for (path, header, status) in [
            ("/ws/v2", "", "426"), ("/batch/v2/exchange", "", "426"), ("/api/v2/node", "", "426"),
            ("/ws/v1", "Sec-WebSocket-Protocol: dcp-v2, chat\r\n", "426"),
            ("/ws/v1", "Sec-WebSocket-Protocol: dcp-v2, dcp-v1\r\n", "400"), ("/ws/v1", "", "400"),
            ("/ws/vx", "", "404"),
            ("/ws", "", "404"), ("/batch/v1/live", "Sec-WebSocket-Protocol: dcp-v1\r\n", "426"),
        ] {
            let answer = try await Self.answer("GET \(path) HTTP/1.1\r\nHost: a\r\n\(header)\r\n")
            #expect(answer.head.hasPrefix("HTTP/1.1 \(status) "), "\(path) \(header): \(answer.head)")
            #expect(answer.body.contains("PROTOCOL_VERSION_MISMATCH") == (status == "426"))
        }
    }

    @Test("Bytes that are no HTTP are answered 400, and the connection ends")
    func garbage() async throws {
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("\u{1}\u{2}nonsense\r\n\r\n")
                let answer = String(decoding: try await client.readToEnd(), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("INVALID_MESSAGE_FORMAT"))
            }
        }
    }

    @Test("A header of 16 KiB and 64 lines is the most that is read")
    func headerLimits() async throws {
        func status(_ headers: String) async throws -> String {
            try await ServerHarness.run { harness in
                try await RawClient.connected(to: harness.port) { client in
                    try await client.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\(headers)\r\n")
                    // A refused connection may end without an answer.
                    do { return String(try await client.readHead().dropFirst(9).prefix(3)) } catch { return "cut" }
                }
            }
        }
        #expect(try await status("X: " + String(repeating: "y", count: 8_000) + "\r\n") == "200")
        #expect(try await status("X: " + String(repeating: "y", count: 8_300) + "\r\n").isTooLarge)
        #expect(try await status(String(repeating: "X: y\r\n", count: 60)) == "200")
        #expect(try await status(String(repeating: "X: y\r\n", count: 70)).isTooLarge)
    }

    @Test("A connection whose header never ends is cut, before and after a first request (slowloris)")
    func slowHeader() async throws {
        try await ServerHarness.run(configure: { $0.headTimeout = .milliseconds(1_500) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("GET /heal")
                #expect(try await client.readToEnd().isEmpty)
            }
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await client.readAnswer()
                try await client.write("GET /heal")
                #expect(try await client.readToEnd().isEmpty)
            }
        }
    }

    @Test("A body that stops coming is cut")
    func slowBody() async throws {
        try await ServerHarness.run(configure: { $0.stallTimeout = .milliseconds(300) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("POST /batch/v1/exchange HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n\u{1}")
                #expect(try await client.readToEnd().isEmpty)
            }
        }
    }

    @Test("An idle connection is kept for its time, then ended; shutdown does not wait for it")
    func idle() async throws {
        try await ServerHarness.run(configure: { $0.idleTimeout = .milliseconds(1_500) }) { harness in
            try await RawClient.connected(to: harness.port) { client in
                for _ in 0..<2 {
                    try await client.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                    _ = try await client.readAnswer()
                }
                #expect(try await client.readToEnd().isEmpty)
            }
        }
        try await ServerHarness.run { harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await client.readAnswer()
                await harness.shutDown()
                #expect(try await client.readToEnd().isEmpty)
            }
        }
    }

    @Test("No more connections are served at once than configured; the next waits its turn")
    func connectionLimit() async throws {
        try await ServerHarness.run(configure: { $0.connectionsMax = 1 }) { harness in
            let waiting = try await RawClient.connected(to: harness.port) { first in
                try await first.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await first.readAnswer()
                let port = harness.port
                let second = Task {
                    try await RawClient.connected(to: port) { client in
                        try await client.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                        return try await client.readAnswer().body
                    }
                }
                try await first.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try await first.readAnswer().body == "ok\n")
                return second
            }
            #expect(try await waiting.value == "ok\n")
        }
    }

    @Test("An address has a share of the connections; one more is closed at once, until one of its own ends")
    func connectionShare() async throws {
        let ask = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        try await ServerHarness.run(configure: {
            $0.connectionsPerSourceMax = 2
            $0.isLocalExempt = false
        }) { harness in
            let port = harness.port
            try await RawClient.connected(to: port) { first in
                try await first.write(ask)
                #expect(try await first.readAnswer().body == "ok\n")
                try await RawClient.connected(to: port) { second in
                    try await second.write(ask)
                    #expect(try await second.readAnswer().body == "ok\n")
                    let third = try? await RawClient.connected(to: port) { client in
                        try await client.write(ask)
                        return try await client.readToEnd()
                    }
                    #expect(third ?? [] == [])
                }
                // The end of the second has to be seen before its place is free.
                while true {
                    let answer = try? await RawClient.connected(to: port) { client in
                        try await client.write(ask)
                        return try await client.readAnswer().body
                    }
                    if answer == "ok\n" { break }
                }
            }
        }
    }

    @Test("Places are counted for each address, and an address without connections is forgotten")
    func places() {
        let places = ConnectionPlaces(perSourceMax: 2)
        let (one, other) = (SourceAddress([192, 0, 2, 1]), SourceAddress([192, 0, 2, 2]))
        #expect(places.enter(one) && places.enter(one) && !places.enter(one))
        #expect(places.enter(other) && places.sources == 2)
        places.leave(one)
        #expect(places.enter(one) && !places.enter(one))
        for _ in 0..<2 { places.leave(one) }
        places.leave(other)
        #expect(places.sources == 0)
    }

    @Test("SEC-02: clear text is served on loopback only, unless it is allowed")
    func clearText() throws {
        for host in ["127.0.0.1", "localhost", "::1"] {
            try ServerConfiguration(host: host, port: 0, tls: nil).validate()
        }
        for host in ["0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example", ""] {
            #expect(throws: ProtocolError.self) { try ServerConfiguration(host: host, port: 0, tls: nil).validate() }
        }
        var allowed = ServerConfiguration(host: "0.0.0.0", port: 0, tls: nil)
        allowed.allowClear = true
        try allowed.validate()
    }

    @Test("A configuration out of its range is refused")
    func configuration() {
        let changes: [(inout ServerConfiguration) -> Void] = [
            { $0.port = -1 }, { $0.port = 65_536 }, { $0.connectionsMax = 0 }, { $0.bodyMax = 0 },
            { $0.connectionsPerSourceMax = 0 }, { $0.apiBodiesMax = 0 }, { $0.apiBodyTimeout = .zero },
            { $0.headTimeout = .zero }, { $0.stallTimeout = .zero }, { $0.socket.close = .zero },
        ]
        for change in changes {
            var configuration = ServerConfiguration(host: "127.0.0.1", port: 65_535, tls: nil)
            #expect(throws: Never.self) { try configuration.validate() }
            change(&configuration)
            #expect(throws: ProtocolError.self) { try configuration.validate() }
        }
        let wrong = ServerConfiguration.TLS(certificateChain: [1], privateKey: [2])
        #expect(throws: ProtocolError.self) { try wrong.context() }
    }
}

extension String {
    /// 431, or a connection that the system cut before the answer could be read: bytes of the request were still coming.
    fileprivate var isTooLarge: Bool { self == "431" || self == "cut" }
}
