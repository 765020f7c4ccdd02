import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

/// Records are made as the link takes them: late enough for what becomes urgent, and early enough to keep it busy.
@Suite("Pre-emption in datagrams") struct PreemptionModelTests {
    static let profiles: [Profile] = [.satellite, .mesh, .mobile, .broadband]
    private static let bulk = 12

    private static func simulator(_ profile: Profile, urgentAfter share: Double, seed: UInt64, loss: Double = 0)
        -> DatagramSimulator
    {
        let bulk = FrameSizing.payload(up: profile).bytes + 70
        let whole = Double(bulk * Self.bulk * 8) / Double(profile.bandwidthUp.bitsPerSecond)
        var simulator = DatagramSimulator(profile, request: [], answer: [1, 2, 3], seed: seed, loss: loss)
        simulator.supply = DatagramSupply(bulk: bulk, count: Self.bulk, urgentAt: .seconds(whole * share))
        simulator.firstRecord = 90
        return simulator
    }

    @Test(
        "with bulk queued an urgent record waits for no more than the frame in flight (D-20)", arguments: profiles)
    func waits(_ profile: Profile) throws {
        for step in 0..<8 {
            var simulator = Self.simulator(profile, urgentAfter: 0.03 + Double(step) * 0.09, seed: UInt64(step))
            let link = simulator.link
            let result = simulator.run()
            let supply = try #require(simulator.supply)
            #expect(result.isDone && supply.isEnded && result.atAnswerer.count == supply.total)
            let begun = try #require(supply.urgentBegun)
            #expect(!supply.bulkBegun.contains { $0 >= supply.urgentAt && $0 < begun }, "it is the very next one")
            let ahead = supply.unsentBefore
            #expect(ahead < link.payloadMax || link.sendTime(ahead) <= DatagramStream.lead, "\(ahead) bytes ahead")
            // One frame as datagrams, what was ahead of it, its own bytes, the way, and the time to make both.
            let frames = Double(supply.bulk + 2 * link.payloadMax + supply.urgent) * 1.15 * 8 / link.sendRate
            let most =
                .seconds(frames) + link.roundTrip / 2 + DatagramStream.lead * 2 + supply.making * 2
                + link.holdDelay
            let took = try #require(supply.urgentArrived) - supply.urgentAt
            #expect(took <= most, "\(profile.name): \(took) of \(most)")
        }
    }

    @Test(
        "a request that is made on the way takes no longer and no more bytes than one that is there",
        arguments: profiles)
    func busy(_ profile: Profile) throws {
        for seed in 0..<2 as Range<UInt64> {
            let loss = seed < 1 ? 0 : profile.packetLoss
            var lazy = Self.simulator(profile, urgentAfter: 0.4, seed: seed, loss: loss)
            let made = lazy.run()
            var eager = DatagramSimulator(
                profile, request: [UInt8](repeating: 7, count: made.atAnswerer.count), answer: [1, 2, 3], seed: seed,
                loss: loss)
            eager.firstRecord = 90
            let ready = eager.run()
            #expect(made.isDone && ready.isDone)
            let (slow, fast) = (try #require(made.answerDone), try #require(ready.answerDone))
            // With loss the two draw different luck.
            let most = fast * (loss == 0 ? 1.02 : 1.3) + .milliseconds(300)
            #expect(slow <= most, "\(profile.name): \(slow) for \(fast)")
            #expect(Double(made.airUp) <= Double(ready.airUp) * (loss == 0 ? 1.01 : 1.25) + 200)
        }
    }

    @Test("the first datagram leaves before the second record is made, and nothing is made while the link is dead")
    func first() {
        var simulator = Self.simulator(.mesh, urgentAfter: 2, seed: 1)
        simulator.supply?.making = .seconds(30)
        simulator.limit = .seconds(20)
        let slow = simulator.run()
        #expect(slow.caller.datagramsSent >= 1 && slow.atAnswerer.count == 90)
        var dead = Self.simulator(.mesh, urgentAfter: 2, seed: 1)
        dead.up.outages = [.zero..<Duration.seconds(50)]
        dead.limit = .seconds(45)
        _ = dead.run()
        // What fits into the first flight, one record that was begun when it left, and no more.
        #expect((1...3).contains(dead.supply?.bulkBegun.count ?? 0))
    }
}
