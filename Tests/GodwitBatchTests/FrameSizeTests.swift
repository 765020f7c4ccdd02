import GodwitProtocol
import Testing

@testable import GodwitBatch

/// What a message costs on the wire (targets: who, when and where about 12 bytes).
@Suite("Bytes of a message")
struct FrameSizeTests {
    @Test("100 messages of 25 authors that begin their chains cost 140 bytes each at most")
    func channel() throws {
        var talk = SampleTalk(seed: 100, authors: 25)
        let items = (0..<100).map { _ in talk.item(talk.random.below(25)) }
        let bytes = try FrameCodec.encode(Frame(items: items))
        #expect(
            bytes.count <= 100 * (64 + 64 + 12),
            "\(bytes.count) bytes, \(Double(bytes.count) / 100 - 128) beside text and signature")
    }

    @Test("chains that go on cost 32 bytes for each author more, and spooling costs nothing")
    func continued() throws {
        var talk = SampleTalk(seed: 101, authors: 25)
        for author in 0..<25 { for _ in 0..<5 { _ = talk.item(author) } }
        var items = (0..<100).map { _ in talk.item(talk.random.below(25)) }
        let authors = Set(try items.map { try Message(parsing: $0.body).author }).count
        let now = talk.time + 5_000
        for index in items.indices { items[index].age = now - items[index].created.milliseconds }
        let bytes = try FrameCodec.encode(Frame(items: items))
        #expect(bytes.count <= 100 * (64 + 64 + 12) + authors * 32, "\(bytes.count) bytes")
    }

    @Test("a lone message costs 110 bytes at most beside text and signature")
    func alone() throws {
        var talk = SampleTalk(seed: 102, authors: 1)
        let bytes = try FrameCodec.encode(Frame(items: [talk.item(0)]))
        #expect(bytes.count <= 128 + 110, "\(bytes.count - 128) bytes")
    }

    /// Raw bytes of what can be lifted out of an object, how many such texts it has, and the object with them empty.
    private static func parts(_ item: BatchItem) -> (raw: Int, count: Int, bare: BatchItem) {
        let runs = BodyLifts(item.body).runs
        var bare = item
        for run in runs.reversed() { bare.body.removeSubrange(run.place) }
        return (runs.reduce(0) { $0 + $1.bytes.count }, runs.count, bare)
    }

    @Test("the keys, hashes and signatures of an object cost their raw bytes and 24 at most")
    func keys() throws {
        var samples = LiftSamples(seed: 40)
        for item in samples.all() {
            let (raw, count, bare) = Self.parts(item)
            let whole = try FrameCodec.encode(Frame(items: [item])).count
            let rest = try FrameCodec.encode(Frame(items: [bare])).count
            #expect(whole - rest <= raw + 24, "\(whole - rest - raw) beside \(raw) in \(count) texts")
        }
    }

    @Test("those of many objects in one frame cost their raw bytes, and less than a byte for four of them")
    func manyKeys() throws {
        var samples = LiftSamples(seed: 41)
        let items = (0..<12).flatMap { _ in [samples.introduction(), samples.membership(), samples.marker()] }
            .map { LiftSamples.item($0) }
        let parts = items.map(Self.parts)
        let (raw, count) = (parts.reduce(0) { $0 + $1.raw }, parts.reduce(0) { $0 + $1.count })
        let whole = try FrameCodec.encode(Frame(items: items)).count
        let rest = try FrameCodec.encode(Frame(items: parts.map(\.bare))).count
        #expect(whole - rest < raw + count / 4, "\(whole - rest - raw) beside \(raw) in \(count) texts")
    }

    @Test("the start of an epoch costs at most 59 bytes for each wrap of 48, and 91 for each of 80")
    func wraps() throws {
        var samples = LiftSamples(seed: 42)
        for (wrapped, most) in [(48, 59.0), (80, 91.0)] {
            let sizes = try [1, 101].map { count in
                try FrameCodec.encode(Frame(items: [LiftSamples.item(samples.epoch(count, wrapped: wrapped))])).count
            }
            let each = Double(sizes[1] - sizes[0]) / 100
            #expect(each <= most, "\(each) bytes")
        }
    }

    @Test("100 receipts of one shape cost little more than their hashes")
    func receipts() throws {
        var random = SplitMix(seed: 3)
        let items = (0..<100).map { _ in
            let object: JSONObject = [
                "items": [.string(Base64.encode(random.bytes(32)))], "kind": "delivered", "node": "a7f3k9m2",
                "type": "receipt",
            ]
            return BatchItem(
                kind: .receipt, body: object.canonicalBytes(), created: Timestamp(milliseconds: 1_795_257_000_000),
                priority: .control)
        }
        let bytes = try FrameCodec.encode(Frame(items: items))
        #expect(bytes.count <= 100 * 44, "\(bytes.count) bytes")
    }
}
