import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// Frames with `lifted`, as a stranger might write them.
@Suite("Lifted bodies that nobody wrote")
struct LiftedFrameTests {
    private static func code(_ bytes: [UInt8]) -> ErrorCode? {
        do throws(ProtocolError) { _ = try FrameCodec.decode(bytes) } catch { return error.code }
        return nil
    }

    /// A frame of bodies whose text in `bodies` is this.
    private static func frame(
        _ texts: [[UInt8]], opaque: [UInt8], kind: UInt32 = 2, lifted: UInt32 = 1
    ) throws -> [UInt8] {
        var columns = WireColumns()
        columns.kinds = [kind | UInt32(texts.count) << 2]
        columns.bodyLengths = texts.map { UInt32($0.count) }
        columns.bodies = WireBytes.make(Array(texts.joined()))
        columns.lifted = lifted
        var frame = WireFrame()
        let plain: [UInt8] = try columns.serializedBytes()
        if plain.count > 1000 {
            frame.packedColumns = WireBytes.make(try #require(Primer.compress(plain)))
        } else {
            frame.columns = WireBytes.make(plain)
        }
        frame.opaque = WireBytes.make(opaque)
        return try frame.serializedBytes()
    }

    private static let hash = (0..<32).map { UInt8($0) }

    @Test("markers of both forms are read, also where no sender would set them")
    func markers() throws {
        let texts: [([UInt8], String)] = [
            ([0x07], Base64.encode(Self.hash)), ([0x1F, 32], Base64.encode(Self.hash)),
            (
                [0x61, 0x1F, 16, 0x1F, 16],
                "a" + [Self.hash[..<16], Self.hash[16...]].map { Base64.encode(Array($0)) }.joined()
            ),
            ([0x1F, 1, 0x1F, 31, 0x7B], "AA==" + Base64.encode(Array(Self.hash[1...])) + "{"),
        ]
        for (text, body) in texts {
            let read = try FrameCodec.decode(Self.frame([text], opaque: Self.hash))
            #expect(read.items.map(\.body) == [Array(body.utf8)])
        }
        let none = try FrameCodec.decode(Self.frame([[0x7B, 0x7D]], opaque: []))
        #expect(none.items.map(\.body) == [[0x7B, 0x7D]])
    }

    @Test("each body takes its own from the opaque part, in the order of the items, messages in columns between them")
    func order() throws {
        var talk = SampleTalk(seed: 8, authors: 1)
        var samples = LiftSamples(seed: 8)
        let items = [
            LiftSamples.item(samples.membership()), talk.item(0), LiftSamples.item(samples.marker()), talk.item(0),
        ]
        let wire = try WireFrame(serializedBytes: FrameCodec.encode(Frame(items: items)))
        let opaque = WireBytes.array(wire.opaque)
        let places = items.compactMap { item in
            BodyLifts(item.body).runs.first.flatMap { run in
                opaque.indices.first { opaque[$0...].starts(with: run.bytes) }
            }
        }
        #expect(places.count == 4 && places == places.sorted() && places[0] == 0)
        #expect(try FrameCodec.decode(FrameCodec.encode(Frame(items: items))).items == items)
    }

    @Test(
        "what marks nothing is refused",
        arguments: [
            [0x00], [0x13], [0x14], [0x1E],  // no markers
            [0x1F], [0x1F, 0x80], [0x1F, 0xA0],  // a count that is cut off
            [0x1F, 0x00], [0x1F, 0x80, 0x00], [0x1F, 0xA0, 0x00],  // nothing lifted, and longer forms than needed
            [0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0x1F, 0xC0, 0xFF, 0x03],
            [0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            [0x08], [0x1F, 33], [0x06], [0x07, 0x01],  // more or less than there is
        ] as [[UInt8]])
    func refused(text: [UInt8]) throws {
        // Alone, and behind a marker that uses the bytes up: none of them may count as nothing.
        let cases: [(before: [UInt8], opaque: [UInt8])] = [
            ([0x61], Self.hash), ([0x07], Self.hash), ([0x07], Self.hash + Self.hash),
        ]
        for (before, opaque) in cases {
            for texts in [[before + text], [before + text, [0x7B]]] as [[[UInt8]]] {
                #expect(try Self.code(Self.frame(texts, opaque: opaque)) == .invalidMessageFormat)
            }
        }
    }

    @Test("a marker does not go on in the next body")
    func cut() throws {
        #expect(try Self.code(Self.frame([[0x1F], [32, 0x61]], opaque: Self.hash)) == .invalidMessageFormat)
        #expect(try Self.code(Self.frame([[0x61, 0x1F, 32], [0x61]], opaque: Self.hash)) == nil)
    }

    @Test("left over bytes and other values than 0 and 1 are refused; 0 reads every byte as it is")
    func values() throws {
        #expect(try Self.code(Self.frame([[0x07]], opaque: Self.hash + [1])) == .invalidMessageFormat)
        for lifted in [2, 3, .max] as [UInt32] {
            let frame = try Self.frame([[0x07]], opaque: Self.hash, lifted: lifted)
            #expect(Self.code(frame) == .invalidMessageFormat)
        }
        #expect(try Self.code(Self.frame([[0x07]], opaque: Self.hash, lifted: 0)) == .invalidMessageFormat)
        let earlier = try FrameCodec.decode(Self.frame([[0x07, 0x1F, 0x00]], opaque: [], lifted: 0))
        #expect(earlier.items.map(\.body) == [[0x07, 0x1F, 0x00]])
    }

    @Test("a frame of a program that lifts nothing is read as ever")
    func earlier() throws {
        var samples = LiftSamples(seed: 3)
        let items = samples.all().filter { $0.kind == .object }
        let frame = try Self.frame(items.map(\.body), opaque: [], lifted: 0)
        #expect(try FrameCodec.decode(frame).items.map(\.body) == items.map(\.body))
    }

    /// A text that becomes so many bytes with 3,000 lifted ones.
    private static func text(_ count: Int) -> [UInt8] {
        [0x1F] + Varint.bytes(3000) + [UInt8](repeating: 0x61, count: count - 4000)
    }

    @Test("limits hold for the body as it will be: an object, a verbatim message, all of a frame")
    func limits() throws {
        let opaque = [UInt8](repeating: 7, count: 3000)
        for (kind, most) in [(1, FrameLimits.messageMax), (2, FrameLimits.objectMax), (3, FrameLimits.objectMax)] {
            let kind = UInt32(kind)
            let read = try FrameCodec.decode(Self.frame([Self.text(most)], opaque: opaque, kind: kind))
            #expect(read.items.map(\.body.count) == [most])
            let beyond = try Self.frame([Self.text(most + 1)], opaque: opaque, kind: kind)
            #expect(Self.code(beyond) == .messageTooLarge)
        }
        let seven = [[UInt8]](repeating: [UInt8](repeating: 0x61, count: 131_072), count: 7)
        #expect(try Self.code(Self.frame(seven + [Self.text(131_072)], opaque: opaque)) == nil)
        let beyond = try Self.frame(seven + [Self.text(131_071), [0x61, 0x61]], opaque: opaque)
        #expect(Self.code(beyond) == .messageTooLarge)
    }

    @Test("a million markers for bytes that are not there cost a refusal")
    func flood() throws {
        let text = [UInt8](repeating: 0x12, count: 131_072)
        let frame = try Self.frame([[UInt8]](repeating: text, count: 8), opaque: [1])
        #expect(frame.count < 300)
        #expect(Self.code(frame) == .invalidMessageFormat)
    }

    @Test("the greatest object of keys goes through, and is refused with a byte more")
    func greatest() throws {
        var random = SplitMix(seed: 6)
        // 131,072 bytes that hold 65,000 lifted ones, and much that can be compressed.
        let key = "\"" + Base64.encode(random.bytes(64_998)) + "\""
        let body = Array(key.utf8) + [UInt8](repeating: 0x61, count: FrameLimits.objectMax - key.utf8.count)
        let item = LiftSamples.item(body)
        let bytes = try FrameCodec.encode(Frame(items: [item]))
        #expect(bytes.count < 65_100)
        #expect(try FrameCodec.decode(bytes).items == [item])
        #expect(throws: ProtocolError.self) { try FrameCodec.encode(Frame(items: [LiftSamples.item(body + [0x61])])) }
    }

    @Test("every flipped bit and every beginning of a frame with lifted bodies is read within limits, or refused")
    func damage() throws {
        var samples = LiftSamples(seed: 12)
        let items = [samples.membership(), samples.marker()].map { LiftSamples.item($0) }
        let plain = try FrameLimitTests.unpacked(FrameCodec.encode(Frame(items: items)))
        var (read, refused) = (0, 0)
        for bit in 0..<plain.count * 8 {
            var bent = plain
            bent[bit / 8] ^= 1 << UInt8(bit % 8)
            if let frame = try? FrameCodec.decode(bent) {
                read += 1
                #expect(frame.items.allSatisfy { !$0.body.isEmpty && $0.body.count <= FrameLimits.objectMax })
                #expect(try FrameCodec.decode(FrameCodec.encode(frame)) == frame)
            } else {
                refused += 1
            }
        }
        for count in 1..<plain.count { #expect(Self.code(Array(plain[..<count])) != nil || count < 4) }
        #expect(read > 1000 && refused > 300, "\(read) read, \(refused) refused")
    }
}
