import CoreMetrics
import GodwitNode
import GodwitProtocol
import Metrics
import Testing

@testable import GodwitServer

/// What is measured, and who may read it.
@Suite("Metrics", .timeLimit(.minutes(1))) struct MetricsTests {
    @Test("counters, gauges and times are written as Prometheus reads them")
    func text() {
        let registry = PrometheusRegistry()
        Counter(label: "godwit_logins_total", dimensions: [("step", "b"), ("result", "a")], factory: registry)
            .increment(by: 2)
        Counter(label: "godwit_logins_total", dimensions: [("result", "a"), ("step", "b")], factory: registry)
            .increment()
        let gauge = Gauge(label: "godwit.sockets", factory: registry)
        gauge.record(7)
        gauge.record(3)
        Timer(label: "godwit_wait_seconds", dimensions: [], factory: registry).recordMilliseconds(1_500)
        Counter(label: "odd", dimensions: [("path", "a\"b\\c\nd")], factory: registry).increment()
        #expect(
            registry.text() == """
                # TYPE godwit_logins_total counter
                godwit_logins_total{result="a",step="b"} 3
                # TYPE godwit_sockets gauge
                godwit_sockets 3
                # TYPE godwit_wait_seconds summary
                godwit_wait_seconds_sum 1.5
                godwit_wait_seconds_count 1
                # TYPE odd counter
                odd{path="a\\"b\\\\c\\nd"} 1
                # TYPE godwit_dropped_series_total counter
                godwit_dropped_series_total 0

                """)
    }

    @Test("2,048 series are kept; what somebody makes up beyond them costs no memory, and is counted")
    func bounded() {
        let registry = PrometheusRegistry()
        for number in 0..<2_050 {
            Counter(label: "c", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        let lines = registry.text().split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("c{") } == 2_048)
        #expect(lines.last == "godwit_dropped_series_total 2")
    }

    private struct Measured: MetricsSource {
        func metrics() async -> String { "godwit_up 1\n" }
    }

    private func status(_ headers: String, token: String?) async throws -> String {
        try await ServerHarness.run(metrics: Measured(), configure: { $0.metrics = MetricsAccess(token: token) }) {
            harness in
            try await RawClient.connected(to: harness.port) { client in
                try await client.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\(headers)\r\n")
                let answer = try await client.readAnswer()
                let isShown = answer.body == "godwit_up 1\n"
                return String(answer.head.dropFirst(9).prefix(3)) + (isShown ? " shown" : "")
            }
        }
    }

    @Test("without a token only this machine reads them; with one, whoever has it; for others there is nothing")
    func access() async throws {
        #expect(try await status("", token: nil) == "200 shown")
        #expect(try await status("", token: "secret") == "404")
        #expect(try await status("Authorization: Bearer secret\r\n", token: "secret") == "200 shown")
        #expect(try await status("Authorization: Bearer secre\r\n", token: "secret") == "404")
    }
}
