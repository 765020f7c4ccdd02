import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Testing

private let limits = OutletLimits(frame: ByteCount(600), exchange: ByteCount(2400))

/// Number sets, digests of acknowledgements, and ends that have lost their memory (D-8).
@Suite("Numbers and acknowledgements")
struct MemoryTests {
    private func pair() throws -> Pair<MemorySpool> {
        try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
    }

    /// `count` frames of one item each from left to right, numbered from 1.
    private func frames(_ hop: Pair<MemorySpool>, _ count: Int) async throws -> [[UInt8]] {
        var records: [[UInt8]] = []
        for number in 0..<count {
            try await hop.left.enqueue(number, to: hop.right.identity.party)
            records.append(try #require(try await hop.left.outlet.next(to: hop.right.key, limits)))
        }
        return records
    }

    /// The right end says what it has; returns how many items the left end released.
    private func acknowledge(_ hop: Pair<MemorySpool>) async throws -> Int {
        try await hop.left.intake.take(try await hop.right.outlet.loose(to: hop.left.key, hasMore: false)).released
    }

    private func numbersInFlight(_ hop: Pair<MemorySpool>) async throws -> [UInt64] {
        try await hop.left.inFlight(to: hop.right.identity.party).map(\.number.number)
    }

    @Test("frames in any order are each taken once, and gaps in the numbers close", arguments: 0..<30)
    func anyOrder(_ seed: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let hop = try pair()
        let records = try await frames(hop, 9)
        // Sticks and several paths: every frame at least once, in any order, with acknowledgements in between.
        let order = (records + records.shuffled(using: &generator).prefix(5)).shuffled(using: &generator)
        var released = 0
        for record in order {
            _ = try await hop.right.intake.take(record)
            if Bool.random(using: &generator) { released += try await acknowledge(hop) }
            if Bool.random(using: &generator) {
                _ = try await hop.right.intake.take(
                    try await hop.left.outlet.loose(to: hop.right.key, hasMore: false))
            }
        }
        released += try await acknowledge(hop)
        #expect(try hop.right.keeper.received.all.map(Sample.number).sorted() == Array(0..<9))
        #expect(released == 9)
        #expect(try await numbersInFlight(hop) == [])
    }

    @Test("an acknowledgement of a set with a gap leaves the gap in flight, and the gap can be filled later")
    func gap() async throws {
        let hop = try pair()
        let records = try await frames(hop, 5)
        for index in [0, 2, 4] { _ = try await hop.right.intake.take(records[index]) }
        #expect(try await acknowledge(hop) == 3)
        #expect(try await numbersInFlight(hop) == [2, 4])
        _ = try await hop.right.intake.take(records[1])
        #expect(try await acknowledge(hop) == 1)
        _ = try await hop.right.intake.take(try await hop.left.outlet.loose(to: hop.right.key, hasMore: false))
        _ = try await hop.right.intake.take(records[3])
        #expect(try await acknowledge(hop) == 1)
        #expect(try await numbersInFlight(hop) == [])
        // Nothing was taken for a loss of memory on the way.
        let next = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(next.number == 6)
    }

    @Test("an old acknowledgement that comes late changes nothing")
    func lateAcknowledgement() async throws {
        let hop = try pair()
        let first = try await frames(hop, 1)
        _ = try await hop.right.intake.take(first[0])
        let late = try await hop.right.outlet.loose(to: hop.left.key, hasMore: false)
        #expect(try await acknowledge(hop) == 1)
        try await hop.left.enqueue(50, to: hop.right.identity.party)
        _ = try await hop.left.outlet.next(to: hop.right.key, limits)
        #expect(try await hop.left.intake.take(late).released == 0)
        #expect(try await numbersInFlight(hop) == [2])
        #expect(hop.left.keeper.copies == 0)
    }

    @Test("an acknowledgement whose digest is of other bytes releases nothing; the items go again")
    func digest() async throws {
        let hop = try pair()
        _ = try await frames(hop, 2)
        let incarnation = try await hop.left.inFlight(to: hop.right.identity.party)[0].number.incarnation
        let wrong = Acknowledgement(incarnation: incarnation, ranges: [1...2], digest: [UInt8](repeating: 9, count: 8))
        let taken = try await hop.left.intake.take(
            try hop.sealBack(FrameCodec.encode(Frame(floor: 1, acknowledgements: [wrong]))))
        #expect(taken.released == 0)
        let next = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(next.incarnation != incarnation && next.number == 1)
        #expect(try await hop.left.waiting(for: hop.right.identity.party) == 2)
        #expect(hop.left.keeper.copies == 1)
    }

    @Test("the digest of an acknowledgement is SHA-256 over the frames' digests, cut to 8 bytes")
    func digestFollowsTheDocument() async throws {
        let hop = try pair()
        let records = try await frames(hop, 3)
        for record in records { _ = try await hop.right.intake.take(record) }
        let held = try await hop.left.inFlight(to: hop.right.identity.party)
        let expected = SHA256Digest.of(held.flatMap { SHA256Digest.of($0.bytes) }).prefix(8)
        let sound = Acknowledgement(
            incarnation: held[0].number.incarnation, ranges: [1...3], digest: Array(expected))
        #expect(
            try await hop.left.intake.take(
                try hop.sealBack(FrameCodec.encode(Frame(floor: 1, acknowledgements: [sound])))
            ).released == 3)
    }

    @Test("told of a number that it never used, a sender draws a new incarnation and sends what was in flight again")
    func higherNumber() async throws {
        let hop = try pair()
        _ = try await frames(hop, 2)
        let before = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        let ahead = Acknowledgement(
            incarnation: before.incarnation, ranges: [1...3], digest: [UInt8](repeating: 0, count: 8))
        let taken = try await hop.left.intake.take(
            try hop.sealBack(FrameCodec.encode(Frame(floor: 1, acknowledgements: [ahead]))))
        #expect(taken.released == 0)
        let after = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(after.incarnation != before.incarnation && after.incarnation != 0 && after.number == 1)
        #expect(try await hop.left.waiting(for: hop.right.identity.party) == 2)
        #expect(try await numbersInFlight(hop).isEmpty)
        #expect(hop.left.keeper.copies == 1)
    }

    @Test("an acknowledgement of another incarnation is passed over")
    func otherIncarnation() async throws {
        let hop = try pair()
        _ = try await frames(hop, 2)
        let present = try await hop.left.inFlight(to: hop.right.identity.party)[0].number.incarnation
        let other = Acknowledgement(
            incarnation: present &+ 1, ranges: [1...900], digest: [UInt8](repeating: 0, count: 8))
        let taken = try await hop.left.intake.take(
            try hop.sealBack(FrameCodec.encode(Frame(floor: 1, acknowledgements: [other]))))
        #expect(taken.released == 0)
        #expect(try await numbersInFlight(hop) == [1, 2])
        #expect(hop.left.keeper.copies == 0)
    }

    @Test(
        "a sender restored from an old copy loses nothing, and hears once that it is one",
        arguments: [0, 1, 2, 3, 5, 9], [1, 2, 4, 12])
    func restored(_ settledContacts: Int, _ fresh: Int) async throws {
        let right = try End("rightnd2", keyByte: 22, MemorySpool(configuration: .test))
        // Both lives of the left store draw the same incarnation, as a copy has it.
        var configuration = SpoolConfiguration.test
        configuration.drawIncarnation = { 4711 }
        let life1 = try End("leftend1", keyByte: 11, MemorySpool(configuration: configuration))
        let life2 = try End("leftend1", keyByte: 11, MemorySpool(configuration: configuration))
        right.directory.add(life1.key)
        for life in [life1, life2] { life.directory.add(right.key) }
        let carrier = LoopCarrier(right.answerer(limits))
        for contact in 0..<max(settledContacts, 1) {
            for number in 0..<3 { try await life1.enqueue(contact * 10 + number, to: right.identity.party) }
            _ = try await life1.caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
            // Without this last greeting the right end still holds what it has not been told to settle.
            if settledContacts > 0 {
                _ = try await life1.caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
            }
        }
        let before = right.keeper.received.all.count
        for number in 0..<fresh { try await life2.enqueue(5000 + number, to: right.identity.party, size: 400) }
        for _ in 0..<6 {
            _ = try? await life2.caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 20)
        }
        let numbers = try right.keeper.received.all.dropFirst(before).map(Sample.number)
        #expect(Set(numbers) == Set(5000..<5000 + fresh))
        #expect(try await life2.inFlight(to: right.identity.party).isEmpty)
        #expect(life2.keeper.copies == 1)
        #expect(life1.keeper.copies + right.keeper.copies == 0)
    }

    @Test("frames of an earlier incarnation that come late do not keep the present one from being acknowledged")
    func lateIncarnation() async throws {
        let hop = try pair()
        let old = try await frames(hop, 1)
        let peer = hop.right.identity.party
        try await hop.left.spool.write { try $0.renewIncarnation(to: peer, incarnation: 99) }
        let new = try #require(try await hop.left.outlet.next(to: hop.right.key, limits))
        _ = try await hop.right.intake.take(new)
        _ = try await hop.right.intake.take(old[0])
        #expect(try await acknowledge(hop) == 1)
        #expect(try await numbersInFlight(hop).isEmpty)
    }
}

extension Pair {
    /// A loose record from right to left with a payload of the test's own.
    func sealBack(_ payload: [UInt8]) throws -> [UInt8] {
        try Pair(swapping: self).seal(payload, number: 0)
    }

    private init(swapping pair: Pair) {
        left = pair.right
        right = pair.left
    }
}
