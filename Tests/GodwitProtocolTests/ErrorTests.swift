import GodwitProtocol
import Testing

/// Errors (004 §14, ERR rows, G-44, G-45).
@Suite("Errors")
struct ErrorTests {
    /// Number, name, HTTP status, retry class.
    static let table: [(Int, String, Int, RetryClass)] = [
        (1000, "INVALID_CREDENTIALS", 401, .userIntervention), (1001, "SESSION_EXPIRED", 401, .userIntervention),
        (1002, "INSUFFICIENT_PERMISSIONS", 403, .userIntervention), (1003, "ACCOUNT_SUSPENDED", 403, .userIntervention),
        (2000, "INVALID_MESSAGE_FORMAT", 400, .never), (2001, "MESSAGE_TOO_LARGE", 413, .never),
        (2002, "CHANNEL_NOT_FOUND", 404, .never), (2003, "USER_NOT_FOUND", 404, .never),
        (3000, "NODE_UNREACHABLE", 503, .automatically), (3001, "FEDERATION_ERROR", 502, .automatically),
        (3002, "RATE_LIMITED", 429, .afterDelay), (3003, "BANDWIDTH_EXCEEDED", 503, .afterDelay),
        (4000, "FUNCTION_EXECUTION_ERROR", 500, .never), (4001, "FUNCTION_RESOURCE_EXCEEDED", 429, .never),
        (5000, "BOT_PERMISSION_DENIED", 403, .never),
        (9000, "INTERNAL_ERROR", 500, .automatically), (9001, "MAINTENANCE_MODE", 503, .automatically),
        (9002, "PROTOCOL_VERSION_MISMATCH", 426, .never),
    ]

    @Test("each code has its number, name, status and retry class (ERR-02, ERR-04 to ERR-10, G-44)", arguments: table)
    func codes(number: Int, name: String, status: Int, retry: RetryClass) throws {
        let code = try #require(ErrorCode(rawValue: number))
        #expect(code.number == number && code.name == name && code.httpStatus == status && code.retry == retry)
        #expect(ErrorCode(name: name) == code)
    }

    @Test("the table has every code")
    func complete() {
        #expect(Self.table.map(\.0) == ErrorCode.allCases.map(\.number))
        #expect(ErrorCode(name: "NO_SUCH_CODE") == nil)
    }

    @Test("the protocol document has the same table")
    func document() throws {
        let words: [RetryClass: String] = [
            .automatically: "repeats", .afterDelay: "repeats after the delay", .userIntervention: "asks its user",
            .never: "does not repeat",
        ]
        let rows = try Vectors.lines(at: "docs/protocol.md").filter { line in
            line.hasPrefix("| ") && line.dropFirst(2).prefix(4).allSatisfy(\.isNumber)
                && line.dropFirst(6).hasPrefix(" |")
        }
        let expected = ErrorCode.allCases.map { code in
            "| \(code.number) | \(code.name) | \(code.httpStatus) | \(words[code.retry] ?? "") |"
        }
        #expect(rows.filter { $0.split(separator: "|").count == 4 } == expected)
    }

    @Test("an error object has the members of 004 §14.1 and is read back (ERR-01)")
    func object() throws {
        let time = try #require(Timestamp(iso8601: Sample.time))
        let error = ProtocolError.tooLarge("The message is too large.", actual: 70_000, firstRefused: 65_536)
        let object = error.object(at: time, requestID: "req_12345")
        #expect(
            object.canonicalText
                == #"{"error":{"code":"MESSAGE_TOO_LARGE","details":{"actual_size":70000,"max_size":65536},"#
                + #""hint":"Send less, or send it as several messages.","message":"The message is too large.","#
                + #""number":2001,"request_id":"req_12345","timestamp":"2025-09-06T10:30:00.123Z"}}"#)
        #expect(ProtocolError(object: object) == error)
        let bare = ProtocolError(.maintenanceMode, "Back soon.").fields(at: time)
        #expect(bare["hint"] == nil && bare["request_id"] == nil && bare["details"] == .object([:]))
    }

    @Test("an unknown code is read as 9000, and what is no error object is not read")
    func unknown() {
        let newer = ProtocolError(object: ["error": ["code": "NEWER_CODE"]])
        #expect(newer?.code == .internalError && newer?.message == "NEWER_CODE")
        for object: JSONObject in [[:], ["error": "x"], ["error": [:]], ["error": ["code": 2000]]] {
            #expect(ProtocolError(object: object) == nil)
        }
    }

    @Test("the delay before a retry comes from details.retry_after (RETRY-04, G-44)")
    func retryAfter() {
        #expect(ProtocolError(.rateLimited, "Slow.", details: ["retry_after": 30]).retryAfter == 30)
        #expect(ProtocolError(.rateLimited, "Slow.", details: ["retry_after": 0]).retryAfter == 0)
        for value: JSONValue in [-1, "30", .double(1.5)] {
            #expect(ProtocolError(.rateLimited, "Slow.", details: ["retry_after": value]).retryAfter == nil)
        }
    }
}
