import Glibc
import GodwitProtocol
import Testing

@testable import GodwitServer

private let hasCurl = access("/usr/bin/curl", X_OK) == 0

/// curl's command line as a client that is not ours.
@Suite(.timeLimit(.minutes(2)), .enabled(if: hasCurl)) struct ForeignClientTests {
    /// Runs curl without blocking the pool; its exit status and what it wrote to standard output.
    static func curl(_ arguments: [String]) async throws -> (status: Int32, output: String) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure() }
        let (reading, writing) = (ends[0], ends[1])
        defer { close(reading) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writing, 1)
        posix_spawn_file_actions_addclose(&actions, reading)
        var words: [UnsafeMutablePointer<CChar>?] = (["curl", "-sS", "--max-time", "20"] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var process: pid_t = 0
        let status = posix_spawn(&process, "/usr/bin/curl", &actions, nil, words, environ)
        close(writing)
        guard status == 0 else { throw Failure() }
        // curl's output fits into the pipe, so it may be read after its end.
        var code: Int32 = 0
        while waitpid(process, &code, WNOHANG) == 0 { try await Task.sleep(for: .milliseconds(10)) }
        var buffer = [UInt8](repeating: 0, count: 60_000)
        let count = read(reading, &buffer, buffer.count)
        return ((code >> 8) & 0xFF, String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self))
    }
    struct Failure: Error {}

    @Test("SEC-02: curl gets the descriptor over TLS 1.3 with the pinned key, and nothing over TLS 1.2")
    func tls() async throws {
        let certificate = try TestCertificate()
        let pin = "sha256//" + Base64.encode(certificate.keyDigest)
        try await ServerHarness.run(tls: certificate) { harness in
            let url = "https://127.0.0.1:\(harness.port)/api/v1/node"
            let good = try await Self.curl(["-k", "--pinnedpubkey", pin, url])
            #expect(good.status == 0)
            #expect(good.output.utf8.elementsEqual(ScriptedInformation.descriptor))
            let old = try await Self.curl(["-k", "--tls-max", "1.2", url])
            #expect(old.status == 35, "curl: SSL connect error")
            let wrong = try await Self.curl([
                "-k", "--pinnedpubkey", "sha256//" + Base64.encode(Array(repeating: 0, count: 32)), url,
            ])
            #expect(wrong.status == 90, "curl: pinned key does not match")
        }
    }

    @Test("curl posts a body with Expect: 100-continue and reads a chunked answer")
    func post() async throws {
        let exchange = ScriptedExchange(.init(answer: [Array("one".utf8), Array("two".utf8)]))
        try await ServerHarness.run(exchange: exchange) { harness in
            let url = "http://127.0.0.1:\(harness.port)/batch/v1/exchange"
            let answer = try await Self.curl(["-H", "Expect: 100-continue", "--data-binary", "\u{5}hello", url])
            #expect(answer.status == 0)
            #expect(answer.output == "\u{3}one\u{3}two")
            #expect(harness.exchange.received.all == [Array("hello".utf8)])
        }
    }
}
