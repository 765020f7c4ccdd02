import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

@Suite struct DatagramStreamTests {
    static func bytes(_ count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(count))
        return (0..<count).map { _ in .random(in: 0...255, using: &random) }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var type: NetworkType
        var loss: Double
        var jitter = Duration.zero
        var duplication = 0.0
        var testDescription: String { "\(type), loss \(loss), jitter \(jitter), duplicates \(duplication)" }
    }
    static let cases = [NetworkType.satellite, .meshnet, .mobile, .broadband].flatMap { type in
        [
            Case(type: type, loss: 0), Case(type: type, loss: 0.01), Case(type: type, loss: 0.05),
            Case(type: type, loss: 0.2), Case(type: type, loss: 0.02, jitter: .milliseconds(400)),
            Case(type: type, loss: 0.05, jitter: .milliseconds(50), duplication: 0.1),
        ]
    }

    @Test(
        "bytes arrive once and in order both ways, no datagram is above the MTU, none goes faster than the link",
        arguments: cases)
    func arrives(_ it: Case) {
        for seed in 1...8 as ClosedRange<UInt64> {
            for (up, down) in [(60, 60), (9_000, 300), (300, 9_000), (12_000, 12_000)] {
                var simulator = DatagramSimulator(
                    .preset(it.type), request: Self.bytes(up), answer: Self.bytes(down), seed: seed, loss: it.loss)
                for path in [\DatagramSimulator.up, \DatagramSimulator.down] {
                    simulator[keyPath: path].jitter = it.jitter
                    simulator[keyPath: path].duplication = it.duplication
                }
                let result = simulator.run()
                #expect(result.isDone, "seed \(seed), \(up) and \(down)")
                #expect(result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
                #expect(result.largest <= simulator.link.payloadMax)
                let full = Double(simulator.link.payloadMax + 28)
                #expect(result.excessUp <= 2 * full && result.excessDown <= 2 * full)
                if it.loss == 0 {
                    #expect(result.caller.repeated + result.answerer.repeated == 0)
                    #expect(result.caller.probes + result.answerer.probes == 0)
                }
            }
        }
    }

    @Test("where nothing is lost, what goes beside the body is small")
    func overhead() {
        for (type, most) in [(NetworkType.satellite, 1.045), (.meshnet, 1.155), (.mobile, 1.045)] {
            var simulator = DatagramSimulator(
                .preset(type), request: Self.bytes(20_000), answer: Self.bytes(20_000), seed: 1, loss: 0)
            let result = simulator.run()
            #expect(result.isDone)
            // 28 bytes of IP and UDP and at most 10 of our own for each full datagram, and the ends.
            #expect(Double(result.airUp) <= 20_000 * most && Double(result.airDown) <= 20_000 * most, "\(type)")
        }
        // With nothing to say but a loose frame: three datagrams, one round trip.
        var simulator = DatagramSimulator(
            .preset(.satellite), request: Self.bytes(60), answer: Self.bytes(60), seed: 1, loss: 0)
        let result = simulator.run()
        #expect(result.caller.sent + result.answerer.sent <= 120 + 32)
        #expect(result.caller.datagramsSent == 2 && result.answerer.datagramsSent == 1)
    }

    @Test("at 5% loss at most a quarter more than the body goes out, on the median of 21 seeds an eighth")
    func waste() {
        var air: [Int] = []
        for seed in 1...21 as ClosedRange<UInt64> {
            var simulator = DatagramSimulator(
                .preset(.meshnet), request: Self.bytes(30_000), answer: Self.bytes(100), seed: seed, loss: 0.05)
            let result = simulator.run()
            #expect(result.isDone)
            air.append(result.airUp - 28 * result.caller.datagramsSent)
        }
        air.sort()
        #expect(air[20] < 37_500 && air[10] < 33_750, "\(air)")
    }

    @Test("a link that is up 10 s and down 20 s is used soon after it is back", arguments: [0, 3, 6, 9] as [Int])
    func windows(_ shift: Int) {
        for seed in 1...5 as ClosedRange<UInt64> {
            var simulator = DatagramSimulator(
                .preset(.mobile), request: Self.bytes(100_000), answer: Self.bytes(10_000), seed: seed)
            let outages = (0..<10).map {
                Duration.seconds(10 - shift + 30 * $0)..<Duration.seconds(30 - shift + 30 * $0)
            }
            simulator.up.outages = outages
            simulator.down.outages = outages
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            // 13 s on the air; each return is noticed within two probes, and what was under way goes again.
            let most: Duration = shift < 6 ? .seconds(30 - shift + 10) : .seconds(60 - shift + 10)
            let done = result.answerDone ?? .seconds(999)
            #expect(done < most)
            #expect(result.airUp < 140_000)
        }
    }

    @Test("what is begun in an outage costs only probes until the link is there")
    func beginsInOutage() {
        var simulator = DatagramSimulator(
            .preset(.satellite), request: Self.bytes(40_000), answer: Self.bytes(100), seed: 1, loss: 0)
        simulator.up.outages = [.zero ..< .seconds(40)]
        simulator.down.outages = simulator.up.outages
        let result = simulator.run()
        #expect(result.isDone)
        #expect(result.airUp < 47_600)
        // 34.6 s on the air, begun at most one probe and its round trip after the return.
        let done = result.requestDone ?? .seconds(999)
        #expect(done < .seconds(80))
    }

    @Test("a link that is cut for ever ends both sides with 3000 after the silence, at the price of a few probes")
    func cut() {
        for cutAt in [0, 3, 7] {
            var simulator = DatagramSimulator(
                .preset(.satellite), request: Self.bytes(10_000), answer: Self.bytes(10_000), seed: 1, loss: 0)
            simulator.up.outages = [.seconds(cutAt) ..< .seconds(9_999)]
            simulator.down.outages = simulator.up.outages
            let result = simulator.run()
            guard case .failed(let error) = result.callerState else {
                Issue.record("the caller goes on")
                continue
            }
            #expect(error.code == .nodeUnreachable)
            #expect(result.ended <= .seconds(cutAt) + simulator.link.silenceMax + .seconds(3))
            #expect(result.caller.probes < 40 && result.airUp < 10_000 + 40 * 60 + 500)
            if cutAt > 0 { #expect(result.answererState != .open) }
        }
    }

    @Test("a receiver that does not read is sent 256 KiB and no more, and the rest as soon as it reads")
    func credit() {
        var simulator = DatagramSimulator(
            .preset(.broadband), request: Self.bytes(700_000), answer: Self.bytes(100), seed: 1, loss: 0.01)
        simulator.readsFrom = .seconds(20)
        simulator.limit = .seconds(19)
        let early = simulator.run()
        #expect(early.atAnswerer.isEmpty && early.caller.sent > ReceiveBuffer.window)
        #expect(early.caller.sent - early.caller.repeated < ReceiveBuffer.window + 10_000)
        #expect(early.callerState == .open)
        simulator = DatagramSimulator(
            .preset(.broadband), request: Self.bytes(700_000), answer: Self.bytes(100), seed: 1, loss: 0.01)
        simulator.readsFrom = .seconds(20)
        let result = simulator.run()
        #expect(result.isDone && result.atAnswerer == simulator.request)
        #expect((result.requestDone ?? .zero) < .seconds(26))
    }

    @Test("an answerer sends a stranger at most three times what it got, headers counted, until it is acknowledged")
    func amplification() {
        var caller = DatagramStream(
            role: .caller, id: 1, link: DatagramLink(.preset(.broadband)), at: .zero)
        caller.write(Self.bytes(100), at: .zero)
        caller.finish()
        let first = caller.said(at: .zero)
        var answerer = DatagramStream(
            role: .answerer, id: 1, link: DatagramLink(.preset(.broadband)), at: .zero)
        answerer.hear(first, at: .zero)
        _ = answerer.read(at: .zero)
        answerer.write(Self.bytes(50_000), at: .zero)
        answerer.finish()
        var spent = 0
        var kept: [[UInt8]] = []
        for millisecond in 0..<55_000 {
            while let bytes = answerer.poll(at: .milliseconds(millisecond)) {
                spent += bytes.count + 28
                kept.append(bytes)
            }
        }
        #expect(spent <= 3 * (first.count + 28) && spent > first.count)
        for bytes in kept { caller.hear(bytes, at: .seconds(55)) }
        answerer.hear(caller.said(at: .seconds(56)), at: .seconds(56))
        let more = answerer.said(at: .seconds(57))
        #expect(more.count > 1_400)
    }

    @Test("the last acknowledgement may get lost: the caller is done, and says it again when asked")
    func lastWord() {
        var simulator = DatagramSimulator(
            .preset(.mobile), request: Self.bytes(500), answer: Self.bytes(500), seed: 1, loss: 0)
        // Gone from before the last acknowledgement leaves until a while after.
        simulator.up.outages = [.milliseconds(150) ..< .seconds(5)]
        let result = simulator.run()
        #expect(result.isDone && result.atCaller == simulator.answer)
        #expect((result.answerDone ?? .seconds(9)) < .seconds(1))
        #expect(result.ended < .seconds(5) + simulator.link.probeEvery + .seconds(1))
    }

    @Test("an end that closes tells the other why")
    func closes() {
        var caller = DatagramStream(role: .caller, id: 1, link: DatagramLink(.preset(.mobile)), at: .zero)
        caller.write([1, 2, 3], at: .zero)
        caller.finish()
        let first = caller.said(at: .zero)
        var answerer = DatagramStream(role: .answerer, id: 1, link: DatagramLink(.preset(.mobile)), at: .zero)
        answerer.hear(first, at: .zero)
        answerer.close(ProtocolError(.invalidCredentials, "No key fits.", hint: "Add the peer."))
        let close = answerer.said(at: .seconds(1))
        let silence = answerer.said(at: .seconds(2))
        #expect(silence.isEmpty && answerer.wakeup(at: .seconds(2)) == nil)
        // Lost: what comes from the caller is answered with it again, once for each.
        answerer.hear(first, at: .seconds(3))
        let again = [answerer.said(at: .seconds(3)), answerer.said(at: .seconds(4))]
        #expect(again == [close, []])
        caller.hear(close, at: .seconds(4))
        #expect(caller.state == .failed(ProtocolError(.invalidCredentials, "No key fits.", hint: "Add the peer.")))
    }
}
