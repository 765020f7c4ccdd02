import GodwitProtocol
import Testing

/// RFC 8785, the form under every hash and signature (D-2).
@Suite("Canonical JSON")
struct CanonicalJSONTests {
    @Test("the sample of RFC 8785 §3.2.2 comes out as printed there")
    func sample() throws {
        let input = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(try JSONValue.parse(input).canonicalText == expected)
    }

    @Test("names are sorted by UTF-16 code units, as in RFC 8785 §3.2.3")
    func order() throws {
        let input = #"""
            {"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
            "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}
            """#
        let expected =
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\","
            + "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\","
            + "\"\u{FB33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        let output = try JSONValue.parse(input).canonicalBytes()
        #expect(output == Array(expected.utf8))
    }

    /// RFC 8785, appendix B.
    static let numbers: [(UInt64, String)] = [
        (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"), (0x8000_0000_0000_0001, "-5e-324"),
        (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"), (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"), (0xC340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
        (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"),
        (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"), (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"),
        (0x444B_1AE4_D6E2_EF50, "1e+21"),
        (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
        (0x41B3_DE43_5555_5553, "333333333.3333332"), (0x41B3_DE43_5555_5554, "333333333.33333325"),
        (0x41B3_DE43_5555_5555, "333333333.3333333"), (0x41B3_DE43_5555_5556, "333333333.3333334"),
        (0x41B3_DE43_5555_5557, "333333333.33333343"),
        (0xBECB_F647_612F_3696, "-0.0000033333333333333333"), (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
    ]

    @Test("numbers are written as in RFC 8785, appendix B", arguments: numbers)
    func appendixB(bits: UInt64, text: String) {
        #expect(JSONValue.double(Double(bitPattern: bits)).canonicalText == text)
    }

    @Test("2,296 numbers are written as a JavaScript engine writes them")
    func engineNumbers() throws {
        let lines = try Vectors.lines("jcs-numbers.txt")
        #expect(lines.count == 2296)
        for line in lines {
            let parts = line.split(separator: " ")
            let bits = try #require(UInt64(parts[0], radix: 16))
            let number = Double(bitPattern: bits)
            #expect(JSONValue.double(number).canonicalText == parts[1])
            let isWholeAndUnsafe = abs(number) >= 9_007_199_254_740_992 && abs(number) < 1e21
            let parsed = try? JSONValue.parse(String(parts[1]))
            #expect((parsed == nil) == isWholeAndUnsafe, "\(line)")
            if let parsed { #expect(parsed.canonicalText == parts[1]) }
        }
    }

    @Test("objects are ordered and escaped as a JavaScript engine does")
    func engineObjects() throws {
        let lines = try Vectors.lines("jcs-objects.txt")
        try #require(lines.count > 200 && lines.count.isMultiple(of: 2))
        for index in stride(from: 0, to: lines.count, by: 2) {
            let output = try JSONValue.parse(lines[index]).canonicalBytes()
            #expect(output == Array(lines[index + 1].utf8))
        }
    }

    @Test("control characters are escaped in the shortest form, others stand as they are")
    func controls() {
        let short: [UInt8: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: "\\\"", 92: "\\\\"]
        for code in UInt8(0)...127 {
            let text = JSONValue.string(String(Unicode.Scalar(code))).canonicalText
            let plain = code < 32 ? "\\u00" + Hex.encode([code]) : String(Unicode.Scalar(code))
            #expect(text == "\"" + (short[code] ?? plain) + "\"")
        }
    }

    @Test(
        "Members that are left out are those of the same bytes, at the top only; names that Swift takes for equal stay")
    func omitted() throws {
        // U+212A is canonically equivalent to K (Unicode 15, singleton decompositions).
        let object = try JSONObject.parse(Array("{\"K\":1,\"\u{212A}\":2,\"a\":{\"K\":3},\"b\":4}".utf8))
        let left = object.canonicalBytes(omitting: ["K", "b", "none"])
        #expect(String(decoding: left, as: UTF8.self) == "{\"a\":{\"K\":3},\"\u{212A}\":2}")
        #expect(left == object.omitting(["K", "b", "none"]).canonicalBytes())
        #expect(object.canonicalBytes(omitting: []) == object.canonicalBytes())
    }
}
