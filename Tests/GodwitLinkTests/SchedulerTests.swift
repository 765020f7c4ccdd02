import GodwitLink
import GodwitProtocol
import Testing

/// Queues of items by size, filled into frames as the contact does it.
struct Desk {
    var scheduler: Scheduler
    var queues: [PriorityClass: [Int]] = [:]
    var ages: [PriorityClass: Int64] = [:]
    var sent: [PriorityClass: Int] = [:]

    init(_ weights: ClassWeights) { scheduler = Scheduler(weights: weights) }

    var summaries: [ClassQueue] {
        queues.compactMap { priority, items in
            guard !items.isEmpty else { return nil }
            return ClassQueue(
                priority: priority, count: items.count, bytes: ByteCount(items.reduce(0, +)),
                oldestAge: ages[priority] ?? 0)
        }
    }

    /// - Returns: how many items of each class went.
    @discardableResult
    mutating func frame(_ size: Int) -> [PriorityClass: Int] {
        let shares = scheduler.plan(summaries, frame: ByteCount(size))
        var fill = FrameFill(shares, frame: ByteCount(size))
        var went: [PriorityClass: Int] = [:]
        for share in shares {
            while let item = queues[share.priority]?.first, fill.take(ByteCount(item), of: share.priority) {
                queues[share.priority]?.removeFirst()
                went[share.priority, default: 0] += 1
                sent[share.priority, default: 0] += item
            }
        }
        scheduler.settle(fill)
        return went
    }
}

@Suite("Scheduler (GW-04, GW-07, D-20, G-81)")
struct SchedulerTests {
    static let weights = ClassWeights(
        revocation: 32, directText: 24, channelText: 16, voice: 4, document: 2, image: 1, bulk: 1)
    static let others = PriorityClass.allCases.filter { $0 != .control }

    private func backlog(_ bytes: Int = 1_000_000) -> [ClassQueue] {
        PriorityClass.allCases.map { ClassQueue(priority: $0, count: 1_000, bytes: ByteCount(bytes)) }
    }

    @Test("control goes first, the others follow in the order of urgency")
    func order() {
        var scheduler = Scheduler(weights: Self.weights)
        let shares = scheduler.plan(backlog().shuffled(), frame: ByteCount(60_000))
        #expect(shares.map(\.priority) == PriorityClass.allCases)
    }

    @Test("shares together fill the frame and never exceed it", arguments: 1...40)
    func exact(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var scheduler = Scheduler(weights: Self.weights)
        for _ in 0..<100 {
            let queues = PriorityClass.allCases.filter { _ in Bool.random(using: &random) }.map {
                ClassQueue(
                    priority: $0, count: 1, bytes: ByteCount(Int.random(in: 0...9_000, using: &random)),
                    oldestAge: Int64.random(in: 0...600_000, using: &random))
            }
            let frame = Int.random(in: 0...20_000, using: &random)
            let shares = scheduler.plan(queues, frame: ByteCount(frame))
            let total = shares.reduce(0) { $0 + $1.bytes.bytes }
            let waiting = queues.reduce(0) { $0 + $1.bytes.bytes }
            #expect(total == min(frame, waiting), "seed \(seed)")
            for share in shares {
                let queue = queues.first { $0.priority == share.priority }
                #expect(share.bytes > .zero && share.bytes <= queue?.bytes ?? .zero, "seed \(seed)")
            }
        }
    }

    @Test("the same calls give the same shares")
    func deterministic() {
        func run() -> [[Share]] {
            var scheduler = Scheduler(weights: Self.weights)
            return (0..<50).map { scheduler.plan(backlog(10_000 + $0), frame: ByteCount(777)) }
        }
        #expect(run() == run())
    }

    @Test("under backlog the shares converge to the weights", arguments: [40, 300, 1_400])
    func converge(_ largest: Int) {
        var random = SeededGenerator(seed: UInt64(largest))
        var desk = Desk(Self.weights)
        for _ in 0..<800 {
            for priority in Self.others {
                while desk.queues[priority, default: []].count < 100 {
                    desk.queues[priority, default: []].append(Int.random(in: 20...largest, using: &random))
                }
            }
            desk.frame(1_500)
        }
        let total = Double(desk.sent.values.reduce(0, +))
        let weights = Double(Self.others.reduce(0) { $0 + Self.weights[$1] })
        for priority in Self.others {
            let share = Double(desk.sent[priority] ?? 0) / total
            let wanted = Double(Self.weights[priority]) / weights
            #expect(abs(share - wanted) < 0.1 * wanted + 0.002, "\(priority): \(share) against \(wanted)")
        }
        #expect(total > 800 * 1_500 * 0.6)
    }

    @Test("what a class does not need goes to the others by their weights")
    func leftOver() {
        var scheduler = Scheduler(weights: Self.weights)
        let shares = scheduler.plan(
            [
                ClassQueue(priority: .directText, count: 1, bytes: ByteCount(100)),
                ClassQueue(priority: .channelText, count: 9, bytes: ByteCount(90_000)),
                ClassQueue(priority: .voice, count: 9, bytes: ByteCount(90_000)),
            ], frame: ByteCount(5_100))
        #expect(shares.map(\.bytes.bytes) == [100, 4_000, 1_000])
    }

    @Test("no class with a weight starves under seeded load beyond the link's capacity", arguments: 1...12)
    func noStarvation(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var desk = Desk(Self.weights)
        let frame = 1_500
        let victim = Self.others[Int(seed) % Self.others.count]
        var waited = 0
        var longest = 0
        for _ in 0..<1_000 {
            // The others bring three times what the link carries, a flood of control among it.
            for priority in PriorityClass.allCases where priority != victim {
                for _ in 0..<3 where desk.queues[priority, default: []].count < 40 {
                    desk.queues[priority, default: []].append(Int.random(in: 50...frame, using: &random))
                }
            }
            if desk.queues[victim, default: []].isEmpty {
                desk.queues[victim] = [Int.random(in: 50...frame / 5, using: &random)]
                waited = 0
            }
            waited = desk.frame(frame)[victim] == nil ? waited + 1 : 0
            longest = max(longest, waited)
        }
        // Its part of the eighth that a flood of large control leaves brings an item of a fifth of a frame in about
        // 2 × all ÷ its weight; the others' credits come between.
        let all = Self.others.reduce(0) { $0 + Self.weights[$1] }
        #expect(longest <= 8 * all / Self.weights[victim], "seed \(seed), \(victim)")
    }

    @Test("an urgent item waits at most one frame, whatever else waits", arguments: 1...12)
    func urgentNext(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var desk = Desk(Self.weights)
        for _ in 0..<200 {
            for priority in PriorityClass.allCases where priority > .directText {
                while desk.queues[priority, default: []].count < 40 {
                    desk.queues[priority, default: []].append(Int.random(in: 20...1_200, using: &random))
                }
            }
            desk.frame(1_500)
            for urgent in [PriorityClass.control, .revocation, .directText]
            where Int.random(in: 0..<5, using: &random) == 0 {
                desk.queues[urgent] = [Int.random(in: 20...400, using: &random)]
            }
            let new = [PriorityClass.control, .revocation, .directText].filter { desk.queues[$0]?.isEmpty == false }
            let went = desk.frame(1_500).merging(desk.frame(1_500), uniquingKeysWith: +)
            for urgent in new { #expect(went[urgent] == 1, "seed \(seed), \(urgent)") }
        }
    }

    @Test("a credit is paid in no two frames in a row, so that the urgent get their share in between")
    func everyOther() {
        var desk = Desk(Self.weights)
        for priority in [PriorityClass.voice, .document, .image] {
            desk.queues[priority] = Array(repeating: 1_500, count: 400)
        }
        var dry = 0
        for _ in 0..<400 {
            desk.queues[.directText] = Array(repeating: 100, count: 50)
            dry = desk.frame(1_500)[.directText] == nil ? dry + 1 : 0
            #expect(dry <= 1)
        }
        for priority in [PriorityClass.voice, .document, .image] { #expect((desk.sent[priority] ?? 0) > 0) }
    }

    @Test("control does not keep an item out that fills a frame")
    func controlAgainstLarge() {
        var desk = Desk(Self.weights)
        desk.queues[.bulk] = [1_500]
        var frames = 0
        while desk.queues[.bulk]?.isEmpty == false, frames < 100 {
            desk.queues[.control] = Array(repeating: 100, count: 50)
            desk.frame(1_500)
            frames += 1
        }
        #expect(frames < 10)
    }

    @Test("a control item larger than control's part goes with the frame after, whole")
    func largeControl() {
        var desk = Desk(Self.weights)
        desk.queues[.channelText] = Array(repeating: 100, count: 100)
        desk.queues[.control] = [1_126]
        #expect(desk.frame(1_500)[.control] == nil)
        #expect(desk.frame(1_500)[.control] == 1)
        desk.queues[.control] = [1_125, 400]
        #expect(desk.frame(1_500)[.control] == 1)
    }

    @Test("a control item that was too large and went away leaves no trace")
    func controlGoneAway() {
        var desk = Desk(Self.weights)
        desk.queues[.channelText] = Array(repeating: 100, count: 5_000)
        desk.queues[.control] = [1_126]
        desk.frame(1_500)
        desk.queues[.control] = []
        desk.queues[.document] = [1_450]
        var frames = 0
        while desk.queues[.document]?.isEmpty == false, frames < 200 {
            desk.frame(1_500)
            frames += 1
        }
        #expect(frames < 40)
    }

    @Test("control takes at most three quarters while others wait, and everything while none does")
    func controlFlood() {
        var scheduler = Scheduler(weights: Self.weights)
        let flood = ClassQueue(priority: .control, count: 99, bytes: ByteCount(99_999))
        #expect(scheduler.plan([flood], frame: ByteCount(1_000)).map(\.bytes.bytes) == [1_000])
        let text = ClassQueue(priority: .channelText, count: 9, bytes: ByteCount(9_000))
        #expect(scheduler.plan([flood, text], frame: ByteCount(1_000)).map(\.bytes.bytes) == [750, 250])
        let little = ClassQueue(priority: .channelText, count: 1, bytes: ByteCount(40))
        #expect(scheduler.plan([flood, little], frame: ByteCount(1_000)).map(\.bytes.bytes) == [960, 40])
    }

    @Test("a class of weight 0 goes only when all others are empty")
    func weightZero() {
        var weights = Self.weights
        weights[.bulk] = 0
        weights[.image] = 0
        var scheduler = Scheduler(weights: weights)
        let bulk = ClassQueue(priority: .bulk, count: 1, bytes: ByteCount(500), oldestAge: 1 << 40, firstExpiry: 1)
        let image = ClassQueue(priority: .image, count: 1, bytes: ByteCount(100))
        for other in PriorityClass.allCases where other < .image {
            let queue = ClassQueue(priority: other, count: 1, bytes: ByteCount(1))
            #expect(scheduler.plan([bulk, queue], frame: ByteCount(1_000)).map(\.priority) == [other])
        }
        #expect(scheduler.plan([bulk, image], frame: ByteCount(300)).map(\.bytes.bytes) == [100, 200])
    }

    @Test("a class that waits grows in weight, up to eight times, and at once if it is about to expire")
    func ageing() {
        func shares(age: Int64, expiry: Int64?) -> [Int] {
            var scheduler = Scheduler(weights: Self.weights)
            return scheduler.plan(
                [
                    ClassQueue(priority: .channelText, count: 9, bytes: ByteCount(90_000)),
                    ClassQueue(
                        priority: .document, count: 9, bytes: ByteCount(90_000), oldestAge: age, firstExpiry: expiry),
                ], frame: ByteCount(14_400)
            ).map(\.bytes.bytes)
        }
        #expect(shares(age: 59_999, expiry: nil) == [12_800, 1_600])
        #expect(shares(age: 60_000, expiry: nil) == [11_520, 2_880])
        #expect(shares(age: 7 * 60_000, expiry: nil) == [7_200, 7_200])
        #expect(shares(age: .max, expiry: nil) == [7_200, 7_200])
        #expect(shares(age: 0, expiry: 60_000) == [12_800, 1_600])
        #expect(shares(age: 0, expiry: 59_999) == [7_200, 7_200])
    }

    @Test("an item that is larger than its class's share is not stuck")
    func largeItem() {
        var desk = Desk(Self.weights)
        desk.queues[.document] = [1_400]
        var frames = 0
        while desk.queues[.document]?.isEmpty == false, frames < 1_000 {
            desk.queues[.directText] = Array(repeating: 50, count: 100)
            desk.frame(1_500)
            frames += 1
        }
        #expect(frames < 20)
    }

    @Test("empty queues and frames, and huge ones, give no nonsense")
    func extremes() {
        var scheduler = Scheduler(weights: Self.weights)
        #expect(scheduler.plan([], frame: ByteCount(1_000)).isEmpty)
        #expect(scheduler.plan(backlog(), frame: .zero).isEmpty)
        #expect(scheduler.plan(backlog(), frame: ByteCount(-5)).isEmpty)
        #expect(scheduler.plan(backlog(0), frame: ByteCount(1_000)).isEmpty)
        let huge = scheduler.plan(backlog(Int.max), frame: ByteCount(Int.max))
        #expect(huge.count == 8 && huge.reduce(0) { $0 + $1.bytes.bytes } == 1 << 30)
        let all = ClassWeights(
            revocation: 1_000, directText: 1_000, channelText: 1_000, voice: 1_000, document: 1_000, image: 1_000,
            bulk: 1)
        var extreme = Scheduler(weights: all)
        let shares = extreme.plan(backlog(Int.max), frame: ByteCount(Int.max))
        #expect(shares.reduce(0) { $0 + $1.bytes.bytes } == 1 << 30)
    }

    @Test("weights are held within 0 and 1000, and control has none")
    func weightLimits() {
        var weights = ClassWeights(
            revocation: -1, directText: 1_001, channelText: 0, voice: 1_000, document: 1, image: 1, bulk: 1)
        weights[.control] = 5
        #expect(PriorityClass.allCases.map { weights[$0] } == [0, 0, 1_000, 0, 1_000, 1, 1, 1])
    }
}
