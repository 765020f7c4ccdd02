import GodwitBatch
import GodwitLink
import GodwitProtocol

@testable import GodwitCarrier

extension DatagramStream {
    /// What goes out at a time; empty: nothing.
    mutating func said(at now: Duration) -> [UInt8] { poll(at: now) ?? [] }

    /// Takes what a peer said.
    mutating func hear(_ bytes: [UInt8], at now: Duration) {
        if let datagram = Datagram(bytes) { receive(datagram, size: bytes.count, at: now) }
        if let close = DatagramClose(bytes) { receive(close, size: bytes.count, at: now) }
    }
}

/// Two ends of a datagram exchange on an emulated link, in virtual time; everything follows from the seed.
struct DatagramSimulator {
    struct Direction {
        var rate: Int
        var delay: Duration
        var loss = 0.0
        var duplication = 0.0
        /// Up to so much more delay, drawn for each datagram: they overtake each other.
        var jitter = Duration.zero
        var outages: [Range<Duration>] = []
    }
    struct Result {
        var atAnswerer: [UInt8] = []
        var atCaller: [UInt8] = []
        /// When the last byte came; nil: it never did.
        var requestDone: Duration?
        var answerDone: Duration?
        var callerState = DatagramStream.State.open
        var answererState = DatagramStream.State.open
        var caller = DatagramStream.Counts()
        var answerer = DatagramStream.Counts()
        /// What the calling end makes of it.
        var shown: ExchangeStatistics?
        /// Bytes on the link with IP and UDP headers, lost ones included.
        var airUp: Int { caller.sent + header * caller.datagramsSent }
        var airDown: Int { answerer.sent + header * answerer.datagramsSent }
        /// Bytes around each datagram.
        var header = DatagramLink.headerV4
        var largest = 0
        /// Most bytes beyond what the rate allows that went out in any stretch of time.
        var excessUp = 0.0
        var excessDown = 0.0
        var steps = 0
        var ended = Duration.zero
        /// Counts a step; false after too many.
        mutating func take() -> Bool {
            steps += 1
            return steps <= 2_000_000
        }
        /// Both ends have everything.
        var isDone: Bool { callerState == .done && answererState == .done }
    }

    private struct Arrival {
        var at: Duration
        var order: Int
        var isUp: Bool
        var bytes: [UInt8]
    }

    var up: Direction
    var down: Direction
    var link: DatagramLink
    var request: [UInt8]
    var answer: [UInt8]
    /// The service takes so long for the first record.
    var thinking = Duration.milliseconds(3)
    /// Bytes of the request after which the answer begins.
    var firstRecord = 64
    /// The answering end reads nothing before.
    var readsFrom = Duration.zero
    var limit = Duration.seconds(3_600)
    var random: SeededGenerator
    /// Makes the request record by record; `request` is not sent then.
    var supply: DatagramSupply?
    /// Called with each datagram on its way; what it returns arrives.
    var tamper: ((_ bytes: [UInt8], _ isUp: Bool, _ random: inout SeededGenerator) -> [[UInt8]])?

    private var arrivals: [Arrival] = []
    private var free: [Bool: Duration] = [:]
    private var order = 0
    private var excess: [Bool: (level: Double, at: Duration)] = [:]

    init(
        _ profile: Profile, request: [UInt8], answer: [UInt8], seed: UInt64, loss: Double? = nil
    ) {
        let loss = loss ?? profile.packetLoss
        up = Direction(rate: profile.bandwidthUp.bitsPerSecond, delay: profile.latency / 2, loss: loss)
        down = Direction(rate: profile.bandwidthDown.bitsPerSecond, delay: profile.latency / 2, loss: loss)
        link = DatagramLink(profile)
        self.request = request
        self.answer = answer
        random = SeededGenerator(seed: seed)
    }

    /// The same over a serial line that carries nothing else.
    init(_ line: SerialEndpoint, _ profile: Profile, request: [UInt8], answer: [UInt8], seed: UInt64, loss: Double) {
        self.init(profile, request: request, answer: answer, seed: seed, loss: loss)
        link = DatagramLink(profile, line: line)
        (up.rate, down.rate) = (line.bitRate.bitsPerSecond, line.bitRate.bitsPerSecond)
    }

    mutating func run() -> Result {
        var result = Result()
        result.header = link.header
        var now = Duration.zero
        var caller = DatagramStream(role: .caller, id: 0x0102_0304, link: link, at: now)
        var answerer: DatagramStream?
        var accepted: Duration?
        var isAnswerWritten = false
        begin(&caller, at: now)
        while now < limit {
            guard result.take() else { break }
            // What came is read and answered.
            result.atCaller += caller.read(at: now)
            if var end = answerer {
                if now >= readsFrom { result.atAnswerer += end.read(at: now) }
                if accepted == nil, result.atAnswerer.count >= min(firstRecord, request.count), now >= readsFrom {
                    accepted = now + thinking
                }
                if let accepted, accepted <= now, !isAnswerWritten {
                    isAnswerWritten = true
                    end.write(answer, at: now)
                }
                if isAnswerWritten, end.input.isRead { end.finish() }
                if result.requestDone == nil, end.input.isRead { result.requestDone = now }
                answerer = end
            }
            if result.answerDone == nil, caller.state == .done { result.answerDone = now }
            supply?.advance(&caller, at: now)
            while let bytes = caller.poll(at: now) { put(bytes, isUp: true, at: now, &result) }
            if var end = answerer {
                while let bytes = end.poll(at: now) { put(bytes, isUp: false, at: now, &result) }
                answerer = end
            }
            supply?.advance(&caller, at: now)
            supply?.note(arrived: result.atAnswerer.count, at: now)
            if caller.state != .open, answerer.map({ $0.state != .open }) ?? true { break }
            let times = [
                caller.wakeup(at: now), answerer?.wakeup(at: now), arrivals.map(\.at).min(),
                isAnswerWritten ? nil : accepted, readsFrom > now ? readsFrom : nil, supply?.readyAt,
            ]
            guard let next = times.compactMap({ $0 }).min() else { break }
            now = max(next, now)
            while let index = arrivals.indices.min(by: { earlier(arrivals[$0], arrivals[$1]) }),
                arrivals[index].at <= now
            {
                let arrival = arrivals.remove(at: index)
                if arrival.isUp {
                    deliver(arrival.bytes, to: &answerer, at: now)
                } else {
                    caller.hear(arrival.bytes, at: now)
                }
            }
        }
        Self.end(&result, caller, answerer, at: now)
        return result
    }

    private static func end(
        _ result: inout Result, _ caller: DatagramStream, _ answerer: DatagramStream?, at now: Duration
    ) {
        result.ended = now
        result.callerState = caller.state
        result.answererState = answerer?.state ?? .open
        result.caller = caller.counts
        result.shown = caller.measured(
            ExchangeStatistics(
                sent: ByteCount(caller.counts.sent), received: ByteCount(caller.counts.received),
                duration: now.inMillisecondsRoundedUp, reusedConnection: true))
        result.answerer = answerer?.counts ?? DatagramStream.Counts()
    }

    private func begin(_ caller: inout DatagramStream, at now: Duration) {
        caller.firstPart = supply?.first ?? firstRecord
        guard supply == nil else { return }
        caller.write(request, at: now)
        caller.finish()
    }

    private func earlier(_ one: Arrival, _ other: Arrival) -> Bool { (one.at, one.order) < (other.at, other.order) }

    private func deliver(_ bytes: [UInt8], to answerer: inout DatagramStream?, at now: Duration) {
        if answerer == nil, let opening = Datagram(bytes)?.opening {
            var there = DatagramLink(
                opening, rateMax: .max, payloadMax: 65_507, header: link.header, silence: link.silence)
            there.isLine = link.isLine
            answerer = DatagramStream(role: .answerer, id: 0x0102_0304, link: there, at: now)
        }
        answerer?.hear(bytes, at: now)
    }

    private mutating func put(_ bytes: [UInt8], isUp: Bool, at now: Duration, _ result: inout Result) {
        let direction = isUp ? up : down
        result.largest = max(result.largest, bytes.count)
        let wire = Double(bytes.count + link.header)
        // Against the configured rate, which is also the link's: a bucket that never holds more than was sent at once.
        let rate = isUp ? link.sendRate : link.receiveRate
        var bucket = excess[isUp] ?? (0, now)
        bucket.level = max(0, bucket.level - (now - bucket.at).inSeconds * rate / 8) + wire
        bucket.at = now
        excess[isUp] = bucket
        if isUp {
            result.excessUp = max(result.excessUp, bucket.level)
        } else {
            result.excessDown = max(result.excessDown, bucket.level)
        }
        let start = max(free[isUp] ?? .zero, now)
        let end = start + .seconds(wire * 8 / Double(direction.rate))
        free[isUp] = end
        let isOut = direction.outages.contains { $0.overlaps(start..<end) }
        let copies = isOut || draw() < direction.loss ? 0 : (draw() < direction.duplication ? 2 : 1)
        for _ in 0..<copies {
            let at = end + direction.delay + direction.jitter * draw()
            for arriving in tamper?(bytes, isUp, &random) ?? [bytes] {
                order += 1
                arrivals.append(Arrival(at: at, order: order, isUp: isUp, bytes: arriving))
            }
        }
    }

    private mutating func draw() -> Double { Double.random(in: 0..<1, using: &random) }
}
