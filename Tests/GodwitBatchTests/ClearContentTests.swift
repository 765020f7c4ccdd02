import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-10, MSG-08 to MSG-11.
@Suite("Clear content")
struct ClearContentTests {
    static let contents: [JSONObject] = [
        ["format": "plain", "mentions": [], "reply_to": nil, "text": "Water at km 12"],
        ["format": "markdown", "mentions": ["b8x1n5p4.bob"], "reply_to": "msg_abcdefghijklmnop", "text": "**now** 🙂"],
        ["text": ""], ["text": "only text"], ["format": "plain", "text": "x"], ["reply_to": nil, "text": "x"],
        ["format": "rich", "mentions": [1, "a"], "reply_to": "msg_previous_id", "text": "odd members"],
        ["format": "plain", "mentions": [], "reply_to": "msg_ABCDEFGHIJKLMNOP", "text": "upper case"],
        [
            "format": "plain", "later": ["a": [.double(1.5), true]], "mentions": [], "reply_to": nil,
            "text": "unknown member",
        ],
        ["caption": "map", "media_refs": [["hash": "sha256:00", "size": 245_760]]],
        ["media_ref": ["codec": "opus", "duration": 45], "waveform": [.double(0.1), .double(0.5)]],
        ["text": 5, "format": "plain"], ["text": nil], [:],
    ]

    @Test("every content comes back, whatever members it has", arguments: contents)
    func roundTrip(content: JSONObject) throws {
        let bytes = try ClearContent(content).encoded()
        #expect(try ClearContent(decoding: bytes).object == content)
    }

    @Test("a usual text costs two bytes beside itself, which stands last")
    func size() throws {
        let bytes = try ClearContent(Self.contents[0]).encoded()
        #expect(bytes == [0x7A, 14] + Array("Water at km 12".utf8))
        let reply = try ClearContent(Self.contents[1]).encoded()
        #expect(reply.suffix(12) == Array("**now** 🙂".utf8))
        #expect(reply.count == 2 + 14 + 12 + 2 + 12)
    }

    @Test("what no encoder writes is refused")
    func malformed() {
        let wrong: [[UInt8]] = [
            [0xFF], [0x7A, 5, 1], [0x08, 1], [0x08, 2, 0x7A, 0], [0x1A, 1, 9, 0x7A, 0], [0x2A, 2, 0x5B, 0x5D],
            [0x7A, 1, 0xFF],
        ]
        for bytes in wrong {
            #expect(throws: ProtocolError.self, "\(bytes)") { try ClearContent(decoding: bytes) }
        }
    }

    @Test("65,536 bytes pass, one more is refused on both ends")
    func limit() throws {
        func content(_ count: Int) -> JSONObject {
            ["format": "plain", "mentions": [], "reply_to": nil, "text": .string(String(repeating: "a", count: count))]
        }
        let bytes = try ClearContent(content(65_532)).encoded()
        #expect(bytes.count == 65_536)
        #expect(try ClearContent(decoding: bytes).object == content(65_532))
        #expect(throws: ProtocolError.self) { try ClearContent(content(65_533)).encoded() }
        #expect(throws: ProtocolError.self) { try ClearContent(decoding: bytes + [0]) }
    }

    @Test("20,000 spoiled contents never crash; what is read can be written again")
    func mutants() throws {
        var random = SplitMix(seed: 10)
        let samples = try Self.contents.map { try ClearContent($0).encoded() }.filter { !$0.isEmpty }
        for _ in 0..<20_000 {
            var bytes = samples[random.below(samples.count)]
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
            guard let read = try? ClearContent(decoding: bytes) else { continue }
            #expect(try ClearContent(decoding: read.encoded()) == read)
        }
    }
}
