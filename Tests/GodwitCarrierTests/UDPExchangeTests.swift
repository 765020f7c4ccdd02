import GodwitBatch
import GodwitLink
import GodwitProtocol
import Logging
import NIOCore
import Synchronization
import Testing

@testable import GodwitCarrier

/// A service whose sessions do what the test says.
private final class Toy: ExchangeService {
    let received = Mutex<[[UInt8]]>([])
    let answer: [[UInt8]]
    let onReceive: @Sendable ([UInt8]) async throws -> Void

    init(
        answer: [[UInt8]],
        onReceive: @escaping @Sendable ([UInt8]) async throws -> Void = { _ in }
    ) {
        self.answer = answer
        self.onReceive = onReceive
    }

    func openExchange() async -> any ExchangeSession { Session(toy: self) }

    final class Session: ExchangeSession {
        let toy: Toy
        let position = Mutex(0)
        init(toy: Toy) { self.toy = toy }

        func receive(_ record: [UInt8]) async throws {
            try await toy.onReceive(record)
            toy.received.withLock { $0.append(record) }
        }
        func next() async throws -> [UInt8]? {
            let index = position.withLock { position in
                defer { position += 1 }
                return position
            }
            return index < toy.answer.count ? toy.answer[index] : nil
        }
    }
}

/// Opens once.
private actor Door {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
    func pass() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }
}

@Suite struct UDPExchangeTests {
    private static var fast: Profile {
        var profile = Profile.preset(.broadband)
        profile.bandwidthUp = BitRate(bitsPerSecond: 100_000_000)
        profile.bandwidthDown = BitRate(bitsPerSecond: 100_000_000)
        profile.latency = .milliseconds(10)
        return profile
    }

    /// Runs a listener for the time of `body`.
    private static func listening<Value: Sendable>(
        _ service: any ExchangeService, configure: (inout UDPListenerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (_ port: Int) async throws -> Value
    ) async throws -> Value {
        var configuration = UDPListenerConfiguration(host: "127.0.0.1", port: 0)
        configure(&configuration)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let listener = try UDPListener(
            configuration: configuration, service: service, logger: logger, onBound: { bound.yield($0) })
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                try await listener.run()
                return nil
            }
            group.addTask {
                for await port in ports { return try await body(port) }
                return nil
            }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
            }
            throw CancellationError()
        }
    }

    private static func carrier(_ port: Int, _ profile: Profile = fast) throws -> UDPCarrier {
        var configuration = UDPCarrierConfiguration(
            endpoint: try Endpoint("udp://127.0.0.1:\(port)"), profile: profile)
        configuration.silence = .seconds(20)
        return try UDPCarrier(configuration)
    }

    private static func exchange(_ carrier: UDPCarrier, _ records: [[UInt8]]) async throws -> (
        [[UInt8]], ExchangeStatistics
    ) {
        let answer = Notes()
        let statistics = try await carrier.exchange(records) { answer.add($0) }
        return (answer.all, statistics)
    }

    private final class Notes: Sendable {
        private let records = Mutex<[[UInt8]]>([])
        func add(_ record: [UInt8]) { records.withLock { $0.append(record) } }
        var all: [[UInt8]] { records.withLock { $0 } }
    }

    @Test("records cross both ways over real sockets, in order, and the socket is kept")
    func crosses() async throws {
        let answer = (1...5).map { [UInt8](repeating: UInt8($0), count: $0 * 11_000) }
        let request = (1...6).map { [UInt8](repeating: UInt8($0 + 50), count: $0 * 9_000) }
        let toy = Toy(answer: answer)
        try await Self.listening(toy) { port in
            let carrier = try Self.carrier(port)
            for round in 0..<3 {
                let (got, statistics) = try await Self.exchange(carrier, request)
                #expect(got == answer)
                #expect(statistics.sent.bytes >= 189_000 && statistics.received.bytes >= 165_000)
                #expect(statistics.reusedConnection == (round > 0))
            }
        }
        #expect(toy.received.withLock { $0 } == request + request + request)
    }

    @Test("a relay that loses a tenth of the datagrams and doubles some changes nothing of what arrives")
    func lossy() async throws {
        let answer = (1...4).map { [UInt8](repeating: UInt8($0), count: 6_000) }
        let toy = Toy(answer: answer)
        try await Self.listening(toy) { port in
            let relay = try await LossyRelay.between(port: port, seed: 5)
            let carrier = try Self.carrier(relay.port)
            for _ in 0..<3 {
                let (got, _) = try await Self.exchange(carrier, answer)
                #expect(got == answer)
            }
            #expect(relay.lost > 3)
            await relay.close()
        }
        #expect(toy.received.withLock { $0 } == answer + answer + answer)
    }

    /// Keeps what came of a record that was not whole.
    private final class Keeping: ExchangeService, ExchangeSession, RecordSource {
        private let left: Mutex<[[UInt8]]>
        let kept = Mutex<[UInt8]>([])
        init(_ records: [[UInt8]]) { left = Mutex(records.reversed()) }
        func openExchange() async -> any ExchangeSession { self }
        func receive(_ record: [UInt8]) async throws {}
        func keep(_ beginning: [UInt8]) async { kept.withLock { $0 = beginning } }
        func next() async throws -> [UInt8]? { left.withLock { $0.popLast() } }
    }

    @Test(
        "what came in order of a record that was cut is handed over while the exchange still hangs (docs/protocol.md §8.1)",
        .timeLimit(.minutes(1)), arguments: [true, false])
    func beginnings(isUp: Bool) async throws {
        let record = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
        let (near, far) = (Keeping(isUp ? [[1], record] : [[1]]), Keeping(isUp ? [[2]] : [[2], record]))
        let end = isUp ? far : near
        try await Self.listening(far) { port in
            let relay = try await LossyRelay.between(port: port, seed: 1, passing: isUp ? (8, .max) : (.max, 8))
            let carrier = try Self.carrier(relay.port)
            let exchange = Task { try await carrier.exchange(near) { _ in } }
            while end.kept.withLock({ $0.count }) < 5_000 { try await Task.sleep(for: .milliseconds(5)) }
            exchange.cancel()
            _ = try? await exchange.value
            await relay.close()
        }
        let kept = end.kept.withLock { $0 }
        #expect(kept.count < 12_000 && kept == Array(record.prefix(kept.count)))
    }

    @Test("the answer begins while the request still comes in")
    func early() async throws {
        let door = Door()
        let begun = EarlyToy(door: door)
        let request = (0..<8).map { [UInt8](repeating: UInt8($0), count: 50_000) }
        let (got, _) = try await Self.listening(begun) { port in
            try await Self.exchange(try Self.carrier(port), request)
        }
        #expect(got == [[0xEA], [0xED]])
    }

    /// Its last record is not accepted before it was asked for an early answer.
    private final class EarlyToy: ExchangeService, ExchangeSession {
        let door: Door
        let said = Mutex<[[UInt8]]>([[0xEA]])
        let last = Mutex<[[UInt8]]>([[0xED]])
        init(door: Door) { self.door = door }
        func openExchange() async -> any ExchangeSession { self }
        func receive(_ record: [UInt8]) async throws { if record.first == 7 { await door.pass() } }
        func nextEarly() async throws -> [UInt8]? {
            await door.open()
            return said.withLock { $0.popLast() }
        }
        func next() async throws -> [UInt8]? { last.withLock { $0.popLast() } }
    }

    @Test("an error of the service comes to the caller with its number, its words and its hint")
    func refused() async throws {
        let refusal = ProtocolError(.invalidCredentials, "No key fits.", hint: "Add the peer.")
        let toy = Toy(answer: []) { record in if record == [2] { throw refusal } }
        try await Self.listening(toy) { port in
            let carrier = try Self.carrier(port)
            await #expect(throws: refusal) { try await Self.exchange(carrier, [[1], [2], [3]]) }
            // The next exchange over the same socket is not hurt.
            _ = try await Self.exchange(carrier, [[1]])
        }
        #expect(toy.received.withLock { $0 } == [[1], [1]])
    }

    @Test("what the caller cannot take ends the exchange for both, and the listener goes on")
    func callerFails() async throws {
        struct Full: Error {}
        let toy = Toy(answer: (0..<40).map { _ in [UInt8](repeating: 1, count: 60_000) })
        try await Self.listening(toy, configure: { $0.exchangesMax = 1 }) { port in
            let carrier = try Self.carrier(port)
            await #expect(throws: Full.self) { _ = try await carrier.exchange([[1]]) { _ in throw Full() } }
            var left = 100
            while left > 0 {
                do {
                    let got = try await Self.exchange(carrier, [[9]]).0
                    #expect(got.count == 40)
                    return
                } catch let error as ProtocolError where error.code == .rateLimited {
                    left -= 1
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            Issue.record("the place never became free")
        }
    }

    @Test("one exchange too many is refused with 3002; a stranger gives way to the next")
    func full() async throws {
        let door = Door()
        let toy = Toy(answer: [[7]]) { record in if record.first == 1 { await door.pass() } }
        try await Self.listening(toy, configure: { $0.exchangesMax = 1 }) { port in
            async let strange = Self.exchange(try Self.carrier(port), [[1]])
            // Its first record is not accepted yet, so it is the one that goes.
            var got: [[UInt8]] = []
            while got.isEmpty {
                got = (try? await Self.exchange(try Self.carrier(port), [[2]]).0) ?? []
            }
            #expect(got == [[7]])
            await door.open()
            _ = try? await strange
        }
        let gate = Door()
        let slow = Toy(answer: [[7]]) { record in if record.first == 2 { await gate.pass() } }
        try await Self.listening(slow, configure: { $0.exchangesMax = 1 }) { port in
            async let held = Self.exchange(try Self.carrier(port), [[1], [2]])
            while slow.received.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
            await #expect {
                try await Self.exchange(try Self.carrier(port), [[3]])
            } throws: { ($0 as? ProtocolError)?.code == .rateLimited }
            await gate.open()
            #expect(try await held.0 == [[7]])
        }
    }

    @Test("where nobody listens the caller learns it at once as 3000")
    func nobody() async throws {
        let socket = try await DatagramSocket.bound(to: try SocketAddress(ipAddress: "127.0.0.1", port: 0))
        let port = socket.port
        await socket.close()
        let carrier = try Self.carrier(port)
        await #expect {
            try await Self.exchange(carrier, [[1]])
        } throws: { ($0 as? ProtocolError)?.code == .nodeUnreachable }
    }

    @Test("a socket that the network took is opened again with its port")
    func reopened() async throws {
        let heard = Mutex<Set<[UInt8]>>([])
        let ports = Mutex<Set<Int?>>([])
        let listening = try await DatagramSocket.bound(to: try SocketAddress(ipAddress: "127.0.0.1", port: 0))
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: listening.port)
        let calling = try await DatagramSocket.connected(to: address)
        listening.take { bytes, sender in
            heard.withLock { _ = $0.insert(bytes) }
            ports.withLock { _ = $0.insert(sender.port) }
        }
        for round in 0..<3 as Range<UInt8> {
            while !heard.withLock({ $0.contains([round]) }) {
                calling.send([round], to: address)
                try await Task.sleep(for: .milliseconds(20))
            }
            try await [calling, listening, calling][Int(round)].channel?.close()
        }
        #expect(ports.withLock { $0 } == [calling.port])
        await calling.close()
        await listening.close()
        #expect(calling.channel == nil || calling.channel?.isActive == false)
    }

    @Test("a cancelled exchange ends with a CancellationError")
    func cancelled() async throws {
        let door = Door()
        let toy = Toy(answer: []) { _ in await door.pass() }
        try await Self.listening(toy) { port in
            let task = Task { try await Self.exchange(try Self.carrier(port), [[1]]) }
            try await Task.sleep(for: .milliseconds(50))
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            await door.open()
        }
    }

    @Test("only udp addresses are taken; limits of the listener are checked at their edges")
    func configurations() throws {
        #expect(throws: ProtocolError.self) {
            try UDPCarrier(UDPCarrierConfiguration(endpoint: Endpoint("https://a"), profile: Self.fast))
        }
        func accepts(_ change: (inout UDPListenerConfiguration) -> Void) -> Bool {
            var configuration = UDPListenerConfiguration(host: "127.0.0.1", port: 0)
            change(&configuration)
            return (try? configuration.validate()) != nil
        }
        #expect(accepts { $0.port = 65_535 } && !accepts { $0.port = 65_536 } && !accepts { $0.host = "" })
        #expect(accepts { $0.exchangesMax = 1 } && !accepts { $0.exchangesMax = 0 })
        #expect(accepts { $0.rateMax = 10 } && !accepts { $0.rateMax = 9 })
        #expect(accepts { $0.payloadMax = 36 } && !accepts { $0.payloadMax = 35 })
        #expect(accepts { $0.payloadMax = 65_507 } && !accepts { $0.payloadMax = 65_508 })
        #expect(accepts { $0.bodyMax = 1 } && !accepts { $0.bodyMax = 0 })
    }
}

/// Carries datagrams between one caller and a listener, loses one in ten and doubles one in twenty; or passes so many each
/// way, and then none.
private final class LossyRelay: Sendable {
    private struct State {
        var random: SeededGenerator
        var caller: SocketAddress?
        var lost = 0
        var left: (up: Int, down: Int)?
    }

    private let front: DatagramSocket
    private let back: DatagramSocket
    private let target: SocketAddress
    private let state: Mutex<State>

    static func between(
        port: Int, seed: UInt64, passing left: (up: Int, down: Int)? = nil
    ) async throws -> LossyRelay {
        let target = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let relay = LossyRelay(
            front: try await .bound(to: try SocketAddress(ipAddress: "127.0.0.1", port: 0)),
            back: try await .connected(to: target), target: target, seed: seed)
        relay.state.withLock { $0.left = left }
        relay.front.take { bytes, address in
            relay.state.withLock { $0.caller = address }
            for _ in 0..<relay.copies(isUp: true) { relay.back.send(bytes, to: target) }
        }
        relay.back.take { bytes, _ in
            guard let caller = relay.state.withLock({ $0.caller }) else { return }
            for _ in 0..<relay.copies(isUp: false) { relay.front.send(bytes, to: caller) }
        }
        return relay
    }

    private init(front: DatagramSocket, back: DatagramSocket, target: SocketAddress, seed: UInt64) {
        self.front = front
        self.back = back
        self.target = target
        state = Mutex(State(random: SeededGenerator(seed: seed)))
    }

    var port: Int { front.port }
    var lost: Int { state.withLock { $0.lost } }

    private func copies(isUp: Bool) -> Int {
        state.withLock { state in
            if let left = state.left {
                state.left = isUp ? (max(left.up - 1, 0), left.down) : (left.up, max(left.down - 1, 0))
                return min(isUp ? left.up : left.down, 1)
            }
            let drawn = Double.random(in: 0..<1, using: &state.random)
            if drawn < 0.1 { state.lost += 1 }
            return drawn < 0.1 ? 0 : drawn < 0.15 ? 2 : 1
        }
    }

    func close() async {
        await front.close()
        await back.close()
    }
}
