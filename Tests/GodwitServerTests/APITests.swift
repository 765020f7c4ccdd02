import GodwitNode
import GodwitProtocol
import Testing

@testable import GodwitServer

/// The REST interface over HTTP, before commands that a test scripts (REST-01, 02, 09, ERR-01, G-38, G-44).
@Suite("The REST interface", .timeLimit(.minutes(2))) struct APITests {
    typealias Exchange = (status: String, head: String, body: String)

    static func ask(
        _ line: String, headers: [String] = ["Authorization: Bearer good"], body: String? = nil,
        script: @escaping @Sendable (ScriptedCommands) -> Void = { _ in },
        configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> (answer: Exchange, calls: [ScriptedCommands.Call]) {
        try await ServerHarness.run(configure: configure) { harness in
            script(harness.commands)
            var lines = ["\(line) HTTP/1.1", "Host: a"] + headers
            if let body { lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"] }
            let request = lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
            let answer = try await RawClient.connected(to: harness.port) { client in
                try await client.write(request)
                if line.hasPrefix("HEAD") { return (head: try await client.readHead(), body: "") }
                return try await client.readAnswer()
            }
            let status = String(answer.head.dropFirst(9).prefix(3))
            return ((status, answer.head.lowercased(), answer.body), harness.commands.calls.all)
        }
    }

    @Test("a request is its command: path, query and body become the command's data, and its answer the body")
    func translates() async throws {
        let history = try await Self.ask("GET /api/v1/channels/dev%2Fhelp/messages?limit=5&channel_node=a7f3k9m2") {
            $0.answer("history", with: .success(["messages": [], "has_more": false, "next_cursor": nil]))
        }
        #expect(history.answer.status == "200")
        #expect(history.answer.body == #"{"has_more":false,"messages":[],"next_cursor":null}"#)
        #expect(
            history.calls == [
                .init(command: "history", data: ["channel": "#dev/help", "limit": 5, "channel_node": "a7f3k9m2"])
            ])
        let held = try await Self.ask("GET /api/v1/channels/dev/held?limit=5&after=3") {
            $0.answer("list_held", with: .success(["messages": []]))
        }
        #expect(held.calls == [.init(command: "list_held", data: ["channel": "#dev", "limit": 5, "after": "3"])])
        for decision in ["release", "discard"] {
            let line = "POST /api/v1/channels/dev/held/\(decision)"
            let decided = try await Self.ask(line, body: #"{"command":{"a":1}}"#)
            #expect(
                decided.calls == [.init(command: decision + "_held", data: ["channel": "#dev", "command": ["a": 1]])])
        }
        let sent = try await Self.ask("POST /api/v1/channels/%23dev/messages", body: #"{"message":{"a":1}}"#)
        #expect(sent.answer.status == "201")
        #expect(sent.calls == [.init(command: "send_message", data: ["channel": "#dev", "message": ["a": 1]])])
        let named = try await Self.ask("POST /api/v1/commands/set_role", body: #"{"role":"admin","topic":null}"#)
        #expect(named.calls == [.init(command: "set_role", data: ["role": "admin", "topic": nil])])
        #expect(named.answer.status == "200" && named.answer.body == "{}")
    }

    @Test("bodies that arrive at the same time share a budget: who finds no room is told when to ask again")
    func bodiesShareABudget() async throws {
        let body = #"{"message":{"a":1}}"#
        let head =
            [
                "POST /api/v1/channels/%23dev/messages HTTP/1.1", "Host: a", "Authorization: Bearer good",
                "Content-Type: application/json", "Content-Length: \(body.utf8.count)",
            ].joined(separator: "\r\n") + "\r\n\r\n"
        try await ServerHarness.run(configure: { $0.apiBodiesMax = body.utf8.count + 3 }) { harness in
            let port = harness.port
            try await RawClient.connected(to: port) { slow in
                try await slow.write(head + body.prefix(4))
                // Its four bytes may still be on their way: so long there is room for another.
                var refused: Exchange?
                while refused == nil {
                    let answer = try await RawClient.connected(to: port) { client in
                        try await client.write(head + body)
                        return try await client.readAnswer()
                    }
                    if !answer.head.contains(" 201 ") { refused = ("", answer.head.lowercased(), answer.body) }
                }
                #expect(refused?.head.contains("429") == true && refused?.head.contains("retry-after: 5") == true)
                #expect(refused?.body.contains(#""limit":"bodies""#) == true)
                try await slow.write(String(body.dropFirst(4)))
                #expect(try await slow.readAnswer().head.contains("201"))
            }
            // What was held was given back, of the refused one too.
            let after = try await RawClient.connected(to: port) { client in
                try await client.write(head + body)
                return try await client.readAnswer()
            }
            #expect(after.head.contains("201"))
        }
    }

    @Test("a body that takes longer than its time is answered with 408, however steadily it trickles")
    func slowBody() async throws {
        let head =
            [
                "POST /api/v1/channels/%23dev/messages HTTP/1.1", "Host: a", "Authorization: Bearer good",
                "Content-Type: application/json", "Content-Length: 50000",
            ].joined(separator: "\r\n") + "\r\n\r\n"
        try await ServerHarness.run(configure: { $0.apiBodyTimeout = .nanoseconds(1) }) { harness in
            let answer = try await RawClient.connected(to: harness.port) { client in
                try await client.write(head + "{")
                return try await client.readAnswer()
            }
            #expect(answer.head.contains("408") && answer.body.contains("batch"))
        }
    }

    @Test("a command without an answer is 204, without a body and the headers of one")
    func noContent() async throws {
        let done = try await Self.ask("POST /api/v1/sync/received", body: #"{"upto":4}"#)
        #expect(done.answer.status == "204" && !done.answer.head.contains("content-"))
        #expect(done.calls == [.init(command: "received", data: ["upto": 4])])
    }

    @Test(
        "every error is the one object, with the status of its code (REST-09, G-44)",
        arguments: ErrorCode.allCases)
    func codes(code: ErrorCode) async throws {
        let failed = try await Self.ask("GET /api/v1/channels") {
            $0.answer(
                "list_channels", with: .failure(ProtocolError(code, "No.", hint: "Why.", details: ["retry_after": 7])))
        }
        #expect(failed.answer.status == String(code.httpStatus))
        let error = try #require(JSONObject.parse(Array(failed.answer.body.utf8))["error"]?.object)
        #expect(error["code"]?.string == code.name && error["number"]?.integer == Int64(code.number))
        #expect(error["hint"]?.string == "Why." && error["request_id"]?.string?.hasPrefix("req_") == true)
        #expect(failed.answer.head.contains("retry-after: 7"))
        #expect(failed.answer.head.contains("www-authenticate: bearer") == (code.httpStatus == 401))
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var line: String
        var status: String
        var headers = ["Authorization: Bearer good"]
        var body: String?
        var testDescription: String { "\(line.prefix(60)) \(status)" }
    }

    @Test(
        "what is refused before any command is an error object too",
        arguments: [
            Refusal(line: "GET /api/v1/nothing", status: "404"),
            Refusal(line: "GET /api/v1/", status: "404"),
            Refusal(line: "GET /api/v1/channels/", status: "404"),
            Refusal(line: "GET /api/v2/channels", status: "426"),
            Refusal(line: "GET /api", status: "426"),
            Refusal(line: "PATCH /api/v1/channels", status: "405"),
            Refusal(line: "DELETE /api/v1/node", status: "405"),
            Refusal(line: "GET /api/v1/channels", status: "401", headers: []),
            Refusal(line: "GET /api/v1/channels", status: "401", headers: ["Authorization: Basic good"]),
            Refusal(line: "GET /api/v1/channels", status: "401", headers: ["Authorization: Bearer bad"]),
            Refusal(
                line: "GET /api/v1/channels", status: "406",
                headers: ["Authorization: Bearer good", "Accept: text/html"]),
            Refusal(
                line: "GET /api/v1/channels", status: "406",
                headers: ["Authorization: Bearer good", "Accept: application/json;q=0, */*"]),
            Refusal(line: "GET /api/v1/channels?x=1", status: "400"),
            Refusal(line: "GET /api/v1/channels?limit=0", status: "400"),
            Refusal(line: "POST /api/v1/sync/received", status: "400", body: "{"),
            Refusal(line: "POST /api/v1/sync/received", status: "400", body: "[]"),
            Refusal(line: "POST /api/v1/sync/received", status: "400", body: #"{"upto":"4"}"#),
            Refusal(line: "POST /api/v1/sync/received", status: "400", body: #"{"upto":1,"upto":2}"#),
            Refusal(line: "POST /api/v1/sync/received", status: "415"),
            Refusal(line: "GET /api/v1/channels?x=" + String(repeating: "y", count: 2_100), status: "414"),
            Refusal(
                line: "POST /api/v1/sync/received", status: "413",
                body: "{\"a\":\"" + String(repeating: "x", count: 131_072) + "\"}"),
        ])
    func refused(case refusal: Refusal) async throws {
        let (answer, calls) = try await Self.ask(refusal.line, headers: refusal.headers, body: refusal.body)
        #expect(answer.status == refusal.status, "\(answer.head)")
        let error = try JSONObject.parse(Array(answer.body.utf8))["error"]?.object
        #expect(error?["code"]?.string != nil && error?["message"]?.string != nil)
        #expect(calls.isEmpty)
        if refusal.status == "405" { #expect(answer.head.contains("allow: ")) }
        if refusal.status == "426" { #expect(error?["code"]?.string == "PROTOCOL_VERSION_MISMATCH") }
    }

    @Test("a body of 131,072 bytes is read, one byte more is not (REST-02)")
    func bodyLimit() async throws {
        for (count, status) in [(131_072, "204"), (131_073, "413")] {
            let frame = #"{"upto":1,"x":""}"#
            let body = frame.dropLast(2) + String(repeating: "y", count: count - frame.utf8.count) + "\"}"
            let answer = try await Self.ask("POST /api/v1/sync/received", body: String(body)).answer
            #expect(answer.status == status, "\(count)")
        }
    }

    @Test("plain content is refused with 2000 and says why: the node never sees clear text (G-38, E2E-01)")
    func plainContent() async throws {
        let (answer, calls) = try await Self.ask(
            "POST /api/v1/channels/%23dev/messages", body: #"{"content":{"text":"hello","format":"plain"}}"#)
        #expect(answer.status == "400" && answer.body.contains("clear text"))
        #expect(try JSONObject.parse(Array(answer.body.utf8))["error"]?.object?["number"]?.integer == 2000)
        #expect(calls.isEmpty)
    }

    @Test("login steps need no session and are kept by nobody")
    func login() async throws {
        let (answer, calls) = try await Self.ask(
            "POST /api/v1/auth/challenge", headers: [], body: #"{"user_id":"a7f3k9m2.alice"}"#)
        #expect(answer.status == "200" && answer.head.contains("cache-control: no-store"))
        #expect(calls == [.init(command: "auth_challenge_request", data: ["user_id": "a7f3k9m2.alice"])])
    }

    @Test("HEAD says what GET would bring; OPTIONS says what a path takes")
    func headAndOptions() async throws {
        let head = try await Self.ask("HEAD /api/v1/node").answer
        #expect(head.status == "200")
        #expect(head.head.contains("content-length: \(ScriptedInformation.descriptor.count)"))
        let options = try await Self.ask("OPTIONS /api/v1/devices", headers: []).answer
        #expect(options.status == "204" && options.head.contains("allow: get, put, head, options"))
    }

    @Test("what has not changed is not sent again, and what broke off is gone on with (RFC 9110 §13, §14)")
    func conditions() async throws {
        let first = try await Self.ask("GET /api/v1/openapi.json", headers: []).answer
        let tag = try #require(
            first.head.split(separator: "\r\n").first { $0.hasPrefix("etag: ") }?.dropFirst(6)
        ).description
        let again = try await Self.ask("GET /api/v1/openapi.json", headers: ["If-None-Match: \"x\", W/\(tag)"]).answer
        #expect(again.status == "304" && again.head.contains("etag: \(tag)") && !again.head.contains("content-"))
        let count = first.body.utf8.count
        let rest = try await Self.ask(
            "GET /api/v1/openapi.json", headers: ["Range: bytes=1000-", "If-Range: \(tag)"]
        ).answer
        #expect(rest.status == "206" && rest.head.contains("content-range: bytes 1000-\(count - 1)/\(count)"))
        #expect(rest.body.utf8.elementsEqual(first.body.utf8.dropFirst(1000)))
        let other = try await Self.ask(
            "GET /api/v1/openapi.json", headers: ["Range: bytes=1000-", "If-Range: \"other\""]
        ).answer
        #expect(other.status == "200" && other.body.utf8.count == count)
        let beyond = try await Self.ask("GET /api/v1/openapi.json", headers: ["Range: bytes=\(count)-"]).answer
        #expect(beyond.status == "416" && beyond.head.contains("content-range: bytes */\(count)"))
    }

    @Test("no page of another origin is let in unless the operator names it (CORS)")
    func origins() async throws {
        let page = "Origin: https://chat.example"
        let preflight = ["Access-Control-Request-Method: PUT", page]
        for (allowed, answered) in [
            ([], nil), (["https://other.example"], nil), (["https://chat.example"], "https://chat.example"),
            (["*"], "*"),
        ] as [(Set<String>, String?)] {
            let configure: @Sendable (inout ServerConfiguration) -> Void = { $0.origins = APIOrigins(allowed) }
            let plain = try await Self.ask("GET /api/v1/node", headers: [page], configure: configure).answer
            let asked = try await Self.ask("OPTIONS /api/v1/devices", headers: preflight, configure: configure).answer
            for answer in [plain, asked] {
                let line = answered.map { "access-control-allow-origin: \($0)\r\n" }
                #expect(answer.head.contains(line ?? "access-control-allow-origin") == (answered != nil))
                #expect(!answer.head.contains("credentials"))
            }
            #expect(asked.head.contains("access-control-allow-methods: get, put, head, options") == (answered != nil))
        }
        for origin in ["chat.example", "https://chat.example/", "https://", "file:///x", "null"] {
            #expect(throws: ProtocolError.self, "\(origin)") { try APIOrigins([origin]).validate() }
        }
    }

    @Test("one request too many is 429 with the seconds to wait, before anything is read of it (SEC-07)")
    func limited() async throws {
        let (answer, calls) = try await Self.ask("GET /api/v1/channels") {
            $0.refuseAll(ProtocolError(.rateLimited, "Too many.", details: ["retry_after": 3]))
        }
        #expect(answer.status == "429" && answer.head.contains("retry-after: 3") && calls.isEmpty)
    }
}
