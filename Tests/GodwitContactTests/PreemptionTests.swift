import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

/// What becomes urgent in the middle of an exchange is in the next frame that is made (D-20).
@Suite("Pre-emption within an exchange")
struct PreemptionTests {
    /// Carries an exchange record by record, and lets the test act after the n-th record that crosses.
    private final class Steps: Carrier {
        let service: any ExchangeService
        let onRequest: @Sendable (Int) async throws -> Void
        let onAnswer: @Sendable (Int) async throws -> Void
        let requested = Mutex(0)
        let bytes = Mutex(0)

        init(
            _ service: any ExchangeService, onRequest: @escaping @Sendable (Int) async throws -> Void = { _ in },
            onAnswer: @escaping @Sendable (Int) async throws -> Void = { _ in }
        ) {
            self.service = service
            self.onRequest = onRequest
            self.onAnswer = onAnswer
        }

        func exchange(
            _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
        ) async throws -> ExchangeStatistics {
            let session = await service.openExchange()
            var (sent, received) = (0, 0)
            while let record = try await request.next() {
                try await session.receive(record)
                sent += 1
                bytes.withLock { $0 += record.count }
                requested.withLock { $0 = max($0, sent) }
                try await onRequest(sent)
            }
            while let record = try await session.next() {
                try await receive(record)
                received += 1
                try await onAnswer(received)
            }
            return ExchangeStatistics(sent: .zero, received: .zero, duration: 1, reusedConnection: true)
        }
    }

    private static let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(9_000))

    private static func numbers(_ bodies: [[UInt8]]) throws -> [Int] { try bodies.map(Sample.number) }

    @Test(
        "an urgent item that comes in mid-request is in the next frame, whatever bulk waits",
        arguments: [PriorityClass.control, .revocation, .directText], 1...5)
    func request(_ priority: PriorityClass, after frame: Int) async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let peer = hop.right.identity.party
        for number in 0..<40 { try await hop.left.enqueue(number, to: peer, .bulk, size: 800) }
        let before = Mutex(0)
        let left = hop.left
        let right = hop.right
        let carrier = Steps(hop.right.answerer(Self.limits)) { record in
            // The loose frame is the first record.
            guard record == frame + 1, before.withLock({ $0 }) == 0 else { return }
            let count = right.keeper.received.all.count
            before.withLock { $0 = count }
            try await left.enqueue(1_000, to: peer, priority, size: 120)
        }
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: Self.limits, exchangesMax: 1)
        let received = try Self.numbers(hop.right.keeper.received.all)
        let position = try #require(received.firstIndex(of: 1_000))
        // Bulk takes a frame each; in the frame of the urgent item it comes after it.
        #expect(position == before.withLock { $0 } && position == frame)
        #expect(report.sentFrames == carrier.requested.withLock { $0 } - 1)
    }

    @Test("an urgent item does not wait for frames that go again, in a request or in an answer")
    func ahead() async throws {
        for isRequest in [true, false] {
            let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
            let (sender, receiver) = isRequest ? (hop.left, hop.right) : (hop.right, hop.left)
            let peer = receiver.identity.party
            for number in 0..<9 { try await sender.enqueue(number, to: peer, .bulk, size: 800) }
            // Frames that were made and lost.
            for _ in 0..<9 { _ = try await sender.outlet.next(to: receiver.key, Self.limits) }
            #expect(try await sender.inFlight(to: peer).count == 9)
            let act: @Sendable (Int) async throws -> Void = { record in
                if record == 3, receiver.keeper.received.all.count == 2 {
                    try await sender.enqueue(1_000, to: peer, .directText, size: 120)
                }
            }
            let nothing: @Sendable (Int) async throws -> Void = { _ in }
            let carrier = Steps(
                hop.right.answerer(Self.limits), onRequest: isRequest ? act : nothing,
                onAnswer: isRequest ? nothing : act)
            _ = try await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: Self.limits, exchangesMax: 4)
            #expect(try Self.numbers(receiver.keeper.received.all) == [0, 1, 1_000] + Array(2..<9))
        }
    }

    @Test("a request that has its bulk still takes what is urgent, up to twice its limit, and no bulk")
    func beyond() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let peer = hop.right.identity.party
        for number in 0..<40 { try await hop.left.enqueue(number, to: peer, .bulk, size: 800) }
        let left = hop.left
        let carrier = Steps(hop.right.answerer(Self.limits)) { record in
            if record > 5 { try await left.enqueue(1_000 + record, to: peer, .directText, size: 700) }
        }
        _ = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: Self.limits, exchangesMax: 1)
        let received = try Self.numbers(hop.right.keeper.received.all)
        let bytes = carrier.bytes.withLock { $0 }
        #expect(received.filter { $0 >= 1_000 }.count > 10 && received.count { $0 < 1_000 } < 12)
        // The loose frame, and at most one frame more than the limit.
        #expect((18_000...19_100).contains(bytes), "\(bytes) bytes")
    }

    @Test("the loose frame leaves before anything else is made, and each frame is made when it is asked for")
    func made() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let peer = hop.right.identity.party
        for number in 0..<12 { try await hop.left.enqueue(number, to: peer, .bulk, size: 800) }
        let made = Mutex<[Int]>([])
        let left = hop.left
        let carrier = Steps(hop.right.answerer(Self.limits)) { _ in
            let count = try await left.inFlight(to: peer).count
            made.withLock { $0.append(count) }
        }
        _ = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: Self.limits, exchangesMax: 1)
        let counts = made.withLock { $0 }
        #expect(counts == Array(0..<counts.count) && counts.count > 8)
    }
}
