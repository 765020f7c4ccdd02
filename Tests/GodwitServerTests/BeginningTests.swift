import GodwitBatch
import GodwitCarrier
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitServer

/// What of a record that was cut is of use at the other end, over real sockets (issue 3; docs/protocol.md §8.1).
@Suite("Beginnings of records over HTTP", .timeLimit(.minutes(3))) struct BeginningTests {
    /// Notes how much came of records that were not whole.
    private final class Notebook: ExchangeService, ExchangeSession, RecordSource {
        private let records: [[UInt8]]
        private let given = Mutex(0)
        private let kept = Mutex<[UInt8]>([])
        let received = Mutex<[[UInt8]]>([])
        init(_ records: [[UInt8]]) { self.records = records }

        func openExchange() async -> any ExchangeSession { self }
        func receive(_ record: [UInt8]) async throws { received.withLock { $0.append(record) } }
        func keep(_ beginning: [UInt8]) async { kept.withLock { $0 = beginning } }
        func next() async throws -> [UInt8]? {
            let index = given.withLock { given in
                defer { given += 1 }
                return given
            }
            return index < records.count ? records[index] : nil
        }

        /// What was kept last, waiting for `least` bytes of it: the server reads on while the caller has long failed.
        func beginning(_ least: Int) async throws -> [UInt8] {
            for _ in 0..<1_000 where kept.withLock({ $0.count }) < least {
                try await Task.sleep(for: .milliseconds(10))
            }
            return kept.withLock { $0 }
        }
    }

    private static let small = [UInt8](repeating: 1, count: 90)
    private static let record = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }

    /// One exchange with a large record in the request or in the answer, cut after so many bytes that way.
    private static func run(
        _ isUp: Bool, _ certificate: TestCertificate?, piece: Int, cut: Int, least: Int
    ) async throws -> (passed: Int, kept: [UInt8], received: [[UInt8]]) {
        let (near, far) = (Notebook(isUp ? [small, record] : [small]), Notebook(isUp ? [small] : [small, record]))
        let end = isUp ? far : near
        return try await ServerHarness.run(tls: certificate, service: far) { harness in
            let relay = try await CuttingRelay(to: harness.port, cut: isUp ? (cut, .max) : (.max, cut))
            let kept = Later<[UInt8]>()
            try await relay.running {
                var configuration = HTTPCarrierConfiguration(
                    endpoint: try Endpoint("\(certificate == nil ? "http" : "https")://127.0.0.1:\(relay.port)"),
                    pins: try certificate.map { [try CertificatePin(digest: $0.keyDigest)] } ?? [])
                configuration.pieceMax = piece
                _ = try? await HTTPBatchCarrier(configuration).exchange(near) { try await near.receive($0) }
                kept.set(try await end.beginning(least))
            }
            let passed = isUp ? relay.passed.up : relay.passed.down
            return (passed, await kept.get(), end.received.withLock { $0 })
        }
    }

    @Test(
        "all that came is kept, under TLS all but a piece of the request or a TLS record",
        arguments: [
            (true, false, 65_536), (true, true, 65_536), (true, true, 1_400), (false, false, 65_536),
            (false, true, 65_536),
        ])
    func kept(_ isUp: Bool, secure: Bool, piece: Int) async throws {
        let certificate = secure ? try TestCertificate() : nil
        let whole = try await Self.run(isUp, certificate, piece: piece, cut: .max, least: 0)
        #expect(whole.received == [Self.small, Self.record])
        for missing in [200, 9_000, 20_000, 37_000] {
            // A TLS record is of use when it is whole. Each costs 22 bytes, and a chunk of HTTP some more.
            let lost = secure ? min(piece, 16_384) : 0
            let least = max(Self.record.count - missing - lost - (secure ? 22 * Self.record.count / lost : 0) - 64, 0)
            let run = try await Self.run(
                isUp, certificate, piece: piece, cut: whole.passed - missing, least: least)
            #expect(run.passed == whole.passed - missing)
            // The first TLS record of a request holds the small one and the beginning of the other.
            #expect(run.received == [Self.small] || least == 0 && run.received.isEmpty)
            #expect(run.kept.count >= least, "\(missing) bytes were missing, \(run.kept.count) were kept")
            #expect(run.kept == Array(Self.record.prefix(run.kept.count)))
        }
    }
}
