import GodwitBatch
import GodwitLink
import GodwitProtocol
import Logging
import Synchronization
import Testing

@testable import GodwitCarrier

/// Exchanges over pseudo-terminals (docs/protocol.md §8.3).
@Suite struct SerialExchangeTests {
    /// Answers with what it was made with, and keeps what came.
    private final class Toy: ExchangeService {
        let received = Mutex<[[UInt8]]>([])
        let answer: [[UInt8]]
        let refusal: ProtocolError?
        init(answer: [[UInt8]], refusal: ProtocolError? = nil) {
            self.answer = answer
            self.refusal = refusal
        }
        func openExchange() async -> any ExchangeSession { Session(toy: self) }

        private final class Session: ExchangeSession {
            let toy: Toy
            let left: Mutex<[[UInt8]]>
            init(toy: Toy) {
                self.toy = toy
                left = Mutex(toy.answer.reversed())
            }
            func receive(_ record: [UInt8]) async throws {
                if let refusal = toy.refusal { throw refusal }
                toy.received.withLock { $0.append(record) }
            }
            func next() async throws -> [UInt8]? { left.withLock { $0.popLast() } }
        }
    }

    /// One of the two ends: a node with its line, listening, and a carrier to the other.
    private struct End: Sendable {
        let lines: SerialLines
        let carrier: SerialCarrier
        let toy: Toy
        let peer: NodeID
        var isOpen: Bool { lines.line(to: peer)?.line.isOpen == true }

        func expect(_ answer: [[UInt8]], to request: [[UInt8]]) async throws {
            let got = try await exchange(request)
            #expect(got == answer)
        }

        func exchange(_ records: [[UInt8]]) async throws -> [[UInt8]] {
            let got = Mutex<[[UInt8]]>([])
            _ = try await carrier.exchange(records) { record in got.withLock { $0.append(record) } }
            return got.withLock { $0 }
        }
    }

    private static func profile() -> Profile {
        var profile = Profile.preset(.broadband)
        profile.bandwidthUp = BitRate(bitsPerSecond: 100_000_000)
        profile.bandwidthDown = BitRate(bitsPerSecond: 100_000_000)
        profile.latency = .milliseconds(10)
        return profile
    }

    private static func end(
        _ own: String, _ peer: String, _ device: String, _ toy: Toy, mtu: Int = 256
    ) throws -> End {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let lines = SerialLines(own: try NodeID(own), logger: logger)
        lines.set(try SerialEndpoint(device: device, baud: 921_600, mtu: mtu), for: try NodeID(peer))
        let carrier = SerialCarrier(
            lines, to: try NodeID(peer), profile: profile(), silence: .seconds(40))
        return End(lines: lines, carrier: carrier, toy: toy, peer: try NodeID(peer))
    }

    /// Two ends on a cable for the time of `body`.
    private static func talking(
        _ cable: PtyCable, left: Toy, right: Toy, _ body: @escaping @Sendable (End, End) async throws -> Void
    ) async throws {
        let one = try end("a0000000", "b0000000", cable.left, left)
        let two = try end("b0000000", "a0000000", cable.right, right)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for end in [one, two] {
                group.addTask { await SerialListener(end.lines, service: end.toy, logger: logger).run() }
            }
            group.addTask {
                defer { for end in [one, two] { end.lines.close() } }
                for end in [one, two] { try await end.lines.line(to: end.peer)?.line.ready() }
                try await body(one, two)
            }
            try await group.waitForAll()
        }
    }

    private static func failure(_ body: () async throws -> [[UInt8]]) async -> ProtocolError? {
        do {
            _ = try await body()
            return nil
        } catch { return error as? ProtocolError }
    }

    private static func records(_ tag: UInt8, _ sizes: [Int]) -> [[UInt8]] {
        sizes.enumerated().map { index, size in
            (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index &* 31 &+ Int(tag)) }
        }
    }

    @Test("records cross both ways over a line, in order; every byte value, records as large as they may be")
    func crosses() async throws {
        let cable = try await PtyCable()
        let (request, answer) = (Self.records(1, [1, 256, 20_000]), Self.records(2, [700, 3, 12_000]))
        try await Self.talking(cable, left: Toy(answer: []), right: Toy(answer: answer)) { one, two in
            for _ in 0..<2 { try await one.expect(answer, to: request) }
            #expect(two.toy.received.withLock { $0 } == request + request)
            #expect(one.toy.received.withLock { $0.isEmpty })
        }
        #expect(cable.carried > 2 * (request + answer).reduce(0) { $0 + $1.count })
    }

    @Test("garbled, lost and inserted bytes change nothing of what arrives", arguments: [1, 2, 3] as [UInt64])
    func noisy(seed: UInt64) async throws {
        let noise = PtyCable.Noise(flipped: 0.0004, lost: 0.0002, inserted: 0.0002)
        let cable = try await PtyCable(seed: seed, noise: noise)
        let (request, answer) = (Self.records(3, [500, 6_000, 1_500]), Self.records(4, [4_000, 100]))
        try await Self.talking(cable, left: Toy(answer: []), right: Toy(answer: answer)) { one, two in
            for _ in 0..<2 { try await one.expect(answer, to: request) }
            #expect(two.toy.received.withLock { $0 } == request + request)
        }
        #expect(cable.harmed > 5)
    }

    @Test("both ends call at once over the one line, through noise, and neither is held up for good")
    func both() async throws {
        let cable = try await PtyCable(seed: 9, noise: .init(flipped: 0.0002, lost: 0.0001))
        let (up, down) = (Self.records(5, [3_000, 3_000]), Self.records(6, [5_000]))
        try await Self.talking(cable, left: Toy(answer: down), right: Toy(answer: up)) { one, two in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for _ in 0..<3 { try await one.expect(up, to: down) } }
                group.addTask { for _ in 0..<3 { try await two.expect(down, to: up) } }
                try await group.waitForAll()
            }
            #expect(one.toy.received.withLock { $0 } == up + up + up)
            #expect(two.toy.received.withLock { $0 } == down + down + down)
        }
    }

    @Test("a line that echoes, as two wires do, is no peer: nothing of one's own is taken for a call or an answer")
    func echo() async throws {
        let cable = try await PtyCable(noise: .init(echoes: true))
        let (request, answer) = (Self.records(7, [900]), Self.records(8, [800]))
        try await Self.talking(cable, left: Toy(answer: []), right: Toy(answer: answer)) { one, two in
            try await one.expect(answer, to: request)
            #expect(one.toy.received.withLock { $0.isEmpty })
            #expect(two.toy.received.withLock { $0 } == request)
        }
    }

    @Test("the peer's refusal comes with its number and its words")
    func refused() async throws {
        let refusal = ProtocolError(.invalidCredentials, "No key fits.", hint: "Add the peer.")
        let cable = try await PtyCable()
        try await Self.talking(cable, left: Toy(answer: []), right: Toy(answer: [], refusal: refusal)) { one, _ in
            await #expect(throws: refusal) { _ = try await one.exchange([[1]]) }
        }
    }

    @Test("a line that is pulled out is told of with a hint; plugged in again it is used, and nothing is lost")
    func unplugged() async throws {
        let cable = try await PtyCable()
        let (request, answer) = (Self.records(9, [60_000]), Self.records(10, [100]))
        try await Self.talking(cable, left: Toy(answer: []), right: Toy(answer: answer)) { one, two in
            try await one.expect(answer, to: [[1]])
            // In the middle of an exchange: it goes on when the line is back.
            async let interrupted = one.exchange(request)
            let before = cable.carried
            while cable.carried < before + 8_000 { try await Task.sleep(for: .milliseconds(5)) }
            await cable.unplug()
            try await Task.sleep(for: .milliseconds(300))
            #expect(two.toy.received.withLock { $0 } == [[1]])
            try await cable.plug()
            let late = try await interrupted
            #expect(late == answer)
            #expect(two.toy.received.withLock { $0 } == [[1]] + request)
            // For longer: what runs ends so that another way can be tried, and an exchange says what to do.
            async let given = Self.failure { try await one.exchange(request) }
            let start = cable.carried
            while cable.carried < start + 8_000 { try await Task.sleep(for: .milliseconds(5)) }
            await cable.unplug()
            let reason = await given
            #expect(reason?.code == .nodeUnreachable && reason?.hint?.isEmpty == false && reason?.sentNothing == false)
            await #expect {
                _ = try await one.exchange([[2]])
            } throws: { error in
                let error = error as? ProtocolError
                return error?.code == .nodeUnreachable && error?.hint?.isEmpty == false && error?.sentNothing == true
            }
            try await cable.plug()
            while !one.isOpen || !two.isOpen { try await Task.sleep(for: .milliseconds(5)) }
            try await one.expect(answer, to: [[3]])
        }
    }

    @Test("a device that is not there, no line, or held by another is 3000 with a hint that says which")
    func devices() async throws {
        func hint(_ device: String) -> String {
            do {
                _ = try SerialPort.open(try SerialEndpoint(device: device))
                return "opened"
            } catch { return "\(error.code.number) \(error.hint ?? "")" }
        }
        #expect(hint("/dev/godwit-none").hasPrefix("3000 /dev/godwit-none is not there."))
        #expect(hint("/dev/null").hasPrefix("3000 /dev/null is no serial line."))
        let cable = try await PtyCable()
        #expect(hint(cable.left) == "opened")
        #expect(hint(cable.left).hasPrefix("3000 Another program holds"))
    }

    @Test("a line whose settings change, or that no peer uses any more, is closed; other peers keep theirs")
    func settings() async throws {
        let cable = try await PtyCable()
        let lines = SerialLines(
            own: try NodeID("a0000000"), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let (one, other) = (try NodeID("b0000000"), try NodeID("c0000000"))
        let slow = try SerialEndpoint(device: cable.left)
        for peer in [one, other] { lines.set(slow, for: peer) }
        let line = try #require(lines.line(to: one)?.line)
        #expect(lines.line(to: other)?.line === line, "one device, one line")
        try await line.ready()
        lines.set(nil, for: one)
        #expect(lines.line(to: one) == nil && lines.line(to: other)?.line === line && line.isOpen)
        lines.set(try SerialEndpoint(device: cable.left, baud: 19_200), for: other)
        let fast = try #require(lines.line(to: other)?.line)
        #expect(fast !== line && fast.endpoint.baud == 19_200)
        while line.isOpen { try await Task.sleep(for: .milliseconds(5)) }
        while !fast.isOpen { try await Task.sleep(for: .milliseconds(5)) }
        lines.set(nil, for: other)
        while fast.isOpen { try await Task.sleep(for: .milliseconds(5)) }
        lines.close()
    }
}
