import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-7, D-8, G-58, G-77.
@Suite("A frame")
struct FrameCodecTests {
    @Test("any mixture of items comes back bit for bit", arguments: 0..<60 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var talk = SampleTalk(seed: seed, authors: 1 + Int(seed % 7))
        let items = talk.mixture(1 + Int(seed))
        let frame = Frame(
            floor: seed * 3,
            acknowledgements: seed % 2 == 0
                ? [] : [Acknowledgement(incarnation: 7, ranges: [1...3, 9...9], digest: talk.random.bytes(8))],
            items: items, hasMore: seed % 3 == 0)
        let bytes = try FrameCodec.encode(frame)
        #expect(try FrameCodec.decode(bytes) == frame)
    }

    @Test("an empty frame costs four bytes at most")
    func empty() throws {
        let bytes = try FrameCodec.encode(Frame())
        #expect(bytes.count <= 4)
        #expect(try FrameCodec.decode(bytes) == Frame())
    }

    @Test("columns derive id and prev: neither is in the frame")
    func derived() throws {
        var talk = SampleTalk(seed: 5, authors: 1)
        let objects = (0..<3).map { _ in talk.object(0) }
        let messages = try objects.map { try Message($0) }
        let bytes = try FrameCodec.encode(Frame(items: objects.map(SampleTalk.item)))
        for message in messages {
            let hash = Array(message.hash.bytes.prefix(6))
            #expect(!bytes.indices.contains { bytes[$0...].starts(with: hash) })
            #expect(!bytes.indices.contains { bytes[$0...].starts(with: Array(message.id.text.utf8.prefix(8))) })
        }
        #expect(try FrameCodec.decode(bytes).items.map(\.body) == objects.map { $0.canonicalBytes() })
    }

    @Test("a message whose predecessor is not in the frame carries 32 bytes for it")
    func givenLink() throws {
        var talk = SampleTalk(seed: 6, authors: 1)
        let items = (0..<3).map { _ in talk.item(0) }
        let whole = try FrameCodec.encode(Frame(items: [items[0], items[1]]))
        let gap = try FrameCodec.encode(Frame(items: [items[0], items[2]]))
        let end = try FrameCodec.encode(Frame(items: [items[2]]))
        let link = try #require(Message(parsing: items[2].body).previous?.bytes)
        #expect(gap.indices.contains { gap[$0...].starts(with: link) })
        #expect(end.indices.contains { end[$0...].starts(with: link) })
        #expect((32...48).contains(gap.count - whole.count))
        for bytes in [whole, gap, end] { #expect(try FrameCodec.encode(FrameCodec.decode(bytes)) == bytes) }
    }

    @Test("a fork keeps both messages and their own links (D-3)")
    func fork() throws {
        var talk = SampleTalk(seed: 8, authors: 1)
        let first = talk.item(0)
        let before = talk.authors
        let second = talk.item(0)
        talk.authors = before
        let other = talk.item(0)
        let frame = Frame(items: [first, second, other])
        #expect(try FrameCodec.decode(FrameCodec.encode(frame)) == frame)
    }

    @Test("ages travel as whole seconds, rounded up", arguments: [(0, 0), (1, 1000), (1000, 1000), (1001, 2000)])
    func ages(age: Int64, read: Int64) throws {
        var talk = SampleTalk(seed: 9, authors: 1)
        var item = talk.item(0)
        item.age = age
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items[0].age == read)
    }

    @Test("the greatest values pass, one more is refused")
    func extremes() throws {
        var talk = SampleTalk(seed: 10, authors: 1)
        var item = talk.item(0)
        item.age = FrameLimits.ageMax * 1000
        item.lifetime = JSONValue.integerMax
        let frame = Frame(floor: .max, items: [item])
        #expect(try FrameCodec.decode(FrameCodec.encode(frame)) == frame)
        for change in [\BatchItem.age, \BatchItem.lifetime] {
            var beyond = item
            beyond[keyPath: change] += 1
            #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(items: [beyond])) }
            beyond[keyPath: change] = -1
            #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(items: [beyond])) }
        }
        for time in [FrameLimits.times.lowerBound, FrameLimits.times.upperBound] {
            let object = BatchItem(
                kind: .object, body: [0x7B, 0x7D], created: Timestamp(milliseconds: time), priority: .bulk)
            #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [object]))).items == [object])
        }
    }
}
