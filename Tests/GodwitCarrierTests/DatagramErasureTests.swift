import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

/// Exchanges with parity at the ends of their streams, on emulated links in virtual time.
@Suite struct DatagramErasureTests {
    private static func bytes(_ count: Int) -> [UInt8] { DatagramStreamTests.bytes(count) }

    /// 64 kbit/s by way of two satellites: a datagram takes a tenth of the round trip.
    private static var far: Profile {
        var profile = Profile.preset(.satellite)
        profile.bandwidthUp = BitRate(bitsPerSecond: 64_000)
        profile.bandwidthDown = BitRate(bitsPerSecond: 64_000)
        profile.latency = .seconds(2)
        profile.packetLoss = 0.15
        return profile
    }

    private static func simulator(
        _ profile: Profile, share: Double, up: Int, down: Int, seed: UInt64, loss: Double? = nil
    ) -> DatagramSimulator {
        var profile = profile
        profile.erasure = share
        return DatagramSimulator(profile, request: bytes(up), answer: bytes(down), seed: seed, loss: loss)
    }

    @Test(
        "bytes arrive once and in order whatever the share and the loss, no datagram is above the MTU, none too early",
        arguments: [0.01, 0.2, 0.5, 1], [0, 0.01, 0.1, 0.3])
    func arrives(_ share: Double, loss: Double) {
        for profile in [Profile.preset(.satellite), .preset(.meshnet), .preset(.mobile), .preset(.broadband), Self.far]
        {
            for seed in 1...4 as ClosedRange<UInt64> {
                for (up, down) in [(60, 60), (9_000, 300), (300, 9_000), (12_000, 70_000)] {
                    var simulator = Self.simulator(profile, share: share, up: up, down: down, seed: seed, loss: loss)
                    if seed == 4 {
                        simulator.up.jitter = .milliseconds(300)
                        simulator.down.jitter = .milliseconds(300)
                        simulator.up.duplication = 0.1
                    }
                    let result = simulator.run()
                    // The caller has everything; where its last word got lost, a stranger may not ask again.
                    #expect(result.callerState == .done, "\(profile.name), seed \(seed), \(up) and \(down)")
                    #expect(result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
                    #expect(result.largest <= simulator.link.payloadMax)
                    let full = Double(simulator.link.payloadMax + 28)
                    #expect(result.excessUp <= 2 * full && result.excessDown <= 2 * full)
                    if profile.latency >= .seconds(2) { #expect(result.caller.parity > 0) }
                    if loss == 0, seed < 4 {
                        #expect(result.caller.repeated + result.answerer.repeated == 0)
                        #expect(
                            result.caller.probes + result.answerer.probes == 0,
                            "\(profile.name) \(profile.latency), seed \(seed), \(up) and \(down)")
                    }
                }
            }
        }
    }

    @Test("any one datagram of the request that is lost under way to the end is rebuilt, and nothing goes again")
    func rebuilds() {
        for lost in 0..<7 {
            var simulator = Self.simulator(Self.far, share: 0.2, up: 10_000, down: 100, seed: 1, loss: 0)
            var count = 0
            simulator.tamper = { bytes, isUp, _ in
                guard isUp, let datagram = Datagram(bytes), !datagram.chunks.isEmpty else { return [bytes] }
                count += 1
                return count == lost + 1 ? [] : [bytes]
            }
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request, "\(lost)")
            #expect(result.answerer.rebuilt == 1 && result.caller.repeated == 0 && result.caller.probes == 0, "\(lost)")
            #expect(result.caller.lost == 0)
        }
    }

    @Test("the answer has the share that the caller's parity says, and is rebuilt, too")
    func answers() {
        var simulator = Self.simulator(Self.far, share: 0.2, up: 100, down: 12_000, seed: 1, loss: 0)
        var count = 0
        var shares: Set<Int> = []
        simulator.tamper = { bytes, isUp, _ in
            guard !isUp, let datagram = Datagram(bytes) else { return [bytes] }
            if let parity = datagram.parity { shares.insert(parity.share) }
            if !datagram.chunks.isEmpty { count += 1 }
            return [6, 8].contains(count) && !datagram.chunks.isEmpty ? [] : [bytes]
        }
        let result = simulator.run()
        #expect(result.isDone && result.atCaller == simulator.answer)
        #expect(shares == [20] && result.caller.rebuilt == 2 && result.answerer.repeated == 0)
    }

    @Test("a share of 0 says nothing of parity, and so does an answer to a caller without it")
    func off() {
        for type in [NetworkType.satellite, .meshnet, .mobile, .broadband] {
            #expect(Profile.preset(type).erasure == 0)
            var simulator = Self.simulator(.preset(type), share: 0, up: 9_000, down: 9_000, seed: 2, loss: 0.05)
            simulator.tamper = { bytes, _, _ in
                #expect(bytes[0] & 0xC0 != 0xC0 || bytes[1] < 16)
                return [bytes]
            }
            let result = simulator.run()
            #expect(result.isDone && result.caller.parity + result.answerer.parity == 0)
        }
    }

    @Test("a peer that knows no parity drops it: the exchange ends all the same, and its stream costs no byte more")
    func unknown() {
        for seed in 1...10 as ClosedRange<UInt64> {
            var simulator = Self.simulator(Self.far, share: 0.3, up: 20_000, down: 3_000, seed: seed)
            simulator.tamper = { bytes, _, _ in Datagram(bytes)?.parity == nil ? [bytes] : [] }
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            #expect(result.answerer.parity == 0 && result.caller.rebuilt + result.answerer.rebuilt == 0)
            #expect(result.caller.repeated < 20_000)
        }
    }

    @Test(
        "parity with a flipped bit, and parity that was made up, brings nothing wrong and does not hold the stream up")
    func hostile() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var simulator = Self.simulator(Self.far, share: 0.5, up: 20_000, down: 20_000, seed: seed)
            let invents = seed % 2 == 0
            simulator.tamper = { bytes, _, random in
                guard var datagram = Datagram(bytes) else { return [bytes] }
                if datagram.parity != nil {
                    var bent = bytes
                    bent[bent.count - Int.random(in: 1...8, using: &random)] ^=
                        1 << UInt8.random(in: 0..<8, using: &random)
                    return [bent]
                }
                guard invents, let number = datagram.number, number > 8 else { return [bytes] }
                datagram.chunks = []
                datagram.ends = false
                datagram.opening = nil
                datagram.parity = DatagramParity(
                    last: number - 1, map: .random(in: 0...255, using: &random) | 1,
                    row: .random(in: 0...3, using: &random),
                    share: 50, symbol: (0..<Int.random(in: 8...1_400, using: &random)).map { _ in 7 })
                return [bytes, datagram.encoded]
            }
            let result = simulator.run()
            #expect(result.callerState != .open && result.steps < 1_000_000, "seed \(seed)")
            #expect(result.caller.rebuilt + result.answerer.rebuilt == 0)
            if !invents {
                #expect(result.isDone, "seed \(seed)")
                #expect(result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            }
        }
    }

    @Test("where the link is gone no parity goes, only probes, and it is noticed when it is back")
    func outage() {
        for gone in [0, 1, 2, 3] {
            var simulator = Self.simulator(Self.far, share: 0.5, up: 16_000, down: 100, seed: 1, loss: 0)
            simulator.up.outages = [.seconds(gone) ..< .seconds(gone + 40)]
            simulator.down.outages = simulator.up.outages
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request)
            #expect((result.requestDone ?? .seconds(999)) < .seconds(gone + 40 + 14))
            #expect(result.caller.parity <= 14 && result.caller.probes < 20)
        }
    }

    @Test("over a serial line, too")
    func line() throws {
        var profile = Profile.preset(.meshnet)
        profile.erasure = 0.3
        profile.latency = .seconds(6)
        let line = try SerialEndpoint(device: "/dev/x", baud: 9_600, mtu: 256)
        var rebuilt = 0
        for seed in 1...10 as ClosedRange<UInt64> {
            var simulator = DatagramSimulator(
                line, profile, request: Self.bytes(4_000), answer: Self.bytes(2_000), seed: seed, loss: 0.1)
            simulator.up.delay = .seconds(3)
            simulator.down.delay = .seconds(3)
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            #expect(result.largest <= simulator.link.payloadMax)
            rebuilt += result.caller.rebuilt + result.answerer.rebuilt
        }
        #expect(rebuilt > 4)
    }

    @Test("at a loss of 15% and a round trip of 2 s the median exchange ends a round trip sooner")
    func pays() {
        func median(share: Double) -> Duration {
            let times = (1...31 as ClosedRange<UInt64>).map { seed in
                var simulator = Self.simulator(Self.far, share: share, up: 8_000, down: 200, seed: seed)
                return simulator.run().answerDone ?? .seconds(999)
            }
            return times.sorted()[15]
        }
        #expect(median(share: 0.5) + .seconds(2) <= median(share: 0))
    }
}
