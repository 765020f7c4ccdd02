import FoundationEssentials
import GodwitCompression
import GodwitProtocol
import SwiftProtobuf
import Testing

@testable import GodwitBatch

/// The examples of docs/protocol: a second implementation starts from them.
@Suite("The worked examples of the document")
struct WorkedExampleTests {
    /// All protocol documents as one text without white space, so that examples may be wrapped.
    private static func document(testFile: String = #filePath) throws -> String {
        let docs = URL(filePath: testFile).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs")
        var text = ""
        for name in ["protocol.md"] {
            guard let data = try? Data(contentsOf: docs.appending(path: name)) else { continue }
            text += String(decoding: data, as: UTF8.self)
        }
        return text.filter { !$0.isWhitespace }
    }

    private func expectInDocument(_ example: String, _ what: Comment) throws {
        let stripped = example.filter { !$0.isWhitespace }
        #expect(try Self.document().contains(stripped), "\(what): \(example)")
    }

    /// Two messages of one chain: ciphertexts of 32 bytes 0xA0 and 0xA1, signatures of 64 bytes 0xB0 and 0xB1.
    private func messages() -> [JSONObject] {
        var previous: MessageHash?
        return (0..<2).map { index in
            let nonce: [UInt8] = [0xC0, 0xC1, 0xC2, 0xC3, 0, 0, 0, 0, 0, 0, 0, UInt8(index)]
            let epoch = (0..<32).map { UInt8($0) }
            let object: JSONObject = [
                "author": "a7f3k9m2.alice", "channel": "#general", "channel_node": "a7f3k9m2",
                "content": ["ciphertext": .string(Base64.encode([UInt8](repeating: 0xA0 + UInt8(index), count: 32)))],
                "device": "abcdefgh",
                "encryption": [
                    "algorithm": "chacha20-poly1305", "header": "",
                    "key_id": .string(Base32.encode(epoch.prefix(10))), "nonce": .string(Base64.encode(nonce)),
                ],
                "epoch": .string(Base64.encode(epoch)), "metadata": ["client": "godwit/0.1.0"],
                "seq": .integer(Int64(index)),
                "timestamp": index == 0 ? "2026-11-21T10:30:00.123Z" : "2026-11-21T10:30:41.500Z", "type": "text",
            ]
            let signature = [UInt8](repeating: 0xB0 + UInt8(index), count: 64)
            let (complete, hash) = SampleTalk.complete(object, after: previous, signature: signature)
            previous = hash
            return complete
        }
    }

    @Test("a frame of two messages")
    func frame() throws {
        let messages = messages()
        for message in messages { try expectInDocument(message.canonicalText, "message") }
        var items = messages.map(SampleTalk.item)
        items[0].age = 50_000
        items[1].age = 8_623
        let frame = Frame(
            floor: 4,
            acknowledgements: [
                Acknowledgement(
                    incarnation: 0x0102_0304, ranges: [1...7, 9...9], digest: Acknowledgement.digest(of: []))
            ],
            items: items)
        let bytes = try FrameCodec.encode(frame)
        let wire = try WireFrame(serializedBytes: bytes)
        try expectInDocument(Hex.encode(bytes), "frame")
        try expectInDocument(Hex.encode(Primer.decompress(WireBytes.array(wire.packedColumns))), "columns")
        try expectInDocument(Hex.encode(WireBytes.array(wire.opaque)), "opaque")
        // What is written in the clear is read as well: the primer is the sender's choice.
        #expect(try FrameCodec.decode(FrameLimitTests.unpacked(bytes)) == FrameCodec.decode(bytes))
        #expect(try FrameCodec.decode(bytes).items.map(\.age) == [50_000, 9_000])
    }

    @Test("a frame that goes on from the one before")
    func context() throws {
        let items = messages().map(SampleTalk.item)
        let limit = ByteCount(FrameLimits.frameMax)
        let first = try FramePacker.pack(Frame(items: [items[0]]), limit: limit, runs: true)
        var book = ContextBook()
        book.note(first.contexts, of: 1)
        let second = try FramePacker.pack(
            Frame(items: [items[1]]), limit: limit, runs: true, known: KnownChains(book, for: 2))
        let wire = try WireFrame(serializedBytes: second.bytes)
        let columns = WireBytes.array(wire.columns)
        try expectInDocument(
            Hex.encode(columns.isEmpty ? Primer.decompress(WireBytes.array(wire.packedColumns)) : columns), "columns")
        try expectInDocument(Hex.encode(second.bytes), "frame")
        let opened = try FrameCodec.open(second.bytes, number: 2)
        #expect(opened.references == [1])
        #expect(try opened.read(with: [1: first.contexts]).items.map(\.body) == [items[1].body])
    }

    @Test("a frame with lifted bodies")
    func lifted() throws {
        let objects: [JSONObject] = [
            [
                "at": "2026-11-21T10:30:00.123Z", "channel": "#general", "channel_node": "a7f3k9m2",
                "device": "abcdefgh", "type": "read_marker", "upto": .string(Base64.encode((0..<32).map { UInt8($0) })),
                "user_id": "a7f3k9m2.alice",
            ],
            [
                "at": "2026-11-21T10:30:00.123Z", "from": "b4n8p2x7.bob/aaaaaaaa",
                "items": .string(Base64.encode((0x60..<0xA6).map { UInt8($0) })), "state": "delivered",
                "to": "a7f3k9m2.alice/abcdefgh", "type": "receipt",
            ],
        ]
        for object in objects { try expectInDocument(object.canonicalText, "object") }
        let kinds: [BatchItem.Kind] = [.object, .receipt]
        let items = zip(objects, kinds).map { LiftSamples.item($0, $1) }
        let bytes = try FrameCodec.encode(Frame(items: items))
        let wire = try WireFrame(serializedBytes: bytes)
        let columns = try Primer.decompress(WireBytes.array(wire.packedColumns))
        try expectInDocument(Hex.encode(columns), "columns")
        try expectInDocument(Hex.encode(WireBytes.array(wire.opaque)), "opaque")
        try expectInDocument(Hex.encode(bytes), "frame of \(bytes.count) bytes")
        #expect(try WireColumns(serializedBytes: columns).lifted == 1)
        #expect(try FrameCodec.decode(bytes).items == items)
    }

    @Test("what a loose frame says of the beginning of a frame, that of section 4.6")
    func partial() throws {
        let sealed = try #require(
            Hex.decode(
                "0144d6f31d00000001ac02ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59"
                    + "5b833ff8716523cf31dd4dc0619b6f3f9264df8cc2ae"))
        try expectInDocument(Hex.encode(sealed), "frame")
        let partial = PartialFrame(
            incarnation: 1, number: 300, count: 64, digest: PartialFrame.digest(of: sealed.prefix(64)))
        try expectInDocument(Hex.encode(FrameCodec.encode(Frame(partials: [partial]))), "partial")
    }

    @Test("a content")
    func content() throws {
        let object: JSONObject = [
            "format": "plain", "mentions": [], "reply_to": "msg_abcdefghijklmnop",
            "text": "Message received, thank you. We are leaving now.",
        ]
        let clear = try ClearContent(object).encoded()
        let packed = try ContentCodec.pack(clear)
        try expectInDocument(object.canonicalText, "object")
        try expectInDocument(Hex.encode(clear), "clear")
        try expectInDocument(Hex.encode(packed), "packed")
        try expectInDocument(Hex.encode(Padding.steps.pad(packed)), "padded")
    }

    @Test("the primers' names")
    func primers() throws {
        for primer in [BrotliPrimer.envelope, BrotliPrimer.phrases] {
            try expectInDocument(Hex.encode(try #require(primer).digest), "digest")
        }
    }
}
