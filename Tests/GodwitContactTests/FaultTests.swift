import GodwitBatch
import GodwitContact
import GodwitProtocol
import GodwitSpool
import Testing

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

/// Links that break at every place (D-8: frames commit one by one, number sets, a frame in flight is all that is lost).
@Suite("Broken contacts")
struct FaultTests {
    static let single: [Fault] =
        (0...5).flatMap { [.request(before: $0), .within(request: $0), .altered(request: $0), .answer(before: $0)] }
        + (0...4).flatMap { [.alteredAnswer($0), .withinAnswer($0)] }
        + (1...3).flatMap { [.within(request: $0, bytes: 64), .withinAnswer($0, bytes: .max)] } + [.twice]

    @Test(
        "a cut, lost, altered or repeated record anywhere loses and doubles nothing", arguments: Stores.allCases, single
    )
    func oneFault(_ stores: Stores, _ fault: Fault) async throws {
        try await stores.with { try await Self.run($0, faults: [fault], seed: 1) }
    }

    @Test("seeded runs of faults lose and double nothing and keep the order of each class", arguments: 0..<40)
    func manyFaults(_ seed: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let faults = (0..<30).map { _ in
            Bool.random(using: &generator) ? Fault.none : Self.single.randomElement(using: &generator) ?? .none
        }
        try await Stores.memory.with { try await Self.run($0, faults: faults, seed: UInt64(seed)) }
        if seed < 6 { try await Stores.sqlite.with { try await Self.run($0, faults: faults, seed: UInt64(seed)) } }
    }

    private static func run(_ hop: some Ends, faults: [Fault], seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: faults)
        var (up, down): ([Int: PriorityClass], [Int: PriorityClass]) = ([:], [:])
        for round in 0..<40 {
            // Traffic goes on while the link breaks.
            if round < 6 {
                for number in round * 20..<round * 20 + 12 {
                    let priority = PriorityClass.allCases.randomElement(using: &generator) ?? .bulk
                    try await hop.left.enqueue(number, to: hop.right.identity.party, priority)
                    try await hop.right.enqueue(1000 + number, to: hop.left.identity.party, priority)
                    up[number] = priority
                    down[1000 + number] = priority
                }
            }
            _ = try? await hop.left.caller.contact(
                with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
        }
        try expect(hop.right.keeper.received.all, are: up)
        try expect(hop.left.keeper.received.all, are: down)
        #expect(try await hop.left.inFlight(to: hop.right.identity.party).isEmpty)
        #expect(try await hop.right.inFlight(to: hop.left.identity.party).isEmpty)
    }

    private static func expect(_ bodies: [[UInt8]], are sent: [Int: PriorityClass]) throws {
        let numbers = try bodies.map(Sample.number)
        #expect(numbers.sorted() == sent.keys.sorted(), "each item once")
        for priority in PriorityClass.allCases {
            let got = numbers.filter { sent[$0] == priority }
            #expect(got == got.sorted(), "class \(priority) in order")
        }
    }

    @Test("after a broken contact only the frame in flight crosses again", arguments: 1...3)
    func twiceAtMost(_ cut: Int) async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        for number in 0..<30 { try await hop.left.enqueue(number, to: hop.right.identity.party) }
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: [.within(request: cut)])
        await #expect(throws: ProtocolError.self) {
            try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
        }
        _ = try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
        let frames = carrier.count.requests.map { $0.dropFirst().count }.reduce(0, +)
        let next = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(try hop.right.keeper.received.all.map(Sample.number) == Array(0..<30))
        #expect(frames == Int(next.number), "of all frames, numbered from 1, the one that was cut was sent twice")
        #expect(carrier.count.requests[1].count == 1, "the first exchange afterwards carries the loose frame only")
    }

    @Test("a lost answer costs one greeting: nothing that was committed crosses again")
    func lostAnswer() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        for number in 0..<30 { try await hop.left.enqueue(number, to: hop.right.identity.party) }
        let carrier = LoopCarrier(hop.right.answerer(limits), faults: [.answer(before: 0)])
        await #expect(throws: ProtocolError.self) {
            try await hop.left.caller.contact(with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
        }
        let first = carrier.count.requests[0].count - 1
        let report = try await hop.left.caller.contact(
            with: hop.right.key, over: carrier, limits: limits, exchangesMax: 20)
        #expect(try hop.right.keeper.received.all.map(Sample.number) == Array(0..<30))
        #expect(first >= 1)
        #expect(report.repeatedFrames == 0)
        let again = carrier.count.requests.dropFirst().map { $0.count - 1 }.reduce(0, +)
        let next = try await hop.left.spool.write { try $0.nextFrame(to: hop.right.identity.party) }
        #expect(first + again == Int(next.number) - 1, "every frame crossed once")
    }
}
