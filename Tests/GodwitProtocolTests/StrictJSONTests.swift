import GodwitProtocol
import Testing

/// I-JSON (RFC 7493) over RFC 8259: what a Godwit refuses to read (D-2, D-21).
@Suite("Strict JSON")
struct StrictJSONTests {
    @Test(
        "what is no JSON is refused with the place",
        arguments: [
            "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "nul",
            "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10", "1 2", "\"", "\"a",
            "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u 123\"", "\"\n\"", "\"\u{1F}\"", "[1]]", "{}{}",
            "\u{FEFF}{}", "// a\n1", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "\u{A0}1",
        ])
    func syntax(text: String) {
        let error = refusal { () throws(ProtocolError) in try JSONValue.parse(text) }
        #expect(error?.code == .invalidMessageFormat)
        let offset = error?.details["offset"]?.integer ?? -1
        #expect((0...Int64(text.utf8.count)).contains(offset))
    }

    @Test("a member name that comes twice is refused, however it is escaped")
    func duplicates() {
        for text in [#"{"a":1,"a":2}"#, #"{"a":1,"\u0061":1}"#, #"{"x":{"a":null,"b":1,"a":null}}"#] {
            #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(text) }?.code == .invalidMessageFormat)
        }
    }

    @Test("names that only Unicode normalisation makes equal are two names, and two texts")
    func noNormalisation() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let object = try #require(try JSONValue.parse("{\"\(composed)\":1,\"\(decomposed)\":2}").object)
        #expect(object.count == 2)
        #expect(object[composed] == 1 && object[decomposed] == 2)
        #expect(JSONValue.string(composed) != .string(decomposed))
        #expect(JSONObject(dictionaryLiteral: (composed, 1)) != JSONObject(dictionaryLiteral: (decomposed, 1)))
    }

    @Test(
        "lone surrogates are refused",
        arguments: [
            #""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\udc00\ud800""#,
            #""\udbff\ue000""#, #""\ud800\ue000""#, #""\ud800\udbff""#, #"{"\ud834":1}"#,
        ])
    func surrogates(text: String) {
        #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(text) }?.code == .invalidMessageFormat)
    }

    @Test("a surrogate pair is one character")
    func pair() throws {
        #expect(try JSONValue.parse(#""\ud83d\ude00\uDBFF\uDFFD""#) == .string("😀\u{10FFFD}"))
    }

    @Test("all 66 noncharacters are refused, their neighbours are read (RFC 7493 §2.1)")
    func noncharacters() throws {
        let planes = (UInt32(0)...16).flatMap { [$0 << 16 | 0xFFFE, $0 << 16 | 0xFFFF] }
        let codes = planes + Array(UInt32(0xFDD0)...0xFDEF)
        #expect(codes.count == 66)
        for code in codes {
            let text = "\"" + String(try #require(Unicode.Scalar(code))) + "\""
            #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(text) } != nil)
        }
        for code: UInt32 in [0xFDCF, 0xFDF0, 0xFFFD, 0x10000, 0x1FFFD, 0x20000, 0x10FFFD] {
            let scalar = try #require(Unicode.Scalar(code))
            #expect(try JSONValue.parse("\"\(scalar)\"") == .string(String(scalar)))
        }
    }

    @Test(
        "invalid UTF-8 is refused: overlong forms, surrogates, cut sequences, beyond U+10FFFF",
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xC3], [0xFF],
            [0xFE],
        ])
    func encoding(bytes: [UInt8]) {
        let text = [0x22] + bytes + [0x22]
        #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(text) }?.code == .invalidMessageFormat)
        let name = Array("{".utf8) + text + Array(":1}".utf8)
        #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(name) }?.code == .invalidMessageFormat)
    }

    @Test("32 levels are read, 33 are refused")
    func depth() throws {
        func nested(_ levels: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: levels) + "0" + String(repeating: close, count: levels)
        }
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            _ = try JSONValue.parse(nested(32, open, close))
            #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(nested(33, open, close)) } != nil)
            #expect(refusal { () throws(ProtocolError) in try JSONValue.parse(nested(200_000, open, close)) } != nil)
        }
    }

    @Test("integers are read to ±(2^53 − 1) and refused beyond")
    func integers() throws {
        #expect(try JSONValue.parse("9007199254740991") == .integer(9_007_199_254_740_991))
        #expect(try JSONValue.parse("-9007199254740991") == .integer(-9_007_199_254_740_991))
        for text in [
            "9007199254740992", "-9007199254740992", "9223372036854775808", "1000000000000000000000",
            "9007199254740992.0",
            "9.007199254740992e15", "1e20", "-1e20", "999999999999999900000e0",
        ] {
            #expect(
                refusal { () throws(ProtocolError) in try JSONValue.parse(text) }?.code == .invalidMessageFormat,
                "\(text)")
        }
    }

    @Test("equal numbers are equal values, whatever their form")
    func numbers() throws {
        for text in ["100", "1e2", "1E+2", "100.0", "1000e-1"] { #expect(try JSONValue.parse(text) == .integer(100)) }
        for text in ["0", "-0", "0.0", "-0.0", "0e5", "1e-400"] { #expect(try JSONValue.parse(text) == .integer(0)) }
        #expect(try JSONValue.parse("1e21") == .double(1e21))
        #expect(try JSONValue.parse("1e308") == .double(1e308))
        #expect(refusal { () throws(ProtocolError) in try JSONValue.parse("1e309") } != nil)
        #expect(refusal { () throws(ProtocolError) in try JSONValue.parse("-1e99999") } != nil)
    }

    @Test("a text of the largest size is read, one byte more is 2001 with both sizes")
    func size() throws {
        let limits = JSONLimits(bytes: 10)
        #expect(try JSONValue.parse(#""12345678""#, limits: limits) == "12345678")
        let error = refusal { () throws(ProtocolError) in try JSONValue.parse(#""123456789""#, limits: limits) }
        #expect(error?.code == .messageTooLarge)
        #expect(error?.details == ["max_size": 11, "actual_size": 11])
    }

    @Test("a reader of objects refuses other values")
    func objects() {
        for text in ["[]", "1", "\"a\"", "null"] {
            #expect(refusal { () throws(ProtocolError) in try JSONObject.parse(Array(text.utf8)) } != nil)
        }
    }

    @Test("20,000 damaged texts never crash the reader, and what it accepts stays the same when written and read again")
    func damage() throws {
        var random = SeededRandom(seed: 8785)
        var texts = try Vectors.lines("jcs-objects.txt").map { Array($0.utf8) }
        texts.append(Sample.channelMessage.canonicalBytes())
        texts.append(Sample.identityFile.canonicalBytes())
        let pool = Array(#"{}[]",:\u0e+-.1 dD"#.utf8) + [0x00, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = texts[Int.random(in: 0..<texts.count, using: &random)]
            for _ in 0...Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[place] = pool[Int.random(in: 0..<pool.count, using: &random)]
                case 1: bytes.insert(pool[Int.random(in: 0..<pool.count, using: &random)], at: place)
                case 2: bytes.remove(at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            guard let value = try? JSONValue.parse(bytes) else { continue }
            accepted += 1
            let written = value.canonicalBytes()
            #expect(try JSONValue.parse(written) == value)
            #expect(try JSONValue.parse(written).canonicalBytes() == written)
        }
        #expect((500..<19_500).contains(accepted), "the damage is neither too weak nor too strong: \(accepted)")
    }
}
