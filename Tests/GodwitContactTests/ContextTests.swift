import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Testing

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(3600), runs: true)

/// Frames that go on from earlier ones, over links that break and with ends that forget (D-5, D-7, D-8).
@Suite("Contexts between nodes")
struct ContextTests {
    @discardableResult
    private static func say(
        _ talk: inout Talk, _ count: Int, authors: Int, from end: End<some Spool>, to other: Party
    ) async throws -> [[UInt8]] {
        var hashes: [[UInt8]] = []
        for number in 0..<count {
            let item = talk.item(by: number % authors, to: other)
            hashes.append(item.id.bytes)
            _ = try await end.spool.write { try $0.enqueue(item) }
        }
        return hashes
    }

    private static func hashes(_ bodies: [[UInt8]]) throws -> [[UInt8]] {
        try bodies.map { try Message(parsing: $0).hash.bytes }
    }

    private static func contact(_ hop: some Ends, _ carrier: some Carrier) async throws {
        _ = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
    }

    @Test("what both ends know is not said again, in the contact after as well", arguments: Stores.allCases)
    func shorter(_ stores: Stores) async throws {
        try await stores.with { try await Self.shorter($0) }
    }

    private static func shorter(_ hop: some Ends) async throws {
        let carrier = LoopCarrier(hop.right.answerer(limits))
        var talk = Talk(seed: 1, authors: 5)
        var sizes: [Int] = []
        for _ in 0..<2 {
            try await say(&talk, 5, authors: 5, from: hop.left, to: hop.right.identity.party)
            try await contact(hop, carrier)
            sizes.append(carrier.count.requests[sizes.count].dropFirst().reduce(0, +))
        }
        // The second messages have links of 32 bytes each; without contexts theirs would be the larger request.
        #expect(sizes[1] < sizes[0] - 5 * 10)
        #expect(hop.right.keeper.received.all.count == 10)
    }

    @Test("a receiver that lost its store says so, and gets everything again", arguments: 1...4)
    func forgetful(_ before: Int) async throws {
        let left = try End("leftend1", keyByte: 11, MemorySpool(configuration: .test))
        let first = try End("rightnd2", keyByte: 22, MemorySpool(configuration: .test))
        let second = try End("rightnd2", keyByte: 22, MemorySpool(configuration: .test))
        left.directory.add(first.key)
        for end in [first, second] { end.directory.add(left.key) }
        var talk = Talk(seed: 2, authors: 4)
        let known = LoopCarrier(first.answerer(limits))
        for _ in 0..<before {
            try await Self.say(&talk, 8, authors: 4, from: left, to: first.identity.party)
            _ = try await left.caller.contact(with: first.key, over: known, limits: limits, exchangesMax: 20)
        }
        let sent = try await Self.say(&talk, 30, authors: 4, from: left, to: first.identity.party)
        let carrier = LoopCarrier(second.answerer(limits))
        for _ in 0..<3 {
            _ = try await left.caller.contact(with: second.key, over: carrier, limits: limits, exchangesMax: 20)
        }
        #expect(try Self.hashes(second.keeper.received.all).sorted(by: Self.less) == sent.sorted(by: Self.less))
        #expect(try await left.inFlight(to: second.identity.party).isEmpty)
    }

    private static func less(_ one: [UInt8], _ other: [UInt8]) -> Bool { one.lexicographicallyPrecedes(other) }

    @Test("seeded runs of faults lose and double nothing", arguments: 0..<30)
    func faults(_ seed: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let faults = (0..<30).map { _ in
            Bool.random(using: &generator) ? Fault.none : FaultTests.single.randomElement(using: &generator) ?? .none
        }
        try await Stores.memory.with { try await Self.run($0, faults, seed: UInt64(seed)) }
        if seed < 4 { try await Stores.sqlite.with { try await Self.run($0, faults, seed: UInt64(seed)) } }
    }

    private static func run(_ hop: some Ends, _ faults: [Fault], seed: UInt64) async throws {
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: faults)
        var (up, down) = (Talk(seed: seed, authors: 4), Talk(seed: seed + 1000, authors: 3))
        var (sentUp, sentDown): ([[UInt8]], [[UInt8]]) = ([], [])
        for round in 0..<40 {
            if round < 8 {
                sentUp += try await say(&up, 9, authors: 4, from: hop.left, to: hop.right.identity.party)
                sentDown += try await say(&down, 7, authors: 3, from: hop.right, to: hop.left.identity.party)
            }
            try? await contact(hop, carrier)
        }
        #expect(try hashes(hop.right.keeper.received.all).sorted(by: less) == sentUp.sorted(by: less))
        #expect(try hashes(hop.left.keeper.received.all).sorted(by: less) == sentDown.sorted(by: less))
        #expect(try await hop.left.inFlight(to: hop.right.identity.party).isEmpty)
        #expect(try await hop.right.inFlight(to: hop.left.identity.party).isEmpty)
    }

    @Test("what follows a message that is too large for the frames of the link goes on from it")
    func large() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let (peer, carrier) = (hop.right.identity.party, LoopCarrier(hop.right.answerer(limits)))
        let before = try await hop.left.spool.write { try $0.nextFrame(to: peer) }.incarnation
        var talk = Talk(seed: 9, authors: 1)
        for length in [48, 3_000, 48, 3_000, 3_000, 48] {
            let item = talk.item(by: 0, to: peer, length: length)
            _ = try await hop.left.spool.write { try $0.enqueue(item) }
            try await Self.contact(hop, carrier)
        }
        #expect(hop.right.keeper.received.all.count == 6)
        #expect(
            try await hop.left.spool.write { try $0.nextFrame(to: peer) }.incarnation == before, "nothing was lacking")
    }

    @Test("a frame that a budget passed over does not hold up those after it", arguments: 0..<6)
    func budget(_ seed: Int) async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: [.within(request: 1), .none])
        var talk = Talk(seed: UInt64(seed), authors: 3)
        var sent = try await Self.say(&talk, 40, authors: 3, from: hop.left, to: hop.right.identity.party)
        try? await Self.contact(hop, carrier)
        sent += try await Self.say(&talk, 9, authors: 3, from: hop.left, to: hop.right.identity.party)
        var narrow = limits
        narrow.most = ByteCount(500)
        for _ in 0..<3 {
            _ = try await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: narrow, exchangesMax: 1)
        }
        for _ in 0..<4 { try await Self.contact(hop, carrier) }
        #expect(try Self.hashes(hop.right.keeper.received.all).sorted(by: Self.less) == sent.sorted(by: Self.less))
    }
}
