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
