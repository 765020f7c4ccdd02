import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-8: a frame's size follows the link.
@Suite("Packing of frames")
struct FramePackerTests {
    @Test("as many items go in as fit, and one more does not", arguments: [512, 1000, 3000, 16_000, 65_471])
    func longest(limit: Int) throws {
        var talk = SampleTalk(seed: UInt64(limit), authors: 9)
        let items = talk.mixture(600)
        let packed = try FramePacker.pack(Frame(floor: 3, items: items), limit: ByteCount(limit))
        #expect(packed.count > 0 && packed.count < items.count)
        #expect(packed.bytes.count <= limit)
        let read = try FrameCodec.decode(packed.bytes)
        #expect(read.items == Array(items.prefix(packed.count)) && read.hasMore && read.floor == 3)
        let more = Frame(floor: 3, items: Array(items.prefix(packed.count + 1)), hasMore: true)
        let oneMore = try? FrameCodec.encode(more)
        #expect(oneMore == nil || (oneMore?.count ?? 0) > limit)
    }

    @Test("when all fit, nothing is left and hasMore stays as it was", arguments: [true, false])
    func all(hasMore: Bool) throws {
        var talk = SampleTalk(seed: 1, authors: 2)
        let frame = Frame(items: talk.mixture(5), hasMore: hasMore)
        let packed = try FramePacker.pack(frame, limit: ByteCount(65_471))
        #expect(packed.count == 5)
        #expect(try FrameCodec.decode(packed.bytes) == frame)
    }

    @Test("nothing fits: a frame without items, which says that there is more")
    func nothing() throws {
        var talk = SampleTalk(seed: 2, authors: 1)
        let packed = try FramePacker.pack(Frame(items: [talk.item(0, length: 800)]), limit: ByteCount(512))
        #expect(packed.count == 0)
        #expect(try FrameCodec.decode(packed.bytes) == Frame(hasMore: true))
    }

    @Test("no items give a frame of acknowledgements")
    func acknowledgementsOnly() throws {
        let frame = Frame(acknowledgements: [
            Acknowledgement(incarnation: 1, ranges: [1...5], digest: [0, 1, 2, 3, 4, 5, 6, 7])
        ])
        let packed = try FramePacker.pack(frame, limit: ByteCount(512))
        #expect(packed.count == 0)
        #expect(try FrameCodec.decode(packed.bytes) == frame)
        #expect(throws: ProtocolError.self) { try FramePacker.pack(frame, limit: ByteCount(8)) }
    }

    @Test("1,024 items go in at most, the rest waits")
    func itemLimit() throws {
        let item = BatchItem(
            kind: .object, body: [0x7B, 0x7D], created: Timestamp(milliseconds: 0), priority: .control)
        let packed = try FramePacker.pack(
            Frame(items: [BatchItem](repeating: item, count: 1030)), limit: ByteCount(65_471))
        #expect(packed.count == 1024)
        #expect(try FrameCodec.decode(packed.bytes).hasMore)
    }

    @Test("an item beyond its limit stops the frame before it, and fails when it comes first")
    func oversized() throws {
        let small = BatchItem(
            kind: .object, body: [0x7B, 0x7D], created: Timestamp(milliseconds: 0), priority: .control)
        var large = small
        large.body = [UInt8](repeating: 0x61, count: FrameLimits.objectMax + 1)
        #expect(try FramePacker.pack(Frame(items: [small, large, small]), limit: ByteCount(60_000)).count == 1)
        #expect(throws: ProtocolError.self) {
            try FramePacker.pack(Frame(items: [large, small]), limit: ByteCount(60_000))
        }
    }

    @Test("the search finds the edge of any size that grows, within 16 tries", arguments: 0..<300 as Range<UInt64>)
    func search(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let sizes = (0..<1 + random.below(1024)).map { _ in 1 + random.below(200) }
        let sums = sizes.reduce(into: [20]) { $0.append($0[$0.count - 1] + $1) }
        let limit = 20 + random.below(sums[sums.count - 1])
        var search = PackingSearch(limit: limit, most: sizes.count)
        var best = -1
        var tries = 0
        while let count = search.next() {
            tries += 1
            search.learn(count: count, bytes: sums[count])
            if sums[count] <= limit { best = max(best, count) }
        }
        #expect(best == sums.lastIndex { $0 <= limit })
        #expect(tries <= 16, "\(tries) tries")
    }
}
