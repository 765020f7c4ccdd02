import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitCarrier

/// The datagram machine on serial lines, in virtual time (docs/protocol.md §8.3).
@Suite struct SerialLinkTests {
    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    private static func profile() -> Profile {
        var profile = Profile.preset(.meshnet)
        profile.bandwidthUp = BitRate(bitsPerSecond: 1_000_000)
        profile.bandwidthDown = BitRate(bitsPerSecond: 1_000_000)
        profile.mtu = ByteCount(1_500)
        return profile
    }

    @Test(
        "10 kB each way take little more than the line needs, never above its rate or its frames",
        arguments: [(9_600, 0.0, 1.13), (9_600, 0.05, 1.22), (2_400, 0.0, 1.13), (2_400, 0.05, 1.22)])
    func lines(baud: Int, loss: Double, factor: Double) throws {
        let line = try SerialEndpoint(device: "/dev/x", baud: baud, mtu: 256)
        var times: [Double] = []
        var air: [Double] = []
        for seed in 0..<11 as Range<UInt64> {
            var simulator = DatagramSimulator(
                line, Self.profile(), request: Self.bytes(10_000), answer: Self.bytes(10_000), seed: seed, loss: loss)
            let result = simulator.run()
            #expect(result.isDone && result.atAnswerer == simulator.request && result.atCaller == simulator.answer)
            #expect(result.largest <= 252)
            // A datagram and one more beyond what the rate allows at any time.
            #expect(max(result.excessUp, result.excessDown) <= 2 * 259 + 20)
            if loss == 0 { #expect(result.caller.repeated + result.answerer.repeated == 0) }
            times.append((result.answerDone ?? .seconds(3_600)).inSeconds)
            air.append(Double(result.airUp + result.airDown) / 20_000)
        }
        let least = 10_000 * 10 / Double(baud)
        let (time, bytes) = (times.sorted()[5], air.sorted()[5])
        #expect(time < least * factor, "\(time) s, at least \(least)")
        #expect(bytes < factor, "\(bytes) bytes a byte")
    }

    @Test("rates and sizes are the lesser of profile and line, at their edges")
    func link() throws {
        func link(_ baud: Int, mtu: Int, _ change: (inout Profile) -> Void = { _ in }) throws -> DatagramLink {
            var profile = Self.profile()
            change(&profile)
            return DatagramLink(profile, line: try SerialEndpoint(device: "/dev/x", baud: baud, mtu: mtu))
        }
        let usual = try link(9_600, mtu: 512)
        #expect(usual.sendRate == 7_680 && usual.receiveRate == 7_680 && usual.payloadMax == 508)
        #expect(usual.header == 7 && usual.isLine)
        let slow = try link(9_600, mtu: 512) { profile in
            profile.bandwidthUp = BitRate(bitsPerSecond: 1_200)
            profile.mtu = ByteCount(100)
        }
        #expect(slow.sendRate == 1_200 && slow.receiveRate == 7_680 && slow.payloadMax == 96)
        #expect(try link(300, mtu: 40).payloadMax == 36)
        #expect(try link(300, mtu: 4_096) { $0.mtu = ByteCount(65_535) }.payloadMax == 4_092)
        #expect(try link(300, mtu: 512) { $0.mtu = ByteCount(64) }.payloadMax == 60)
    }

    @Test("on a line the answer need not wait until the caller has shown where it is")
    func answer() throws {
        var link = DatagramLink(Self.profile(), line: try SerialEndpoint(device: "/dev/x", baud: 921_600))
        var caller = DatagramStream(role: .caller, id: 1, link: link, at: .zero)
        caller.write(Self.bytes(60), at: .zero)
        caller.finish()
        let first = caller.said(at: .zero)
        func sent() -> Int {
            var answerer = DatagramStream(role: .answerer, id: 1, link: link, at: .zero)
            answerer.hear(first, at: .zero)
            _ = answerer.read(at: .zero)
            answerer.write(Self.bytes(2_000), at: .zero)
            answerer.finish()
            var spent = 0
            for millisecond in 0..<200 {
                while let bytes = answerer.poll(at: .milliseconds(millisecond)) { spent += bytes.count }
            }
            return spent
        }
        #expect(sent() > 2_000)
        link.isLine = false
        #expect(sent() <= 3 * (first.count + 7))
    }

    @Test("where another way is there, a peer that says nothing is given up earlier, one that spoke is not")
    func impatience() {
        var link = DatagramLink(.preset(.satellite))
        link.firstSilence = link.impatience
        #expect(link.impatience >= .seconds(30) && link.impatience == link.fullRoundTrip * 10)
        func end(hearing: Bool) -> Duration {
            var caller = DatagramStream(role: .caller, id: 1, link: link, at: .zero)
            caller.write([1], at: .zero)
            caller.finish()
            var (now, isHeard) = (Duration.zero, false)
            while caller.state == .open, let next = caller.wakeup(at: now) {
                while let bytes = caller.poll(at: now) {
                    guard hearing, !isHeard else { continue }
                    isHeard = true
                    var answerer = DatagramStream(role: .answerer, id: 1, link: link, at: now)
                    answerer.hear(bytes, at: now)
                    caller.hear(answerer.said(at: now + .seconds(1)), at: now)
                }
                now = max(next, now + .milliseconds(1))
            }
            return now
        }
        #expect((link.impatience...link.impatience + .seconds(1)).contains(end(hearing: false)))
        #expect(end(hearing: true) >= .seconds(60))
    }
}
