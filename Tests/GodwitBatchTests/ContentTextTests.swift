import GodwitProtocol
import Testing

@testable import GodwitBatch

/// D-10; RFC 7493 §2.1. A content is kept as JSON, so it holds no text that JSON does not carry.
@Suite("Texts of a clear content")
struct ContentTextTests {
    /// U+FFFE, U+FFFF, U+FDD0 and U+1FFFF.
    static let noncharacters: [[UInt8]] = [
        [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF], [0xEF, 0xB7, 0x90], [0xF0, 0x9F, 0xBF, 0xBF],
    ]

    @Test("a noncharacter in a text or a mention is refused with 2000 on both ends", arguments: noncharacters)
    func refused(_ scalar: [UInt8]) throws {
        let length = UInt8(scalar.count)
        for bytes in [[0x7A, length] + scalar, [0x12, length] + scalar + [0x7A, 0]] {
            let error = #expect(throws: ProtocolError.self) { try ClearContent(decoding: bytes) }
            #expect(error?.code == .invalidMessageFormat)
        }
        let text = JSONValue.string(String(decoding: scalar, as: UTF8.self))
        for content: JSONObject in [["text": text], ["text": "x", "mentions": .array([text])]] {
            let error = #expect(throws: ProtocolError.self) { try ClearContent(content).encoded() }
            #expect(error?.code == .invalidMessageFormat)
        }
    }

    @Test("the characters beside them pass, and what was read can be parsed again")
    func neighbours() throws {
        // U+FFFD, U+FDCF, U+FDF0 and U+10000.
        let bytes: [UInt8] = [
            0xEF, 0xBF, 0xBD, 0xEF, 0xB7, 0x8F, 0xEF, 0xB7, 0xB0, 0xF0, 0x90, 0x80, 0x80,
        ]
        let object = try ClearContent(decoding: [0x7A, UInt8(bytes.count)] + bytes).object
        #expect(object["text"]?.string == String(decoding: bytes, as: UTF8.self))
        #expect(try JSONObject.parse(object.canonicalBytes()) == object)
    }
}
