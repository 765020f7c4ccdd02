import GodwitBatch
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitContact

private let limits = OutletLimits(frame: ByteCount(900), exchange: ByteCount(2400))

/// Frames are filled however much their bodies shrink, and the shares of the classes keep their meaning (D-7, D-20).
@Suite("How much goes into a frame")
struct StretchTests {
    @Test("bodies that shrink to a tenth fill the frames after the first two", arguments: [60, 300, 580])
    func filled(noise: Int) async throws {
        let hop = try Pair(MemorySpool(configuration: .test), MemorySpool(configuration: .test))
        let peer = hop.right.identity.party
        for number in 0..<120 {
            var body = try JSONObject.parse(Sample.body(number, size: noise))
            body["padding"] = .string(String(repeating: "a", count: 600 - noise))
            let bytes = body.canonicalBytes()
            let item = NewItem(
                id: ItemID(SHA256Digest.of(bytes)), kind: .object, body: bytes, destination: peer,
                priority: .channelText, created: Timestamp(milliseconds: 1_750_000_000_000 + Int64(number)),
                lifetime: Message.defaultLifetime)
            _ = try await hop.left.spool.write { try $0.enqueue(item) }
        }
        while try await hop.left.outlet.next(to: hop.right.key, limits) != nil {}
        let frames = try await hop.left.inFlight(to: peer)
        let bytes = frames.map(\.bytes.count)
        #expect(frames.reduce(0) { $0 + $1.items.count } == 120 && bytes.count > 6)
        // One item more would not have fitted.
        let largest = frames.map { $0.bytes.count / $0.items.count }.max() ?? 0
        #expect(bytes.dropFirst(2).dropLast().allSatisfy { $0 <= 900 && $0 + 2 * largest > 900 })
    }

    @Test("what is learned stays within its limits, whatever the frames were")
    func bounded() {
        var stretch = FrameStretch()
        for _ in 0..<40 { stretch.learn(bodies: ByteCount(1 << 40), frame: ByteCount(1)) }
        #expect(stretch.room(of: ByteCount(1_000)) == ByteCount(16_000))
        for _ in 0..<40 { stretch.learn(bodies: .zero, frame: ByteCount(65_471)) }
        #expect(stretch.room(of: ByteCount(1_000)) == ByteCount(2_000))
        stretch.learn(bodies: ByteCount(10), frame: .zero)
        #expect(stretch.room(of: ByteCount(1_000)) == ByteCount(2_000))
    }
}
