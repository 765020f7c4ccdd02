import GodwitBatch
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitContact

private let limits = OutletLimits(frame: ByteCount(2_000), exchange: ByteCount(8_000))

/// A frame that broke goes on from where it broke (issue 3; docs/protocol.md §8.1, "Partial frames").
@Suite("Frames of which the beginning has come") struct PartialTests {
    private typealias Hop = Pair<MemorySpool>

    private static func hop(up: Int = 0, down: Int = 0) async throws -> Hop {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        for number in 0..<up { try await hop.left.enqueue(number, to: hop.right.identity.party) }
        for number in 0..<down { try await hop.right.enqueue(1_000 + number, to: hop.left.identity.party) }
        return hop
    }

    /// One contact that breaks where it is told to.
    private static func broken(_ hop: Hop, _ fault: Fault) async throws -> LoopCarrier.Count {
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: [fault])
        await #expect(throws: ProtocolError.self) {
            try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        }
        return carrier.count
    }

    private static func whole(_ hop: Hop) async throws -> LoopCarrier.Count {
        let carrier = LoopCarrier(hop.right.answerer(limits))
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        return carrier.count
    }

    private static func numbers(_ end: End<MemorySpool>) throws -> [Int] {
        try end.keeper.received.all.map(Sample.number)
    }

    /// Sends the frames in flight in an exchange of its own, beginning with a loose frame.
    private static func session(to end: End<MemorySpool>, from other: End<MemorySpool>) async throws
        -> any ExchangeSession
    {
        let session = await end.answerer(limits).openExchange()
        try await session.receive(try await other.outlet.loose(to: end.key, hasMore: false))
        return session
    }

    @Test("of a request that was cut only the rest goes again, whatever had come", arguments: [64, 65, 500, Int.max])
    func request(_ bytes: Int) async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1, bytes: bytes))
        let second = try await Self.whole(hop)
        let size = first.requests[0][1]
        let came = min(bytes, size - 1)
        #expect(second.requests[0].count == 1, "first only the loose frame: its answer says what has come")
        // Kind, hint, incarnation, number, and where it goes on.
        #expect(second.requests[1][1] == size - came + 10 + Varint.bytes(UInt64(came)).count)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
        #expect(try await hop.left.inFlight(to: hop.right.identity.party).isEmpty)
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
    }

    @Test("less than 64 bytes are not worth a word: the frame goes whole")
    func tooLittle() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1, bytes: 63))
        let second = try await Self.whole(hop)
        #expect(second.requests[1][1] == first.requests[0][1])
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("so it is with an answer")
    func answer() async throws {
        let hop = try await Self.hop(up: 1, down: 12)
        let first = try await Self.broken(hop, .withinAnswer(1, bytes: 700))
        let second = try await Self.whole(hop)
        #expect(second.answers[0][1] == first.answers[0][1] - 700 + 12)
        #expect(try Self.numbers(hop.left) == (0..<12).map { 1_000 + $0 })
        #expect(hop.left.intake.partials(of: hop.right.identity.party).isEmpty)
    }

    @Test("a rest that is cut makes the beginning longer, again and again")
    func again() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1, bytes: 400))
        var came = 400
        for bytes in [100, 200, 13, 12] {
            let carrier = LoopCarrier(
                hop.right.answerer(limits), faults: [.none, .within(request: 1, bytes: bytes)])
            _ = try? await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
            #expect(carrier.count.requests[1][1] == first.requests[0][1] - came + 12)
            came += bytes - 12
        }
        #expect(hop.right.intake.partials(of: hop.left.identity.party).map(\.count) == [came])
        #expect(try await Self.whole(hop).requests[1][1] == first.requests[0][1] - came + 12)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("a receiver that was restarted has forgotten it: the frame goes whole")
    func receiverRestarts() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1))
        let end = hop.right
        let outlet = end.outlet
        let intake = FrameIntake(
            spool: end.spool, receiver: end.keeper, identity: end.identity, directory: end.directory)
        let carrier = LoopCarrier(ContactAnswerer(intake: intake) { _ in (outlet, limits) })
        _ = try await hop.left.caller.contact(with: end.key, over: carrier, limits: limits, exchangesMax: 9)
        #expect(carrier.count.requests[1][1] == first.requests[0][1])
        #expect(try Self.numbers(end) == Array(0..<12))
    }

    @Test("a sender that was restarted seals with another key: the frame goes whole, and what was kept is let go")
    func senderRestarts() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1))
        let end = hop.left
        let outlet = FrameOutlet(spool: end.spool, identity: end.identity, weights: Profile.satellite.weights)
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: [.none, .within(request: 1, bytes: 300)])
        let caller = ContactCaller(intake: end.intake, outlet: outlet)
        await #expect(throws: ProtocolError.self) {
            try await caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        }
        #expect(carrier.count.requests[1][1] == first.requests[0][1])
        // The newer bytes have taken the place of the older, though they are fewer.
        let next = LoopCarrier(hop.right.answerer(limits))
        _ = try await caller.contact(with: hop.right.key, over: next, limits: limits, exchangesMax: 9)
        #expect(next.count.requests[1][1] == first.requests[0][1] - 300 + 12)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
        #expect(hop.right.intake.partials(of: end.identity.party).isEmpty)
    }

    @Test("a rest without its beginning commits and acknowledges nothing, and the exchange goes on")
    func unjoined() async throws {
        let hop = try await Self.hop(up: 12)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let rest = try FrameContinuation(of: record, from: 100).bytes
        let session = try await Self.session(to: hop.right, from: hop.left)
        try await session.receive(rest)
        #expect(try Self.numbers(hop.right).isEmpty)
        let loose = try #require(try await session.next())
        let taken = try await hop.left.intake.take(loose, from: hop.right.key)
        #expect(taken.released == 0 && taken.partials == [])
        // To the calling end it means that there is more to fetch.
        let unjoined = try await hop.right.intake.take(rest, from: hop.left.key)
        #expect(unjoined.isUnjoined && unjoined.hasMore && unjoined.items == 0)
        #expect(try await Self.whole(hop).requests[1][1] == record.count)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("what does not open when it is joined is dropped, no error is answered, and the frame comes whole")
    func altered() async throws {
        let hop = try await Self.hop(up: 12)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let session = try await Self.session(to: hop.right, from: hop.left)
        await session.keep(Array(record.prefix(200)))
        try await session.receive(LoopCarrier.altered(try FrameContinuation(of: record, from: 200).bytes))
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
        #expect(try await Self.whole(hop).requests[1][1] == record.count)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("a beginning that somebody else has put there is not gone on from")
    func forgedBeginning() async throws {
        let hop = try await Self.hop(up: 12)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let session = try await Self.session(to: hop.right, from: hop.left)
        await session.keep(LoopCarrier.altered(Array(record.prefix(200))))
        #expect(hop.right.intake.partials(of: hop.left.identity.party).count == 1)
        #expect(try await Self.whole(hop).requests[1][1] == record.count)
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
    }

    @Test("a stranger's bytes are not kept, and a rest begins no exchange")
    func strangers() async throws {
        let hop = try await Self.hop(up: 12)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let session = await hop.right.answerer(limits).openExchange()
        await session.keep(Array(record.prefix(200)))
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
        let known = try await Self.session(to: hop.right, from: hop.left)
        await known.keep(Array(record.prefix(200)))
        let error = await #expect(throws: ProtocolError.self) {
            try await session.receive(try FrameContinuation(of: record, from: 200).bytes)
        }
        #expect(error?.code == .invalidMessageFormat)
        #expect(hop.right.intake.partials(of: hop.left.identity.party).count == 1, "it has cost nobody anything")
        // The calling end keeps nothing before the answer has shown who speaks.
        let request = RequestRecords(hop.left.intake, hop.left.outlet, to: hop.right.key, limits) { _ in }
        let other = try await Self.hop(down: 3)
        let theirs = try #require(try await other.right.outlet.next(to: other.left.key, limits))
        await request.keep(Array(theirs.prefix(100)))
        #expect(hop.left.intake.partials(of: hop.right.identity.party).isEmpty)
    }

    @Test("what comes after the records of one peer is not kept for another, nor for another incarnation")
    func others() async throws {
        let (hop, other) = (try await Self.hop(up: 3), try await Self.hop(down: 3))
        let session = try await Self.session(to: hop.right, from: hop.left)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let theirs = try #require(try await other.right.outlet.next(to: other.left.key, limits))
        let elsewhere = try await other.left.outlet.loose(to: other.right.key, hasMore: false)
        await session.keep(theirs)
        await session.keep(elsewhere)
        var foreign = Array(record.prefix(300))
        foreign[5] ^= 1
        await session.keep(foreign)
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
        await session.keep(Array(record.prefix(300)))
        #expect(hop.right.intake.partials(of: hop.left.identity.party).map(\.count) == [300])
    }

    @Test("what still comes is not named in its own exchange, but in another that begins while it hangs")
    func hanging() async throws {
        let hop = try await Self.hop(up: 12, down: 3)
        let record = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        let session = try await Self.session(to: hop.right, from: hop.left)
        await session.keep(Array(record.prefix(300)))
        let early = try #require(try await session.nextEarly())
        #expect(try await hop.left.intake.take(early, from: hop.right.key).partials == [])
        let other = try await Self.session(to: hop.right, from: hop.left)
        let named = try #require(try await other.next())
        #expect(try await hop.left.intake.take(named, from: hop.right.key).partials?.map(\.count) == [300])
        // The first one comes to its end after all.
        try await session.receive(record)
        #expect(try Self.numbers(hop.right).count > 0)
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
    }

    @Test("a frame of one link is gone on with over that link, whichever link brought the word")
    func links() async throws {
        let hop = try await Self.hop(up: 12)
        let (end, peer) = (hop.left, hop.right.key)
        func outlet(_ name: String) -> FrameOutlet<MemorySpool> {
            FrameOutlet(
                spool: end.spool, identity: end.identity, weights: Profile.satellite.weights,
                path: OutletPath(name: name))
        }
        let (modem, radio) = (outlet("modem"), outlet("radio"))
        let record = try #require(try await modem.next(to: peer, limits))
        let session = try await Self.session(to: hop.right, from: end)
        await session.keep(Array(record.prefix(300)))
        let loose = try #require(try await Self.session(to: hop.right, from: end).next())
        let taken = try await end.intake.take(loose, from: peer)
        await radio.heard(taken)
        #expect(try await radio.held(for: peer).isEmpty)
        // The modem's own outlet has not heard it yet.
        let held = try #require(try await modem.held(for: peer).first)
        #expect(try await modem.sealed(held.frame, to: peer) == record)
        await modem.heard(taken)
        let rest = try await modem.sealed(held.frame, to: peer)
        #expect(try rest == FrameContinuation(of: record, from: 300).bytes)
        try await session.receive(rest)
        #expect(try Self.numbers(hop.right).count > 0)
    }

    @Test("a new incarnation of the sender lets the old one's beginning go")
    func incarnation() async throws {
        let hop = try await Self.hop(up: 12)
        _ = try await Self.broken(hop, .within(request: 1))
        let (spool, peer) = (hop.left.spool, hop.right.identity.party)
        try await spool.write { transaction in
            let present = try transaction.nextFrame(to: peer).incarnation
            try transaction.renewIncarnation(to: peer, incarnation: present ^ 1)
        }
        #expect(hop.right.intake.partials(of: hop.left.identity.party).count == 1)
        _ = try await Self.whole(hop)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
    }

    @Test("a frame that came whole another way needs no beginning any more")
    func anotherWay() async throws {
        let hop = try await Self.hop(up: 12)
        _ = try await Self.broken(hop, .within(request: 1))
        for record in try await hop.left.outlet.unacknowledged(to: hop.right.key) {
            _ = try await hop.right.intake.take(record)
        }
        #expect(hop.right.intake.partials(of: hop.left.identity.party).isEmpty)
        let first = try await Self.whole(hop)
        #expect(first.requests[0].count == 1)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("a full store keeps the beginning: the rest is enough once there is room")
    func full() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1, bytes: 500))
        hop.right.keeper.isFull.withLock { $0 = true }
        let carrier = LoopCarrier(hop.right.answerer(limits))
        await #expect(throws: ProtocolError.self) {
            try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 9)
        }
        hop.right.keeper.isFull.withLock { $0 = false }
        #expect(try await Self.whole(hop).requests[1][1] == first.requests[0][1] - 500 + 12)
        #expect(try Self.numbers(hop.right) == Array(0..<12))
    }

    @Test("a budget that would not hold the frame holds the rest of it")
    func budget() async throws {
        let hop = try await Self.hop(up: 12)
        let first = try await Self.broken(hop, .within(request: 1, bytes: 900))
        var small = limits
        small.most = ByteCount(first.requests[0][1] - 500)
        let curbed = small
        let carrier = LoopCarrier(hop.right.answerer(limits))
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: { curbed }, exchangesMax: 2)
        #expect(carrier.count.requests[1].count >= 2 && report.releasedItems > 0)
        #expect(carrier.count.requests[1].reduce(0, +) <= first.requests[0][1] - 500)
    }
}
