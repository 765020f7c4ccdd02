import GodwitBatch
import GodwitCarrier
import GodwitNode
import GodwitProtocol
import Testing

@testable import GodwitServer

/// Knows the sealer of every record that does not begin with 0xEE.
extension ScriptedInformation: ProbeService {
    func admitProbe(_ record: [UInt8]) async throws {
        guard record.first != 0xEE else { throw ProtocolError(.invalidCredentials, "No key fits.") }
        guard record.first != 0xDD else { throw ProtocolError(.rateLimited, "Too soon.") }
    }
}

/// Active measurements over HTTP (NET-05; `docs/protocol.md` §8.5).
@Suite(.timeLimit(.minutes(2))) struct ProbeTests {
    private static func carrier(_ port: Int) throws -> HTTPBatchCarrier {
        try HTTPBatchCarrier(
            HTTPCarrierConfiguration(endpoint: Endpoint("http://127.0.0.1:\(port)"), pins: []))
    }

    @Test(
        "so many bytes as were asked for go up and come down",
        arguments: [(0, 0), (1, 0), (0, 1), (70_000, 300_000), (Probe.bytesMax, Probe.bytesMax)])
    func moves(_ up: Int, _ down: Int) async throws {
        try await ServerHarness.run { harness in
            let statistics = try await Self.carrier(harness.port).probe([1, 2, 3], up: up, down: down)
            #expect((up + 4...up + 300).contains(statistics.sent.bytes), "\(statistics.sent)")
            #expect((down...down + 300).contains(statistics.received.bytes), "\(statistics.received)")
            #expect(statistics.roundTrip != nil && !statistics.reusedConnection)
            #expect(harness.exchange.received.all.isEmpty, "a probe is no exchange")
        }
    }

    @Test("more than 1 MiB either way is refused before anything goes, and by the node as well")
    func limits() async throws {
        try await ServerHarness.run { harness in
            let carrier = try Self.carrier(harness.port)
            for (up, down) in [(Probe.bytesMax + 1, 0), (0, Probe.bytesMax + 1), (-1, 0), (0, -1)] {
                await #expect(throws: ProtocolError.self) { try await carrier.probe([1], up: up, down: down) }
            }
        }
        #expect(try ProbeResponder.down("/batch/v1/probe") == 0)
        #expect(try ProbeResponder.down("/batch/v1/probe?down=1048576") == 1_048_576)
        for target in ["?down=1048577", "?down=-1", "?down=", "?down=1&up=1", "?up=1", "?down=99999999999999", "?"] {
            #expect(throws: ProtocolError.self, "\(target)") { try ProbeResponder.down("/batch/v1/probe" + target) }
        }
    }

    @Test("strangers, and peers that ask too often, get the node's error and no padding")
    func refused() async throws {
        try await ServerHarness.run { harness in
            let carrier = try Self.carrier(harness.port)
            for (first, code) in [(UInt8(0xEE), ErrorCode.invalidCredentials), (0xDD, .rateLimited)] {
                let error = await #expect(throws: ProtocolError.self) {
                    try await carrier.probe([first], up: 50_000, down: 50_000)
                }
                #expect(error?.code == code)
            }
        }
    }

    @Test("the first record is read however it is cut; a wrong length is refused")
    func record() throws {
        let record = [UInt8](repeating: 7, count: 300)
        let body = ExchangeWriter.frame(record) + [1, 2, 3]
        for count in 0..<302 { #expect(try ProbeResponder.record(at: Array(body.prefix(count))) == nil) }
        #expect(try ProbeResponder.record(at: Array(body.prefix(302))) == record)
        #expect(try ProbeResponder.record(at: body) == record)
        for wrong: [UInt8] in [[0], [0x80, 0x00], Varint.bytes(UInt64(Exchange.recordMax + 1))] {
            #expect(throws: ProtocolError.self) { try ProbeResponder.record(at: wrong + [1]) }
        }
        #expect(try ProbeResponder.record(at: Varint.bytes(UInt64(Exchange.recordMax))) == nil)
    }
}
