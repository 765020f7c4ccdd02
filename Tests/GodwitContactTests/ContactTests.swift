import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

/// Contacts over a link without and with faults (issue 2, D-8, D-11).
@Suite("Contacts")
struct ContactTests {
    @Test("everything waiting on both ends crosses in one contact, once and in order", arguments: Stores.allCases)
    func crosses(_ stores: Stores) async throws {
        try await stores.with { try await Self.crosses($0) }
    }

    private static func crosses(_ hop: some Ends) async throws {
        let up = try await fill(hop.left, to: hop.right, 0..<40)
        let down = try await fill(hop.right, to: hop.left, 100..<140)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(hop.right.keeper.received.all == up)
        #expect(hop.left.keeper.received.all == down)
        #expect(report.receivedItems == 40 && report.releasedItems == 40 && report.repeatedFrames == 0)
        #expect(report.exchanges == carrier.count.exchanges && report.wasUseful && !report.more)
        #expect(try await hop.left.inFlight(to: hop.right.identity.party).isEmpty)
        #expect(try await hop.left.waiting(for: hop.right.identity.party) == 0)
        // The last frames of the answer are released by the next greeting.
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(try await hop.right.inFlight(to: hop.left.identity.party).isEmpty)
    }

    @Test("a client that was away pushes, pulls and acknowledges in one round trip (D-11)", arguments: Stores.allCases)
    func oneRoundTrip(_ stores: Stores) async throws {
        try await stores.with { try await Self.oneRoundTrip($0) }
    }

    private static func oneRoundTrip(_ hop: some Ends) async throws {
        let up = try await fill(hop.left, to: hop.right, 0..<3)
        let down = try await fill(hop.right, to: hop.left, 100..<103)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(carrier.count.exchanges == 1)
        #expect(hop.right.keeper.received.all == up && hop.left.keeper.received.all == down)
        #expect(report.releasedItems == 3)
    }

    @Test("an answer that begins before the request has ended acknowledges all of it", arguments: Stores.allCases)
    func answeredEarly(_ stores: Stores) async throws {
        try await stores.with { try await Self.answeredEarly($0) }
    }

    private static func answeredEarly(_ hop: some Ends) async throws {
        let up = try await fill(hop.left, to: hop.right, 0..<3)
        let carrier = EagerCarrier(hop.right.answerer(limits))
        func contact() async throws -> ContactReport {
            try await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        }
        // With nothing to send there is nothing early, and one loose frame at the end.
        var report = try await contact()
        #expect(report.releasedItems == 3 && report.exchanges == 1)
        #expect(carrier.early.withLock { $0 } == 0 && carrier.late.withLock { $0 } == 1)
        let more = try await fill(hop.left, to: hop.right, 3..<6)
        let down = try await fill(hop.right, to: hop.left, 100..<103)
        report = try await contact()
        #expect(report.releasedItems == 3 && report.exchanges == 1 && !report.more)
        #expect(hop.right.keeper.received.all == up + more && hop.left.keeper.received.all == down)
        // The greeting and the frame went early, another greeting after the end.
        #expect(carrier.early.withLock { $0 } == 2 && carrier.late.withLock { $0 } == 2)
    }

    @Test("an empty exchange is at most 150 bytes of records each way", arguments: Stores.allCases)
    func emptyExchange(_ stores: Stores) async throws {
        try await stores.with { try await Self.emptyExchange($0) }
    }

    private static func emptyExchange(_ hop: some Ends) async throws {
        let carrier = LoopCarrier(hop.right.answerer(limits))
        // After real traffic both ways, so that there is something to acknowledge and settle.
        _ = try await fill(hop.left, to: hop.right, 0..<8)
        _ = try await fill(hop.right, to: hop.left, 100..<108)
        for _ in 0..<3 {
            _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        }
        let (sent, received) = (carrier.count.requests.last ?? [], carrier.count.answers.last ?? [])
        #expect(sent.count == 1 && received.count == 1)
        #expect((48...150).contains(sent.reduce(0, +)), "an empty request has \(sent) bytes")
        #expect((48...150).contains(received.reduce(0, +)), "an empty answer has \(received) bytes")
    }

    @Test("an item larger than the frames of the link goes alone in a frame of its own", arguments: Stores.allCases)
    func largeItem(_ stores: Stores) async throws {
        try await stores.with { try await Self.largeItem($0) }
    }

    private static func largeItem(_ hop: some Ends) async throws {
        let peer = hop.right.identity.party
        var bodies = [try await hop.left.enqueue(1, to: peer, .directText, size: 60_000)]
        bodies += try await fill(hop.left, to: hop.right, 2..<6)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 64)
        #expect(hop.right.keeper.received.all == bodies)
        let frames = carrier.count.requests.flatMap { $0 }.filter { $0 > 1100 }
        #expect(frames.count == 1, "one frame beyond the limit, the small items not in it: \(carrier.count.requests)")
        let alone = try await size(ofFrameWith: bodies[0])
        #expect(abs((frames.first ?? 0) - alone) <= 8)
    }

    @Test("an item that fits no frame stays behind and holds up nothing", arguments: Stores.allCases)
    func unfitItem(_ stores: Stores) async throws {
        try await stores.with { try await Self.unfitItem($0) }
    }

    private static func unfitItem(_ hop: some Ends) async throws {
        let peer = hop.right.identity.party
        try await hop.left.enqueue(1, to: peer, .directText, size: FrameLimits.objectMax + 1)
        let bodies = try await fill(hop.left, to: hop.right, 2..<6)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 8)
        #expect(hop.right.keeper.received.all == bodies)
        #expect(report.releasedItems == bodies.count)
        #expect(!report.more && report.exchanges < 8, "what cannot go is no reason to go on")
        #expect(try await hop.left.waiting(for: peer) == 1, "the item is still in custody")
    }

    /// Bytes of a sealed frame with only this item.
    private static func size(ofFrameWith body: [UInt8]) async throws -> Int {
        let item = BatchItem(
            kind: .object, body: body, created: Timestamp(milliseconds: 1_750_000_001_000), priority: .directText)
        return try FrameCodec.encode(Frame(floor: 1, items: [item], hasMore: true)).count + 58
    }

    @Test("an urgent item overtakes what has waited longer, in the frame after")
    func urgent() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let peer = hop.right.identity.party
        for number in 0..<60 { try await hop.left.enqueue(number, to: peer, .bulk, size: 300) }
        try await hop.left.enqueue(1000, to: peer, .control)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 1)
        let numbers = try hop.right.keeper.received.all.map(Sample.number)
        #expect(numbers.first == 1000)
        #expect(numbers.count < 61)
    }

    @Test("a contact ends after the number of exchanges that it may take")
    func exchangesMax() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        _ = try await fill(hop.left, to: hop.right, 0..<80)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 2)
        #expect(report.exchanges == 2 && report.more && carrier.count.exchanges == 2)
        #expect(hop.right.keeper.received.all.count < 80)
    }

    @Test("a receiver whose store is full keeps nothing of the frame; the sender keeps it and sends it later")
    func full() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let bodies = try await fill(hop.left, to: hop.right, 0..<5)
        let carrier = LoopCarrier(hop.right.answerer(limits))
        hop.right.keeper.isFull.withLock { $0 = true }
        let error = await #expect(throws: ProtocolError.self) {
            try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        }
        #expect(error?.code == .bandwidthExceeded)
        #expect(
            try await hop.right.spool.read { try $0.inbound(from: hop.left.identity.party).first?.ranges ?? [] } == [])
        #expect(try await !hop.left.inFlight(to: hop.right.identity.party).isEmpty)
        hop.right.keeper.isFull.withLock { $0 = false }
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        #expect(hop.right.keeper.received.all == bodies)
    }

    private static func fill<Store: Spool>(
        _ end: End<Store>, to other: End<Store>, _ numbers: Range<Int>
    ) async throws -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        for number in numbers { bodies.append(try await end.enqueue(number, to: other.identity.party)) }
        return bodies
    }

    private func fill<Store: Spool>(
        _ end: End<Store>, to other: End<Store>, _ numbers: Range<Int>
    ) async throws -> [[UInt8]] { try await Self.fill(end, to: other, numbers) }
}
