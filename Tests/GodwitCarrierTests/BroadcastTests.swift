import GodwitBatch
import GodwitLink
import GodwitProtocol
import Logging
import NIOCore
import Synchronization
import Testing

@testable import GodwitCarrier

/// Keeps what it is given; the records of nobody known begin with 0xFF.
private final class Collector: GodwitBatch.BroadcastService {
    let records = Mutex<[[UInt8]]>([])
    let counts = Mutex(BroadcastCounts())
    private let enough: @Sendable (Int) -> Void

    init(_ enough: @escaping @Sendable (Int) -> Void) { self.enough = enough }

    func take(_ record: [UInt8]) async -> BroadcastVerdict {
        if record[0] == 0xFF { return .forOthers }
        enough(
            records.withLock { records in
                records.append(record)
                return records.count
            })
        return .taken
    }

    func note(_ counts: BroadcastCounts) { self.counts.withLock { $0 = counts } }
}

@Suite struct BroadcastTests {
    private static func configuration(_ to: String) throws -> BroadcastConfiguration {
        BroadcastConfiguration(
            endpoint: try Endpoint(to), rate: BitRate(bitsPerSecond: 20_000_000), mtu: ByteCount(1_400))
    }

    /// Listens, sends, and waits until so many records came.
    private static func broadcast(
        _ records: [[UInt8]], to host: String, interface: String?, rounds: Int = 1, expecting count: Int
    ) async throws -> Collector {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let (ports, bound) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let collector = Collector { arrived.yield($0) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let listener = BroadcastListener(
            configuration: BroadcastListenerConfiguration(host: host, port: 0, interface: interface),
            service: collector, logger: logger, onBound: { bound.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            group.addTask {
                for await port in ports {
                    var configuration = try Self.configuration("udp://\(host):\(port)")
                    configuration.interface = interface
                    configuration.rounds = rounds
                    let done = try await BroadcastSender(configuration).send(records)
                    #expect(done.sent == done.datagrams && done.bytes > records.joined().count * rounds)
                    break
                }
                for await number in arrivals where number >= count { break }
            }
            _ = try await group.next()
            group.cancelAll()
            while try await group.next() != nil {}
        }
        return collector
    }

    @Test("what goes to a multicast group on loopback comes out of it, each record once in two rounds")
    func multicast() async throws {
        let records = BroadcastReceiverTests.records(20, seed: 4)
        let collector = try await Self.broadcast(
            records, to: "239.192.74.43", interface: "lo", rounds: 2, expecting: records.count)
        #expect(collector.records.withLock { $0 } == records)
        #expect(collector.counts.withLock { $0.refused } == 0)
    }

    @Test("one address does as well")
    func unicast() async throws {
        let records = BroadcastReceiverTests.records(5, seed: 5) + [[UInt8](repeating: 0xFF, count: 60)]
        let collector = try await Self.broadcast(
            records, to: "127.0.0.1", interface: nil, expecting: records.count - 1)
        #expect(collector.records.withLock { $0 } == Array(records.dropLast()))
    }

    @Test("datagrams go no faster than the rate says, headers counted")
    func pace() async throws {
        var configuration = try Self.configuration("udp://127.0.0.1:9")
        configuration.rate = BitRate(bitsPerSecond: 400_000)
        let start = ContinuousClock.now
        let done = try await BroadcastSender(configuration).send(BroadcastReceiverTests.records(10, seed: 6))
        let last = ByteCount(configuration.mtu.bytes)
        // The last datagram may begin 20 ms early, and its own time is not waited for.
        let least = Double((done.bytes - last.bytes) * 8) / 400_000 - 0.02
        #expect(least > 0.3 && ContinuousClock.now - start >= .seconds(least))
    }

    @Test("a listener that has no such interface does not start, and says which member is wrong")
    func noInterface() async throws {
        let listener = BroadcastListener(
            configuration: BroadcastListenerConfiguration(host: "239.192.74.43", port: 0, interface: "nosuch0"),
            service: Collector { _ in }, logger: Logger(label: "test"))
        let error = await #expect(throws: ProtocolError.self) { try await listener.run() }
        #expect(error?.details["member"] == "interface")
    }

    @Test("limits of the sender, on both sides")
    func limits() throws {
        func accepts(_ change: (inout BroadcastConfiguration) -> Void) throws -> Bool {
            var configuration = try Self.configuration("udp://127.0.0.1:9")
            change(&configuration)
            return (try? BroadcastSender(configuration)) != nil
        }
        #expect(try accepts { $0.rate = BitRate(bitsPerSecond: 10) })
        #expect(try !accepts { $0.rate = BitRate(bitsPerSecond: 9) })
        #expect(try accepts { $0.mtu = ByteCount(128) } && !accepts { $0.mtu = ByteCount(127) })
        #expect(try accepts { $0.redundancy = 3 } && !accepts { $0.redundancy = 3.01 })
        #expect(try accepts { $0.redundancy = 0 } && !accepts { $0.redundancy = -0.01 })
        #expect(try !accepts { $0.redundancy = .nan })
        #expect(try accepts { $0.rounds = 1_000 } && !accepts { $0.rounds = 1_001 } && !accepts { $0.rounds = 0 })
        #expect(try accepts { $0.hops = 255 } && !accepts { $0.hops = 256 } && !accepts { $0.hops = 0 })
        #expect(throws: ProtocolError.self) {
            try BroadcastSender(try Self.configuration("https://127.0.0.1:9"))
        }
    }
}
