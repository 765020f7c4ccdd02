import GodwitLink
import GodwitProtocol
import Testing

@Suite("Frame sizes and forecasts")
struct FrameSizingTests {
    @Test(
        "a frame takes five seconds of the link, within 512 B and 65,471 B",
        arguments: [
            (2_400, 1_500), (9_600, 6_000), (64_000, 40_000), (819, 512), (820, 512), (821, 513), (1, 512),
            (104_753, 65_470), (104_754, 65_471), (10_000_000, 65_471), (0, 512), (Int.max, 65_471),
        ])
    func sizes(_ rate: Int, bytes: Int) {
        #expect(FrameSizing.payload(rate: BitRate(bitsPerSecond: rate), seconds: 5).bytes == bytes)
    }

    @Test("seconds that make no sense give a legal size", arguments: [Double.nan, -.infinity, .infinity, -1, 0])
    func oddSeconds(_ seconds: Double) {
        let size = FrameSizing.payload(rate: BitRate(bitsPerSecond: 9_600), seconds: seconds)
        #expect(size >= FrameSizing.payloadMin && size <= FrameSizing.payloadMax)
    }

    @Test("a frame is sized by the rate towards the peer")
    func upwards() {
        #expect(FrameSizing.payload(up: .mobile).bytes == 16_000)
    }

    @Test("a contact sends what budget and window allow, one round trip kept back")
    func contact() {
        let rate = BitRate(bitsPerSecond: 8_000)
        func bytes(_ allowed: Int?, _ window: Duration?) -> Int? {
            FrameSizing.contactBytes(
                rate: rate, roundTrip: .seconds(1), allowed: allowed.map(ByteCount.init(_:)), windowLeft: window)?.bytes
        }
        #expect(bytes(nil, nil) == nil)
        #expect(bytes(700, nil) == 700)
        #expect(bytes(nil, .seconds(11)) == 10_000)
        #expect(bytes(700, .seconds(11)) == 700)
        #expect(bytes(20_000, .seconds(11)) == 10_000)
        #expect(bytes(nil, .seconds(1)) == 0)
        #expect(bytes(nil, .zero) == 0)
    }

    @Test("a forecast counts what is ahead, the losses, the closed time and the round trip")
    func forecast() throws {
        let link = LinkForecast(rate: BitRate(bitsPerSecond: 9_600), roundTrip: .milliseconds(600), packetLoss: 0.5)
        let sent = try #require(link.secondsUntilSent(ByteCount(600), behind: ByteCount(600)))
        #expect(abs(sent - 2) < 1e-9)
        let later = try #require(
            link.secondsUntilAcknowledged(ByteCount(600), behind: ByteCount(600), opensIn: .seconds(30)))
        #expect(abs(later - 32.6) < 1e-9)
    }

    @Test("a link without a rate has no forecast, and a loss of all is held below one")
    func noRate() throws {
        #expect(
            LinkForecast(rate: BitRate(bitsPerSecond: 0), roundTrip: .zero, packetLoss: 0)
                .secondsUntilSent(ByteCount(1), behind: .zero) == nil)
        let lossy = LinkForecast(rate: BitRate(bitsPerSecond: 8), roundTrip: .zero, packetLoss: 5)
        #expect(try #require(lossy.secondsUntilSent(ByteCount(1), behind: .zero)).isFinite)
    }
}
