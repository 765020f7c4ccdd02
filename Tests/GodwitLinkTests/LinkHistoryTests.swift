import GodwitLink
import GodwitProtocol
import Testing

@Suite("What is kept of a link's measurements (NET-06)")
struct LinkHistoryTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)

    private var known: LinkEstimator {
        var estimator = LinkEstimator()
        for index in 0..<6 {
            estimator.take(
                LinkSample(
                    at: start.adding(milliseconds: Int64(index)),
                    up: .init(
                        bytes: ByteCount(12_000 + index), time: .seconds(11), pace: BitRate(bitsPerSecond: 9_600)),
                    down: .init(bytes: ByteCount(7_000 + index), time: .seconds(9)),
                    roundTrip: .milliseconds(640 + index), datagramsSent: 30, datagramsLost: 2),
                over: .preset(.satellite))
        }
        return estimator
    }

    @Test("an estimate is the same after a restart")
    func restored() throws {
        let saved = known.saved.canonicalText
        #expect(try LinkEstimator(saved: JSONValue.parse(saved)) == known)
        #expect(try LinkEstimator(saved: LinkEstimator().saved) == LinkEstimator())
    }

    @Test("a saved estimate with any member missing or wrong is refused")
    func damaged() throws {
        let object = try #require(known.saved.object)
        for key in object.keys {
            let wrongs: [JSONValue] = [nil, "x", -1, .double(1e300), [:], []]
            for wrong in wrongs {
                var damaged = object
                damaged[key] = wrong
                #expect(throws: ProtocolError.self, "\(key) \(wrong)") {
                    try LinkEstimator(saved: .object(damaged))
                }
            }
        }
        let entries: [JSONValue] = [
            [9_600, 0], [0, 0, true], [9_600, -1, true], [9_600, 0, 1], [.double(1e12), 0, true], 5,
        ]
        for entry in entries {
            var damaged = object
            damaged["up"] = ["confirmed": 0, "entries": [entry]]
            #expect(throws: ProtocolError.self, "\(entry)") { try LinkEstimator(saved: .object(damaged)) }
        }
        var long = object
        long["up"] = ["confirmed": 0, "entries": .array(Array(repeating: [9_600, 0, true] as JSONValue, count: 6))]
        #expect(throws: ProtocolError.self) { try LinkEstimator(saved: .object(long)) }
    }

    @Test("hours begin where those of UTC do, before 1970 as well")
    func hours() {
        #expect(LinkHour.hour(of: Timestamp(milliseconds: 0)) == 0)
        #expect(LinkHour.hour(of: Timestamp(milliseconds: 3_599_999)) == 0)
        #expect(LinkHour.hour(of: Timestamp(milliseconds: 3_600_000)) == 1)
        #expect(LinkHour.hour(of: Timestamp(milliseconds: -1)) == -1)
    }

    @Test("an hour adds up what its exchanges moved and showed")
    func sums() {
        var hour = LinkHour(at: start)
        hour.add(
            LinkSample(
                at: start, up: .init(bytes: ByteCount(10_000), time: .seconds(10)), roundTrip: .milliseconds(700),
                datagramsSent: 20, datagramsLost: 1, sent: ByteCount(10_500), received: ByteCount(300)),
            over: .preset(.satellite))
        hour.add(
            LinkSample(
                at: start, up: .init(bytes: ByteCount(12_000), time: .seconds(8)), roundTrip: .milliseconds(650),
                sent: ByteCount(12_100), received: ByteCount(200)), over: .preset(.satellite))
        hour.add(LinkSample(at: start, sent: ByteCount(90), received: ByteCount(80)), over: .preset(.satellite))
        #expect(hour.exchanges == 3 && hour.sent == 22_690 && hour.received == 580)
        #expect(hour.up.count == 2 && hour.up.mean == 10_000 && hour.up.most == 12_000)
        #expect(hour.down.mean == nil && hour.object["rate_down"] == .null)
        #expect(hour.roundTrip == 650 && hour.datagramsSent == 20 && hour.datagramsLost == 1)
    }
}
