import GodwitBatch
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitContact

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

/// Several links to one peer: an item acknowledged on one path leaves the others (GW-03, D-8).
@Suite("Several paths")
struct PathTests {
    private static let urgent: Set<PriorityClass> = [.control, .revocation, .directText, .channelText]
    private static let bulky = Set(PriorityClass.allCases).subtracting(urgent)

    /// The outlets of an end for a live link and for one that is carried by hand.
    private struct Outlets<Store: Spool>: Sendable {
        let live: FrameOutlet<Store>
        let bike: FrameOutlet<Store>

        init(_ end: End<Store>) {
            live = FrameOutlet(
                spool: end.spool, identity: end.identity, weights: Profile.satellite.weights,
                path: OutletPath(classes: PathTests.urgent))
            bike = FrameOutlet(
                spool: end.spool, identity: end.identity, weights: Profile.satellite.weights,
                path: OutletPath(name: "bike", classes: PathTests.bulky))
        }
    }

    @Test("each path carries its own classes, and sends again only its own frames", arguments: Stores.allCases)
    func ownClasses(_ stores: Stores) async throws {
        try await stores.with { try await Self.ownClasses($0) }
    }

    private static func ownClasses(_ hop: some Ends) async throws {
        let (left, right) = (hop.left, hop.right)
        let outlets = Outlets(left)
        try await left.enqueue(1, to: right.identity.party, .directText)
        try await left.enqueue(2, to: right.identity.party, .bulk)
        let lost = try await outlets.bike.parcel(
            to: right.key, frame: FrameSizing.payloadMax, runs: true, most: ByteCount(100_000))
        #expect(lost.records.count == 2 && !lost.isLeft)
        let carrier = LoopCarrier(right.answerer(limits))
        let caller = ContactCaller(intake: left.intake, outlet: outlets.live)
        for _ in 0..<3 {
            let report = try await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
            #expect(!report.more, "what travels by hand keeps no contact going")
        }
        #expect(try right.keeper.received.all.map(Sample.number) == [1])
        #expect(carrier.count.requests.flatMap { $0.dropFirst() }.count == 1, "one frame crossed, once")
        let held = try await left.inFlight(to: right.identity.party)
        #expect(held.map(\.path) == ["bike"] && held.first?.number.number == 1)
        // Handed to the live path it goes as it is; the stick that comes later brings nothing new.
        try await left.spool.write { try $0.move(held.map(\.number), to: "main", of: right.identity.party) }
        _ = try await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
        #expect(try right.keeper.received.all.map(Sample.number) == [1, 2])
        #expect(try await left.inFlight(to: right.identity.party).isEmpty)
        for record in lost.records {
            let taken = try await right.intake.take(record)
            #expect(taken.items == 0)
        }
    }

    @Test(
        "a live path under faults and sticks that are late, lost, cut, repeated: each item once, and custody ends",
        arguments: 0..<30)
    func seeded(_ seed: Int) async throws {
        try await Stores.memory.with { try await Self.run($0, seed: UInt64(seed)) }
        if seed < 3 { try await Stores.sqlite.with { try await Self.run($0, seed: UInt64(seed)) } }
    }

    private static func run<Hop: Ends>(_ hop: Hop, seed: UInt64) async throws {
        var world = World<Hop.Store>(hop.left, hop.right, seed: seed)
        for round in 0..<60 { try await world.trouble(round) }
        let (left, right) = (hop.left, hop.right)
        let incarnations = (
            try await left.spool.write { try $0.nextFrame(to: right.identity.party).incarnation },
            try await right.spool.read { try $0.inbound(from: left.identity.party).map(\.incarnation) }
        )
        #expect(left.keeper.copies + right.keeper.copies == 0)
        #expect(incarnations.1 == [incarnations.0], "seed \(seed): no memory was taken for lost")
        for round in 60..<400 where try await world.isBusy() { try await world.calm(round) }
        #expect(try right.keeper.received.all.map(Sample.number).sorted() == world.up, "seed \(seed)")
        #expect(try left.keeper.received.all.map(Sample.number).sorted() == world.down, "seed \(seed)")
        #expect(try await !world.isBusy(), "seed \(seed): custody ends")
    }

    /// Two ends with a live path that breaks and with sticks that take their time.
    private struct World<Store: Spool> {
        let left: End<Store>
        let right: End<Store>
        let outlets: (left: Outlets<Store>, right: Outlets<Store>)
        let carrier: LoopCarrier
        var random: SeededGenerator
        /// Numbers of what was sent, rising.
        var (up, down) = ([Int](), [Int]())
        /// Sticks under way: the round in which they arrive, where, and what is on them.
        var sticks: [(round: Int, toRight: Bool, records: [[UInt8]])] = []

        init(_ left: End<Store>, _ right: End<Store>, seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            let faults = (0..<80).map { _ in
                Bool.random(using: &random) ? Fault.none : FaultTests.single.randomElement(using: &random) ?? .none
            }
            let outlets = (left: Outlets(left), right: Outlets(right))
            let answerer = ContactAnswerer(intake: right.intake) { _ in (outlets.right.live, limits) }
            carrier = LoopCarrier(answerer, faults: faults)
            (self.left, self.right, self.outlets, self.random) = (left, right, outlets, random)
        }

        /// Traffic goes on while the link breaks, sticks get lost, and operators meddle.
        mutating func trouble(_ round: Int) async throws {
            for number in round * 4..<round * 4 + 4 {
                let priority = PriorityClass.allCases.randomElement(using: &random) ?? .bulk
                try await left.enqueue(number, to: right.identity.party, priority)
                try await right.enqueue(1_000 + number, to: left.identity.party, priority)
                up.append(number)
                down.append(1_000 + number)
            }
            switch Int.random(in: 0..<6, using: &random) {
            case 0: try await ride(round, toRight: true, most: Int.random(in: 1_500...8_000, using: &random))
            case 1: try await ride(round, toRight: false, most: Int.random(in: 1_500...8_000, using: &random))
            case 2: try await resend()
            default: await contact(3)
            }
            try await arrive(round)
        }

        /// The faults end; sticks still take their time.
        mutating func calm(_ round: Int) async throws {
            if round % 10 == 0, try await hasCustody() {
                try await ride(round, toRight: true, most: 60_000)
                try await ride(round, toRight: false, most: 60_000)
            }
            await contact(20)
            try await arrive(round)
        }

        private func contact(_ exchanges: Int) async {
            let caller = ContactCaller(intake: left.intake, outlet: outlets.left.live)
            _ = try? await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: exchanges)
        }

        private mutating func ride(_ round: Int, toRight: Bool, most: Int) async throws {
            let (outlet, key) = toRight ? (outlets.left.bike, right.key) : (outlets.right.bike, left.key)
            let parcel = try await outlet.parcel(to: key, frame: ByteCount(2_000), runs: true, most: ByteCount(most))
            #expect(parcel.bytes.bytes <= most)
            guard Int.random(in: 0..<4, using: &random) > 0 else { return }
            let isCut = Int.random(in: 0..<4, using: &random) == 0
            let records = isCut ? Array(parcel.records.dropLast()) : parcel.records
            for _ in 0...Int.random(in: 0...1, using: &random) {
                sticks.append((round + Int.random(in: 1...30, using: &random), toRight, records))
            }
        }

        private mutating func arrive(_ round: Int) async throws {
            for stick in sticks.filter({ $0.round <= round }) {
                let (end, outlet) = stick.toRight ? (right, outlets.right.live) : (left, outlets.left.live)
                for record in stick.records { await outlet.heard(try await end.intake.take(record)) }
            }
            sticks.removeAll { $0.round <= round }
        }

        /// An operator sends what is on a stick over the live path as well.
        private mutating func resend() async throws {
            let party = right.identity.party
            let held = try await left.inFlight(to: party).filter { $0.path == "bike" }
            guard let number = held.randomElement(using: &random)?.number else { return }
            try await left.spool.write { try $0.move([number], to: "main", of: party) }
        }

        func isBusy() async throws -> Bool {
            let isHeld = try await hasCustody()
            return isHeld || !sticks.isEmpty
        }

        private func hasCustody() async throws -> Bool {
            for (end, peer) in [(left, right.identity.party), (right, left.identity.party)] {
                let flying = try await end.inFlight(to: peer).count
                if try await end.waiting(for: peer) + flying > 0 { return true }
            }
            return false
        }
    }

    @Test("lost memory shows in an acknowledgement although a stick still travels", arguments: Stores.allCases)
    func soundness(_ stores: Stores) async throws {
        try await stores.with { try await Self.soundness($0) }
    }

    private static func soundness(_ hop: some Ends) async throws {
        let (left, right) = (hop.left, hop.right)
        let outlets = Outlets(left)
        let carrier = LoopCarrier(right.answerer(limits))
        let caller = ContactCaller(intake: left.intake, outlet: outlets.live)
        try await left.enqueue(1, to: right.identity.party, .bulk)
        _ = try await outlets.bike.parcel(to: right.key, frame: ByteCount(2_000), runs: true, most: ByteCount(9_000))
        try await left.enqueue(2, to: right.identity.party, .directText)
        _ = try await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
        let before = try await left.spool.write { try $0.nextFrame(to: right.identity.party) }
        #expect(before.number == 3)
        // The peer committed other bytes under the number that comes next, as after a restored copy.
        let digest = [UInt8](repeating: 7, count: 32)
        _ = try await right.spool.write { try $0.commitInbound(before, from: left.identity.party, digest: digest) }
        try await left.enqueue(3, to: right.identity.party, .directText)
        for _ in 0..<3 {
            _ = try? await caller.contact(with: right.key, over: carrier, limits: limits, exchangesMax: 9)
        }
        let after = try await left.spool.write { try $0.nextFrame(to: right.identity.party) }
        #expect(after.incarnation != before.incarnation)
        #expect(try right.keeper.received.all.map(Sample.number) == [2, 3], "nothing was taken for delivered")
        #expect(try await left.waiting(for: right.identity.party) == 1, "what was on the stick waits again")
    }

    @Test("a frame that lags 8,192 numbers goes over the path that is alive, one that lags less does not")
    func lag() async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let (left, peer) = (hop.left, hop.right.identity.party)
        let live = Outlets(left).live
        try await left.spool.write { transaction in
            for index in 1...8_191 {
                let number = try transaction.nextFrame(to: peer)
                let path = index == 1 ? "bike" : OutboundFrame.mainPath
                try transaction.record(
                    OutboundFrame(peer: peer, number: number, bytes: [1], items: [], path: path))
            }
            let incarnation = try transaction.nextFrame(to: peer).incarnation
            _ = try transaction.acknowledge(from: peer, incarnation: incarnation, numbers: [2...8_191])
        }
        for (item, path) in [(1, "bike"), (2, "main")] {
            try await left.enqueue(item, to: peer, .directText)
            #expect(try await live.next(to: hop.right.key, limits) != nil)
            let held = try await left.inFlight(to: peer)
            #expect(held.map(\.number.number).last == UInt64(8_191 + item) && held.first?.path == path)
        }
    }

    @Test("windows and lags end at their numbers")
    func edges() {
        let path = OutletPath(name: "bike")
        func frames(_ count: Int, from first: UInt64 = 1, on name: String = "bike") -> [FrameSummary] {
            (0..<count).map {
                FrameSummary(
                    number: FrameNumber(incarnation: 1, number: first + UInt64($0)), path: name, size: .zero, age: 0)
            }
        }
        func next(_ number: UInt64) -> FrameNumber { FrameNumber(incarnation: 1, number: number) }
        #expect(path.hasRoom(beside: frames(255), next: next(256)))
        #expect(!path.hasRoom(beside: frames(256), next: next(257)))
        #expect(path.hasRoom(beside: frames(999, on: "other"), next: next(1_000)))
        #expect(!path.hasRoom(beside: frames(1_000, on: "other"), next: next(1_001)))
        #expect(path.hasRoom(beside: frames(1), next: next(16_000)))
        #expect(!path.hasRoom(beside: frames(1), next: next(16_001)))
        #expect(path.overdue(among: frames(2, on: "other"), next: next(8_192)).isEmpty)
        #expect(path.overdue(among: frames(2, on: "other"), next: next(8_193)).map(\.number) == [1])
        #expect(path.overdue(among: frames(2), next: next(9_000)).isEmpty, "its own it sends anyway")
        // What the peer must be able to hold and name.
        #expect(OutletPath.spanMax < UInt64(SpoolConfiguration.unsettledMax))
        #expect(OutletPath.allFramesMax + 1 <= FrameLimits.rangesMax)
        #expect((LinkPath.pathsMax - 1) * OutletPath.framesMax < OutletPath.allFramesMax, "main is never shut out")
    }
}
