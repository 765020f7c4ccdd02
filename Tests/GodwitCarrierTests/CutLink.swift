import GodwitBatch
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import Synchronization

@testable import GodwitCarrier

/// A link that breaks once, after so many bytes both ways together, and an account of what crossed it.
final class CutLink: Sendable {
    private struct FrameName: Hashable {
        var isUp: Bool
        var incarnation: UInt32
        var number: UInt64
    }
    private struct State {
        var left: Int
        var isBroken = false
        var exchanges = 0
        var carried = 0
        var crossed = 0
        var counting = 0
        /// Exchanges in which a byte of the frame crossed.
        var tries: [FrameName: Set<Int>] = [:]
        var taken: Set<FrameName> = []
        var goneOn = 0
    }
    private let state: Mutex<State>

    /// - Parameter cut: bytes until it breaks; from the next exchange on it is whole.
    init(cutAfter cut: Int) { state = Mutex(State(left: cut)) }

    var exchanges: Int { state.withLock { $0.exchanges } }
    /// Bytes that came to the other end, of bodies of exchanges.
    var crossed: Int { state.withLock { $0.crossed } }
    /// Bytes that came to the other end, of datagrams or streams.
    var carried: Int { state.withLock { $0.carried } }
    /// Those of them in records that were taken there and that had not come before.
    var counting: Int { state.withLock { $0.counting } }
    /// Frames of which bytes came in more than one exchange.
    func sentTwice(isUp: Bool) -> Int {
        state.withLock { $0.tries.count { $0.key.isUp == isUp && $0.value.count > 1 } }
    }
    /// Frames of which only the rest came again.
    var goneOn: Int { state.withLock { $0.goneOn } }
    var isBroken: Bool { state.withLock { $0.isBroken } }

    func begin() {
        state.withLock { state in
            state.exchanges += 1
            state.isBroken = false
        }
    }

    /// How many of these bytes come to the other end.
    /// - Parameter body: bytes of exchanges among them, if they come; nil: all of those that do.
    func carry(_ count: Int, body: Int? = nil) -> Int {
        state.withLock { state in
            guard !state.isBroken else { return 0 }
            let carried = min(count, state.left)
            state.left -= carried
            state.carried += carried
            guard carried < count else {
                state.crossed += body ?? carried
                return carried
            }
            if body == nil { state.crossed += carried }
            state.isBroken = true
            state.left = .max
            return carried
        }
    }

    /// At least a byte of a record came.
    func touched(_ record: [UInt8], isUp: Bool) {
        guard let name = Self.name(record, isUp) else { return }
        state.withLock { _ = $0.tries[name, default: []].insert($0.exchanges) }
    }

    /// A record was taken. A frame of which the beginning came before counts as one that came whole: what it took to say
    /// where it goes on does not.
    func took(_ record: [UInt8], isUp: Bool) {
        let name = Self.name(record, isUp)
        let rest = try? FrameContinuation(record)
        let size = rest.map { $0.offset + $0.rest.count } ?? record.count
        state.withLock { state in
            if rest != nil { state.goneOn += 1 }
            guard name.map({ state.taken.insert($0).inserted }) ?? true else { return }
            state.counting += Varint.bytes(UInt64(size)).count + size
        }
    }

    /// Nil for a loose frame, which is never the same again.
    private static func name(_ record: [UInt8], _ isUp: Bool) -> FrameName? {
        let header = (try? SealedFrame(record).header) ?? (try? FrameContinuation(record).header)
        guard let header, header.number > 0 else { return nil }
        return FrameName(isUp: isUp, incarnation: header.incarnation, number: header.number)
    }

    static var broken: ProtocolError { ProtocolError(.nodeUnreachable, "The link broke.") }
}

/// Exchanges as HTTP has them: the whole request, then the answer, each a stream of bytes.
struct CutStreamCarrier: Carrier {
    let link: CutLink
    let service: any ExchangeService

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        link.begin()
        let session = await service.openExchange()
        var reader = ExchangeReader()
        while let record = try await request.next() {
            for whole in try reader.feed(try carried(record, isUp: true)) {
                try await session.receive(whole)
                link.took(whole, isUp: true)
            }
            if !reader.beginning.isEmpty { await session.keep(reader.beginning) }
            if link.isBroken { throw CutLink.broken }
        }
        var answers = ExchangeReader()
        while let record = try await session.next() {
            for whole in try answers.feed(try carried(record, isUp: false)) {
                try await receive(whole)
                link.took(whole, isUp: false)
            }
            if !answers.beginning.isEmpty { await request.keep(answers.beginning) }
            if link.isBroken { throw CutLink.broken }
        }
        return ExchangeStatistics(sent: .zero, received: .zero, duration: 1, reusedConnection: false)
    }

    private func carried(_ record: [UInt8], isUp: Bool) throws -> ArraySlice<UInt8> {
        let bytes = ExchangeWriter.frame(record)
        let count = link.carry(bytes.count)
        if count > 0 { link.touched(record, isUp: isUp) }
        return bytes[..<count]
    }
}

/// Exchanges in datagrams, in virtual time: both ways at once, at the rate of the link, repaired where some are lost.
final class CutDatagramCarrier: Carrier {
    private let link: CutLink
    private let service: any ExchangeService
    private let profile: Profile
    private let loss: Double
    private let random: Mutex<SeededGenerator>

    init(link: CutLink, service: any ExchangeService, profile: Profile, loss: Double, seed: UInt64) {
        (self.link, self.service, self.profile, self.loss) = (link, service, profile, loss)
        random = Mutex(SeededGenerator(seed: seed))
    }

    func exchange(
        _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ExchangeStatistics {
        link.begin()
        var records: [[UInt8]] = []
        while let record = try await request.next() { records.append(record) }
        var run = CutExchange(link, profile, records, session: await service.openExchange())
        while true {
            if try await run.takeAnswer(keeping: request, receive) { break }
            try await run.takeRequest()
            run.send { loss > 0 && random.withLock { Double.random(in: 0..<1, using: &$0) } < loss }
            guard run.wait() else { throw CutLink.broken }
        }
        return ExchangeStatistics(sent: .zero, received: .zero, duration: 1, reusedConnection: false)
    }
}

/// One exchange of `CutDatagramCarrier`: two streams, and what is on the link between them.
private struct CutExchange {
    private struct Arrival {
        var at: Duration
        var isUp: Bool
        var bytes: [UInt8]
    }

    private let link: CutLink
    private let session: any ExchangeSession
    private var caller: DatagramStream
    private var answerer: DatagramStream?
    private var now = Duration.zero
    private var arrivals: [Arrival] = []
    private var free: [Bool: Duration] = [:]
    private var request = ExchangeReader()
    private var answer = ExchangeReader()
    private var isAccepted = false
    private var isAnswered = false
    /// Records of either stream, with the places that they take in it.
    private var places: [Bool: [(record: [UInt8], range: Range<Int>)]] = [true: [], false: []]

    init(_ link: CutLink, _ profile: Profile, _ records: [[UInt8]], session: any ExchangeSession) {
        self.link = link
        self.session = session
        var way = DatagramLink(profile)
        way.silence = .seconds(30)
        caller = DatagramStream(role: .caller, id: 7, link: way, at: .zero)
        caller.firstPart = records.first.map { ExchangeWriter.frame($0).count }
        for record in records { caller.write(placed(record, isUp: true), at: .zero) }
        caller.finish()
    }

    private mutating func placed(_ record: [UInt8], isUp: Bool) -> [UInt8] {
        let bytes = ExchangeWriter.frame(record)
        let start = places[isUp]?.last?.range.upperBound ?? 0
        places[isUp]?.append((record, start..<start + bytes.count))
        return bytes
    }

    /// - Returns: true when the caller has everything.
    mutating func takeAnswer(
        keeping source: any RecordSource, _ receive: ([UInt8]) async throws -> Void
    ) async throws -> Bool {
        for record in try answer.feed(caller.read(at: now)) {
            try await receive(record)
            link.took(record, isUp: false)
        }
        if !answer.beginning.isEmpty { await source.keep(answer.beginning) }
        if case .failed = caller.state { throw CutLink.broken }
        return caller.state == .done && caller.input.isRead
    }

    mutating func takeRequest() async throws {
        guard var end = answerer else { return }
        for record in try request.feed(end.read(at: now)) {
            try await session.receive(record)
            link.took(record, isUp: true)
            isAccepted = true
        }
        if !request.beginning.isEmpty { await session.keep(request.beginning) }
        if isAccepted, !isAnswered {
            while let record = try await session.nextEarly() { end.write(placed(record, isUp: false), at: now) }
        }
        if end.input.isRead, !isAnswered {
            isAnswered = true
            while let record = try await session.next() { end.write(placed(record, isUp: false), at: now) }
            end.finish()
        }
        answerer = end
    }

    /// - Parameter isLost: asked for each datagram.
    mutating func send(_ isLost: () -> Bool) {
        while let bytes = caller.poll(at: now) { put(bytes, isUp: true, isLost: isLost()) }
        while let bytes = answerer?.poll(at: now) { put(bytes, isUp: false, isLost: isLost()) }
    }

    private mutating func put(_ bytes: [UInt8], isUp: Bool, isLost: Bool) {
        let way = caller.link
        let end = max(free[isUp] ?? .zero, now) + (isUp ? way.sendTime(bytes.count) : way.receiveTime(bytes.count))
        free[isUp] = end
        let chunks = Datagram(bytes)?.chunks ?? []
        let body = chunks.reduce(0) { $0 + $1.bytes.count }
        guard !isLost, link.carry(bytes.count, body: body) == bytes.count else { return }
        for chunk in chunks {
            let range = chunk.offset..<chunk.offset + chunk.bytes.count
            for (record, place) in places[isUp] ?? [] where place.overlaps(range) { link.touched(record, isUp: isUp) }
        }
        arrivals.append(Arrival(at: end + way.roundTrip / 2, isUp: isUp, bytes: bytes))
    }

    /// Goes on to when something happens.
    /// - Returns: false where nothing will.
    mutating func wait() -> Bool {
        let times = [caller.wakeup(at: now), answerer?.wakeup(at: now), arrivals.map(\.at).min()].compactMap { $0 }
        guard let next = times.min() else { return false }
        now = max(next, now)
        let due = arrivals.filter { $0.at <= now }
        arrivals.removeAll { $0.at <= now }
        for arrival in due.sorted(by: { $0.at < $1.at }) {
            if !arrival.isUp {
                caller.hear(arrival.bytes, at: now)
                continue
            }
            if answerer == nil, let opening = Datagram(arrival.bytes)?.opening {
                let way = DatagramLink(
                    opening, rateMax: .max, payloadMax: 65_507, header: caller.link.header, silence: .seconds(30))
                answerer = DatagramStream(role: .answerer, id: 7, link: way, at: now)
            }
            answerer?.hear(arrival.bytes, at: now)
        }
        return true
    }
}
