import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-7: a message whose JSON the columns do not rebuild bit for bit travels verbatim.
@Suite("Verbatim messages")
struct VerbatimTests {
    /// A valid message with one change to it.
    private func changed(_ change: (inout JSONObject) -> Void) -> [UInt8] {
        var talk = SampleTalk(seed: 4, authors: 1)
        var object = talk.object(0)
        change(&object)
        let (complete, _) = SampleTalk.complete(object, after: nil, signature: talk.random.bytes(64))
        return complete.canonicalBytes()
    }

    private func item(_ body: [UInt8]) -> BatchItem {
        BatchItem(
            kind: .message, body: body, created: Timestamp(milliseconds: 1_795_257_000_123), priority: .channelText)
    }

    @Test("unknown members, other forms and what is no message come back as they were")
    func fallback() throws {
        let bodies: [[UInt8]] = [
            changed { $0["later"] = true },
            changed { $0["content"] = ["ciphertext": "", "more": 1] },
            changed { $0["timestamp"] = "2026-11-21T10:30:00Z" },
            changed { $0["encryption"] = .object(($0["encryption"]?.object ?? [:]).setting("key_id", "key_12345")) },
            changed { $0["type"] = "something" },
            Array(" {\"spaces\": 1}".utf8), Array("no JSON".utf8), [0xFF, 0xFE],
        ]
        let frame = Frame(items: bodies.map(item))
        #expect(bodies.allSatisfy { MessageRow.take($0) == nil })
        #expect(try FrameCodec.decode(FrameCodec.encode(frame)) == frame)
    }

    @Test("a message whose id is another's comes back as it was, and not under a right id")
    func wrongID() throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        let body = talk.object(0).setting("id", "msg_aaaaaaaaaaaaaaaa").canonicalBytes()
        #expect(MessageRow.take(body) == nil)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item(body)]))).items[0].body == body)
    }

    @Test("a message in another order of members or with white space is not taken for its canonical form")
    func order() throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        let body = talk.object(0).canonicalBytes() + [0x20]
        let read = try FrameCodec.decode(FrameCodec.encode(Frame(items: [item(body)])))
        #expect(read.items[0].body == body)
    }

    @Test("a moment of creation other than the timestamp is kept")
    func created() throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        var moved = talk.item(0)
        moved.created = moved.created.adding(milliseconds: 1)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [moved]))).items == [moved])
    }

    @Test("recipients and a signed lifetime travel in columns (D-13, D-16)")
    func columns() throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        talk.extra = ["lifetime": 60_000]
        let object = talk.object(0, to: "@b8x1n5p4.bob", header: [UInt8](repeating: 3, count: 37))
            .setting("recipients", BodyWrap.list(try SampleTalk.wraps(for: "b8x1n5p4.bob", 2)))
        let body = object.canonicalBytes()
        let (row, message) = try #require(MessageRow.take(body))
        #expect(row.recipients != nil && row.form.lifetime == 60_000)
        #expect(UsualCourse(row) == UsualCourse(lifetime: message.lifetime, priority: message.priority))
        let item = SampleTalk.item(object)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
    }

    @Test(
        "metadata of any shape comes back in columns",
        arguments: [[:], ["client": ""], ["client": "a"], ["client": 1], ["client": "a", "b": nil]] as [JSONObject])
    func metadata(metadata: JSONObject) throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        let item = SampleTalk.item(talk.object(0, metadata: metadata))
        #expect(MessageRow.take(item.body) != nil)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
    }

    @Test(
        "the usual class is the message's own (D-20)", arguments: ["text", "voice", "media", "system"],
        ["#a", "@b8x1n5p4.bob"])
    func priority(type: String, channel: String) throws {
        var talk = SampleTalk(seed: 4, authors: 1)
        let (row, message) = try #require(
            MessageRow.take(talk.object(0, to: channel, type: type).canonicalBytes()))
        #expect(UsualCourse(row).priority == message.priority)
    }
}
