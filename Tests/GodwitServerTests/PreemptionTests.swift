import GodwitBatch
import GodwitCarrier
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Logging
import Synchronization
import Testing

/// Whole contacts over real sockets: what becomes urgent in the middle of a transfer is in the very next frame (D-20).
@Suite("Pre-emption over real sockets", .timeLimit(.minutes(3))) struct PreemptionTests {
    enum Way: String, CaseIterable, Sendable { case http, udp, live }

    /// Counts frames, and calls `onFirst` when the first is committed.
    private final class Keeper: ItemReceiver {
        let frames = Mutex<[[PriorityClass]]>([])
        let onFirst = Mutex<(@Sendable () async -> Void)?>(nil)

        func commit(_ items: [BatchItem], from peer: Party, in transaction: MemoryTransaction) throws {
            frames.withLock { $0.append(items.map(\.priority)) }
        }
        func committed(from peer: Party) async {
            let first = onFirst.withLock { action in
                defer { action = nil }
                return action
            }
            await first?()
        }
    }

    private struct Acquaintance: PeerDirectory {
        let peer: PeerKey
        func candidates(for hint: FrameHint) async throws -> [PeerKey] { [peer] }
    }

    private struct End: Sendable {
        let key: PeerKey
        let spool = MemorySpool(configuration: SpoolConfiguration(disk: { _ in nil }))
        let keeper = Keeper()
        let outlet: FrameOutlet<MemorySpool>
        let intake: FrameIntake<MemorySpool, Keeper>

        init(_ names: (String, UInt8), peer: (String, UInt8)) throws {
            func identity(_ names: (String, UInt8)) throws -> ContactIdentity {
                ContactIdentity(
                    party: .node(try NodeID(names.0)),
                    noiseKey: try AgreementKey(Secret([UInt8](repeating: names.1, count: 32))))
            }
            let (own, other) = (try identity(names), try identity(peer))
            key = PeerKey(party: own.party, noiseKey: own.noiseKey.publicKey)
            let directory = Acquaintance(peer: PeerKey(party: other.party, noiseKey: other.noiseKey.publicKey))
            outlet = FrameOutlet(spool: spool, identity: own, weights: Profile.broadband.weights)
            intake = FrameIntake(spool: spool, receiver: keeper, identity: own, directory: directory)
        }

        func item(_ number: Int, to peer: Party, _ priority: PriorityClass, size: Int) -> NewItem {
            var generator = SeededGenerator(seed: UInt64(number + 1))
            let noise = (0..<size * 3 / 4).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let object: JSONObject = ["n": .integer(Int64(number)), "x": .string(Base64.encode(noise))]
            let body = object.canonicalBytes()
            return NewItem(
                id: ItemID(SHA256Digest.of(body)), kind: .object, body: body, destination: peer, priority: priority,
                created: Timestamp(milliseconds: 1_750_000_000_000), lifetime: Message.defaultLifetime)
        }
    }

    /// More than any socket holds.
    private static let bulk = 200
    private static let limits = OutletLimits(frame: ByteCount(8_000), exchange: ByteCount(8_000_000))

    @Test(
        "with bulk queued an urgent item leaves with the next frame, in a request and in an answer",
        arguments: Way.allCases, [true, false])
    func overtakes(_ way: Way, inRequest: Bool) async throws {
        let left = try End(("leftend1", 11), peer: ("rightnd2", 22))
        let right = try End(("rightnd2", 22), peer: ("leftend1", 11))
        let (sender, receiver) = inRequest ? (left, right) : (right, left)
        let peer = receiver.key.party
        for number in 0..<Self.bulk {
            let item = sender.item(number, to: peer, .bulk, size: 7_600)
            _ = try await sender.spool.write { try $0.enqueue(item) }
        }
        let urgent = sender.item(Self.bulk, to: peer, .directText, size: 100)
        let next = Mutex<UInt64>(0)
        receiver.keeper.onFirst.withLock {
            $0 = {
                let number = try? await sender.spool.write { transaction in
                    let number = try transaction.nextFrame(to: peer).number
                    _ = try transaction.enqueue(urgent)
                    return number
                }
                next.withLock { $0 = number ?? 0 }
            }
        }
        let (outlet, limits) = (right.outlet, Self.limits)
        let answerer = ContactAnswerer(intake: right.intake) { _ in (outlet, limits) }
        let caller = ContactCaller(intake: left.intake, outlet: left.outlet)
        let report = try await Self.serving(answerer, way) { carrier in
            try await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 8)
        }
        let frames = receiver.keeper.frames.withLock { $0 }
        #expect(frames.flatMap { $0 }.count == Self.bulk + 1 && report.exchanges < 8)
        // The frame that was being made then, or the next one; and most of the bulk was not made yet.
        let number = UInt64(try #require(frames.firstIndex { $0.contains(.directText) }) + 1)
        let then = next.withLock { $0 }
        #expect((then...then + 1).contains(number), "frame \(number), next was \(then)")
        #expect((2...UInt64(Self.bulk * 2 / 3)).contains(then))
    }

    private static func serving<Value: Sendable>(
        _ service: any ExchangeService, _ way: Way, _ body: @escaping @Sendable (any Carrier) async throws -> Value
    ) async throws -> Value {
        switch way {
        case .http:
            return try await ServerHarness.run(service: service) { harness in
                try await body(
                    HTTPBatchCarrier(
                        HTTPCarrierConfiguration(endpoint: Endpoint("http://127.0.0.1:\(harness.port)"), pins: [])))
            }
        case .live:
            return try await ServerHarness.run(service: service) { harness in
                try await body(
                    WebSocketCarrier(
                        WebSocketCarrierConfiguration(
                            endpoint: Endpoint("ws://127.0.0.1:\(harness.port)"), pins: [])))
            }
        case .udp:
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let port = Later<Int>()
            let listener = try UDPListener(
                configuration: UDPListenerConfiguration(host: "127.0.0.1", port: 0), service: service, logger: logger,
                onBound: { port.set($0) })
            return try await withThrowingTaskGroup(of: Value?.self) { group in
                group.addTask {
                    try await listener.run()
                    return nil
                }
                defer { group.cancelAll() }
                let endpoint = try Endpoint("udp://127.0.0.1:\(await port.get())")
                return try await body(UDPCarrier(UDPCarrierConfiguration(endpoint: endpoint, profile: .broadband)))
            }
        }
    }
}
