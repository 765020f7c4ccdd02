import FoundationEssentials
import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Base64 in bodies travels as the bytes that it says (section 8.1, "Lifted bodies").
@Suite("What is lifted out of bodies")
struct BodyLiftTests {
    /// The wire form of a frame and its columns.
    static func wire(_ items: [BatchItem]) throws -> (frame: WireFrame, columns: WireColumns) {
        let wire = try WireFrame(serializedBytes: FrameLimitTests.unpacked(FrameCodec.encode(Frame(items: items))))
        return (wire, try WireColumns(serializedBytes: WireBytes.array(wire.columns)))
    }

    /// Whether the text goes as it is, alone in its frame. What comes back is checked in any case.
    private func isLifted(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Bool {
        let item = LiftSamples.item(text)
        let (frame, columns) = try Self.wire([item])
        #expect(
            try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item],
            sourceLocation: sourceLocation)
        #expect(WireBytes.array(frame.opaque).isEmpty == (columns.lifted == 0), sourceLocation: sourceLocation)
        if columns.lifted == 0 {
            #expect(WireBytes.array(columns.bodies) == item.body, sourceLocation: sourceLocation)
        }
        return columns.lifted == 1
    }

    @Test("every kind of object comes back bit for bit, alone and with all others", arguments: 0..<10 as Range<UInt64>)
    func kinds(seed: UInt64) throws {
        var samples = LiftSamples(seed: seed)
        let items = samples.all()
        for item in items { #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item]) }
        var talk = SampleTalk(seed: seed, authors: 3)
        let mixture = (items + talk.mixture(20)).shuffled(using: &talk.random)
        for runs in [false, true] {
            #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items), runs: runs)).items == items)
        }
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: mixture))).items == mixture)
        #expect(try Self.wire(mixture).columns.lifted == 1)
    }

    @Test("every object of the protocol document comes back bit for bit")
    func document() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/protocol.md")
        let blocks = String(decoding: try Data(contentsOf: path), as: UTF8.self).split(separator: "```")
        let texts = blocks.map { $0.drop { $0 != "\n" }.filter { $0 != "\n" } }
        let items = texts.filter { $0.hasPrefix("{\"") && $0.hasSuffix("}") }.map { LiftSamples.item(String($0)) }
        #expect(items.count > 6)
        for item in items { #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item]) }
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items))).items == items)
    }

    @Test("text that resembles base64 here and there comes back bit for bit", arguments: 0..<40 as Range<UInt64>)
    func confusion(seed: UInt64) throws {
        var samples = LiftSamples(seed: seed)
        for _ in 0..<25 {
            let items = (0..<1 + samples.random.below(6)).map { _ in samples.confusion() }
            #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items))).items == items)
        }
    }

    @Test("keys, hashes and signatures go to the opaque part in their order, with a marker in the text")
    func markers() throws {
        let (key, cuts) = ((0..<32).map { UInt8($0) }, (100..<170).map { UInt8($0) })
        let first = LiftSamples.item(#"{"key":"ed25519:\#(Base64.encode(key))","n":1}"#)
        let second = LiftSamples.item(#"{"items":"\#(Base64.encode(cuts))"}"#, .receipt)
        let (frame, columns) = try Self.wire([first, second])
        #expect(columns.lifted == 1)
        #expect(
            WireBytes.array(columns.bodies) == Array("{\"key\":\"ed25519:\u{07}\",\"n\":1}{\"items\":\"\u{1F}F\"}".utf8)
        )
        #expect(columns.bodyLengths == [25, 14])
        #expect(WireBytes.array(frame.opaque) == key + cuts)
    }

    @Test("each common length has a marker of one byte, and all are told apart")
    func lengths() throws {
        for count in 1...1300 {
            let marker = LiftMarker.bytes(for: count)
            #expect(marker.count == 1 || marker == [0x1F] + Varint.bytes(UInt64(count)))
            #expect(try LiftMarker.read(marker[...]) == (count, marker.count))
        }
        #expect(LiftMarker.counts == LiftMarker.counts.sorted() && LiftMarker.counts.count < Int(LiftMarker.other))
        for count in [32, 64, 48, 80, 10, 1184] { #expect(LiftMarker.bytes(for: count).count == 1) }
    }

    @Test("16 bytes are lifted, or 8 where there is padding; less is text")
    func least() throws {
        var random = SplitMix(seed: 5)
        // Besides it stands a hash, so that the frame is worth it.
        func count(_ bytes: Int) throws -> Int {
            let text = #"{"a":"\#(Base64.encode(random.bytes(bytes)))","hash":"\#(Base64.encode(random.bytes(32)))"}"#
            let item = LiftSamples.item(text)
            #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: [item]))).items == [item])
            return WireBytes.array(try Self.wire([item]).frame.opaque).count - 32
        }
        for bytes in [0, 1, 3, 5, 7, 12, 15] { #expect(try count(bytes) == 0, "\(bytes) bytes") }
        for bytes in [8, 10, 11, 13, 14, 16, 17, 18, 21, 24] { #expect(try count(bytes) == bytes, "\(bytes) bytes") }
    }

    @Test("a frame with less than 16 bytes to lift stays as it was")
    func small() throws {
        var samples = LiftSamples(seed: 9)
        let (one, other) = (
            LiftSamples.item(samples.receipt(), .receipt), LiftSamples.item(samples.receipt(), .receipt)
        )
        #expect(try Self.wire([one]).columns.lifted == 0)
        #expect(try Self.wire([one, other]).columns.lifted == 1)
    }

    @Test(
        "what is no canonical base64, no value or no noise stays text",
        arguments: [
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB="}"#,  // bits behind the last byte
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"}"#,  // no padding
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy==="}"#,  // too much padding
            #"{"a":"AQIDBAUGBwgJCgsM=Q4PEBESExQVFhcYGRobHB0eHyA="}"#,  // padding within
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA= "}"#,  // more behind it
            #"{"a":" AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="}"#,  // more before it
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="#,  // no end
            #"{"a":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=}"#,  // no quote
            #"{"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=":1}"#,  // the name of a member
            #"{"a":"-QIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="}"#,  // of another alphabet
            #"{"a":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,  // hexadecimal
            #"{"a":"abcdefghijklmnopqrstuvwxyz234567"}"#,  // base32
            #"{"a":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,  // nothing
        ])
    func text(_ text: String) throws {
        #expect(try !isLifted(text))
    }

    @Test("a key at the very beginning and at the very end of a text, and one behind a kind")
    func edges() throws {
        let key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
        for text in ["\"\(key)\"", ":\(key)\"", "\"x25519:\(key)\"", "\"\"\"\(key)\"\"", "{\"a\":\"\(key)\"}"] {
            #expect(try isLifted(text), "\(text)")
        }
    }

    @Test("what stands in a frame twice stays text there, and costs no more than before")
    func repeated() throws {
        var samples = LiftSamples(seed: 4)
        let hash = samples.noise(32)
        let markers = (0..<20).map { _ in LiftSamples.item(samples.marker().setting("upto", hash)) }
        #expect(try Self.wire(markers).columns.lifted == 0)
        let (frame, columns) = try Self.wire(markers + [LiftSamples.item(samples.membership())])
        #expect(columns.lifted == 1 && WireBytes.array(frame.opaque).count == 32 + 32 + 64 + 64)
        let bytes = try FrameCodec.encode(Frame(items: markers))
        #expect(bytes.count < 600, "\(bytes.count) bytes")
    }

    @Test("a body with a byte that looks like a marker comes back, and nothing is lifted beside it", arguments: 0..<32)
    func controls(byte: UInt8) throws {
        var samples = LiftSamples(seed: UInt64(byte))
        let others = samples.all()
        let key = Base64.encode(samples.random.bytes(32))
        for kind in BatchItem.Kind.allCases {
            let odd = LiftSamples.item(Array("{\"a\":".utf8) + [byte] + Array("\"\(key)\"}".utf8), kind)
            for items in [[odd], others + [odd], [odd] + others] {
                #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items))).items == items)
                #expect(try Self.wire(items).columns.lifted == 0)
            }
        }
    }

    @Test("bodies of any bytes come back", arguments: 0..<20 as Range<UInt64>)
    func noise(seed: UInt64) throws {
        var samples = LiftSamples(seed: seed)
        var items = (0..<3).map { _ in LiftSamples.item(samples.random.bytes(1 + samples.random.below(400))) }
        items += samples.all()
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items))).items == items)
    }

    @Test("frames fill up to their limit as before", arguments: [700, 3000, 20_000])
    func packing(limit: Int) throws {
        var samples = LiftSamples(seed: UInt64(limit))
        let items = (0..<20).flatMap { _ in samples.all() }
        let packed = try FramePacker.pack(Frame(items: items), limit: ByteCount(limit))
        #expect(packed.count > 0 && packed.count < items.count && packed.bytes.count <= limit)
        #expect(try FrameCodec.decode(packed.bytes).items == Array(items.prefix(packed.count)))
        let more = try FrameCodec.encode(Frame(items: Array(items.prefix(packed.count + 1)), hasMore: true))
        #expect(more.count > limit)
    }
}
