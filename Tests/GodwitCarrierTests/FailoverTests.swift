import GodwitBatch
import GodwitLink
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitCarrier

/// Several carriers to one peer (issue "Carriers": failover and cost order).
@Suite struct FailoverTests {
    /// A peer that takes each record once by its number, as frames are taken, and counts what came again.
    private final class ToyPeer: Sendable {
        let taken = Mutex<[[UInt8]: Int]>([:])
        func take(_ record: [UInt8]) { taken.withLock { $0[record, default: 0] += 1 } }
    }

    fileprivate enum Fault: Sendable { case none, before, middle, afterAnswer, refusal(ProtocolError) }

    private final class ToyCarrier: Carrier {
        let peer: ToyPeer
        let fault: @Sendable () -> Fault
        let calls = Mutex(0)
        init(_ peer: ToyPeer, fault: @escaping @Sendable () -> Fault) {
            self.peer = peer
            self.fault = fault
        }
        static let broken = ProtocolError(.nodeUnreachable, "The connection broke.")

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            calls.withLock { $0 += 1 }
            let fault = fault()
            switch fault {
            case .before:
                var error = Self.broken
                error.sentNothing = true
                throw error
            case .refusal(let error): throw error
            default: break
            }
            var records: [[UInt8]] = []
            while let record = try await request.next() {
                records.append(record)
                // What is given last got lost.
                if fault.isMiddle, records.count > 1 { throw Self.broken }
                peer.take(record)
            }
            if fault.isMiddle { throw Self.broken }
            try await receive([0xAA])
            if case .afterAnswer = fault { throw Self.broken }
            return ExchangeStatistics(
                sent: ByteCount(records.reduce(0) { $0 + $1.count }), received: ByteCount(1), duration: 1,
                reusedConnection: true)
        }
    }

    private final class Clock: Sendable {
        let time = Mutex(Duration.zero)
        var now: Duration { time.withLock { $0 } }
        func advance(_ step: Duration) { time.withLock { $0 += step } }
    }

    private static func failover(
        _ carriers: [ToyCarrier], _ clock: Clock, seed: UInt64 = 1
    ) throws -> FailoverCarrier {
        try FailoverCarrier(
            carriers.enumerated().map { .init(endpoint: "way \($0.offset)", carrier: .success($0.element)) },
            random: SeededGenerator(seed: seed), now: { clock.now })
    }

    @Test("under seeded faults every record arrives, and per failed way a record crosses at most once more")
    func faults() async throws {
        for seed in 0..<40 as Range<UInt64> {
            let random = Mutex(SeededGenerator(seed: seed))
            let failed = Mutex(0)
            let draw: @Sendable () -> Fault = {
                let value = random.withLock { Int.random(in: 0..<10, using: &$0) }
                if value < 4 { failed.withLock { $0 += 1 } }
                return switch value {
                case 0: .before
                case 1, 2: .middle
                case 3: .afterAnswer
                default: .none
                }
            }
            let peer = ToyPeer()
            let clock = Clock()
            let carrier = try Self.failover((0..<3).map { _ in ToyCarrier(peer, fault: draw) }, clock, seed: seed)
            for number in 0..<50 as Range<UInt8> {
                let records = (0..<4).map { [number, UInt8($0)] }
                failed.withLock { $0 = 0 }
                while true {
                    do {
                        let done = try await carrier.exchange(records) { _ in }
                        #expect(done.sent.bytes >= 8)
                        break
                    } catch let error as ProtocolError {
                        #expect(error.code == .nodeUnreachable)
                        clock.advance(.seconds(1))
                    }
                }
                let failures = failed.withLock { $0 }
                for record in records {
                    #expect((1...1 + failures).contains(peer.taken.withLock { $0[record] ?? 0 }))
                }
                clock.advance(.seconds(3))
            }
        }
    }

    @Test("a dead way is left alone for its pause, then tried again and used when it works")
    func returns() async throws {
        let (peer, clock) = (ToyPeer(), Clock())
        let isDead = Mutex(true)
        let best = ToyCarrier(peer) { isDead.withLock { $0 } ? .before : .none }
        let other = ToyCarrier(peer) { .none }
        let carrier = try Self.failover([best, other], clock)
        for _ in 0..<5 { _ = try await carrier.exchange([[1]]) { _ in } }
        #expect(best.calls.withLock { $0 } == 1 && other.calls.withLock { $0 } == 5)
        #expect(carrier.wayReports.map(\.isLastUsed) == [false, true])
        #expect(carrier.wayReports[0].error?.code == .nodeUnreachable && carrier.wayReports[0].retry != nil)
        clock.advance(.seconds(13))
        _ = try await carrier.exchange([[1]]) { _ in }
        #expect(best.calls.withLock { $0 } == 2, "it is looked after")
        isDead.withLock { $0 = false }
        _ = try await carrier.exchange([[1]]) { _ in }
        #expect(best.calls.withLock { $0 } == 2, "but not at once again")
        clock.advance(CarrierChoice.pauseMax)
        _ = try await carrier.exchange([[1]]) { _ in }
        _ = try await carrier.exchange([[1]]) { _ in }
        #expect(best.calls.withLock { $0 } == 4 && other.calls.withLock { $0 } == 7)
        #expect(carrier.wayReports.map(\.isLastUsed) == [true, false])
        #expect(carrier.wayReports.allSatisfy { $0.error == nil && $0.retry == nil })
    }

    @Test("the peer's refusal, the receiver's error and a cancellation are no reason to try another way")
    func refusals() async throws {
        let peer = ToyPeer()
        let codes = ErrorCode.allCases.filter { $0 != .nodeUnreachable }
        for code in codes {
            let refusal = ProtocolError(code, "No.")
            let second = ToyCarrier(peer) { .none }
            let carrier = try Self.failover([ToyCarrier(peer) { .refusal(refusal) }, second], Clock())
            await #expect(throws: refusal) { try await carrier.exchange([[1]]) { _ in } }
            #expect(second.calls.withLock { $0 } == 0)
            #expect(carrier.wayReports.map(\.isLastUsed) == [true, false], "the peer was reached")
        }
        let second = ToyCarrier(peer) { .none }
        let carrier = try Self.failover([ToyCarrier(peer) { .none }, second], Clock())
        let own = ProtocolError(.nodeUnreachable, "Of the receiver.")
        await #expect(throws: own) { try await carrier.exchange([[1]]) { _ in throw own } }
        #expect(second.calls.withLock { $0 } == 0)
        #expect(carrier.wayReports.allSatisfy { $0.failures == 0 })
    }

    @Test("what a way that broke may have cost is billed; ways that sent nothing cost nothing")
    func billing() async throws {
        let peer = ToyPeer()
        let records = [[UInt8](repeating: 1, count: 700), [2]]
        func sent(_ faults: [Fault]) async throws -> Int {
            let carrier = try Self.failover(faults.map { fault in ToyCarrier(peer) { fault } }, Clock())
            return try await carrier.exchange(records) { _ in }.sent.bytes
        }
        #expect(try await sent([.before, .none]) == 701)
        #expect(try await sent([.middle, .before, .none]) == 1_402)
        let dead = try Self.failover([ToyCarrier(peer) { .before }, ToyCarrier(peer) { .before }], Clock())
        await #expect { try await dead.exchange(records) { _ in } } throws: {
            ($0 as? ProtocolError)?.sentNothing == true
        }
        let broken = try Self.failover([ToyCarrier(peer) { .middle }, ToyCarrier(peer) { .before }], Clock())
        await #expect { try await broken.exchange(records) { _ in } } throws: {
            ($0 as? ProtocolError)?.sentNothing == false
        }
    }

    @Test("what one way was given goes first over the next, then the rest; a source that fails is no way that fails")
    func resumed() async throws {
        /// Gives `count` records, then throws or ends.
        actor Source: RecordSource {
            let count: UInt8
            let failure: ProtocolError?
            private(set) var given: UInt8 = 0
            init(count: UInt8, failure: ProtocolError? = nil) {
                self.count = count
                self.failure = failure
            }
            func next() async throws -> [UInt8]? {
                guard given < count else {
                    if let failure { throw failure }
                    return nil
                }
                given += 1
                return [given]
            }
        }
        let peer = ToyPeer()
        let carrier = try Self.failover([ToyCarrier(peer) { .middle }, ToyCarrier(peer) { .none }], Clock())
        let source = Source(count: 5)
        let done = try await carrier.exchange(source) { _ in }
        // Two were given to the first way, of which one got lost: only they are billed twice.
        #expect(done.sent.bytes == 5 + 2)
        #expect((1...5 as ClosedRange<UInt8>).map { peer.taken.withLock { $0 }[[$0]] } == [2, 1, 1, 1, 1])
        let failure = ProtocolError(.internalError, "The store is damaged.")
        let second = ToyCarrier(peer) { .none }
        let other = try Self.failover([ToyCarrier(peer) { .none }, second], Clock())
        await #expect(throws: failure) { _ = try await other.exchange(Source(count: 2, failure: failure)) { _ in } }
        #expect(second.calls.withLock { $0 } == 0)
    }

    @Test("what came of a record that was not whole comes to the source of the request, over every way")
    func beginnings() async throws {
        actor Source: RecordSource {
            private(set) var kept: [[UInt8]] = []
            func next() async -> [UInt8]? { nil }
            func keep(_ beginning: [UInt8]) { kept.append(beginning) }
        }
        struct Cutting: Carrier {
            let beginning: [UInt8]
            func exchange(
                _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
            ) async throws -> ExchangeStatistics {
                await request.keep(beginning)
                throw ToyCarrier.broken
            }
        }
        let carrier = try FailoverCarrier(
            [[7, 8], [9]].map { .init(endpoint: "a", carrier: .success(Cutting(beginning: $0))) })
        let source = Source()
        await #expect(throws: ProtocolError.self) { _ = try await carrier.exchange(source) { _ in } }
        #expect(await source.kept == [[7, 8], [9]])
    }

    @Test("a way that cannot be gone as written is passed over and told of; without any way it is an error")
    func unusable() async throws {
        let wrong = ProtocolError.malformed("Not an address.")
        let carrier = try FailoverCarrier([
            .init(endpoint: "a", carrier: .failure(wrong)),
            .init(endpoint: "b", carrier: .success(ToyCarrier(ToyPeer()) { .none })),
        ])
        _ = try await carrier.exchange([[1]]) { _ in }
        #expect(carrier.wayReports.map(\.error) == [wrong, nil])
        let none = try FailoverCarrier([.init(endpoint: "a", carrier: .failure(wrong))])
        await #expect(throws: ProtocolError.self) { try await none.exchange([[1]]) { _ in } }
        #expect(throws: ProtocolError.self) { try FailoverCarrier([]) }
    }
}

extension FailoverTests.Fault {
    fileprivate var isMiddle: Bool { if case .middle = self { true } else { false } }
}
