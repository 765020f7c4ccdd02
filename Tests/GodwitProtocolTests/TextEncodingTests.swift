import GodwitProtocol
import Testing

/// Base64, base32 and hexadecimal of RFC 4648; one text for one value (D-21).
@Suite("Text encodings")
struct TextEncodingTests {
    /// RFC 4648 §10; base32 in lower case without padding.
    static let vectors: [(plain: String, base64: String, base32: String, hex: String)] = [
        ("", "", "", ""), ("f", "Zg==", "my", "66"), ("fo", "Zm8=", "mzxq", "666f"), ("foo", "Zm9v", "mzxw6", "666f6f"),
        ("foob", "Zm9vYg==", "mzxw6yq", "666f6f62"), ("fooba", "Zm9vYmE=", "mzxw6ytb", "666f6f6261"),
        ("foobar", "Zm9vYmFy", "mzxw6ytboi", "666f6f626172"),
    ]

    @Test("the vectors of RFC 4648 §10 hold both ways")
    func vectors() {
        for vector in Self.vectors {
            let bytes = Array(vector.plain.utf8)
            #expect(Base64.encode(bytes) == vector.base64)
            #expect(Base64.decode(vector.base64) == bytes)
            #expect(Base32.encode(bytes) == vector.base32)
            #expect(Base32.decode(vector.base32) == bytes)
            #expect(Hex.encode(bytes) == vector.hex)
            #expect(Hex.decode(vector.hex) == bytes)
        }
    }

    @Test("every byte survives, and so does every length to 100")
    func roundTrips() {
        for count in 0...100 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base32.decode(Base32.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
        let all = Array(UInt8.min...UInt8.max)
        #expect(Base64.decode(Base64.encode(all)) == all)
    }

    @Test(
        "base64 without padding, with white space, of the other alphabet or with loose bits is refused",
        arguments: [
            "Zg", "Zg=", "Zg===", "Zg==\n", " Zg==", "Zm9v Yg=", "Zm9vYg=", "Z===", "====", "==", "=", "Zh==", "Zm9=",
            "Zm8-", "Zm_v", "Zg==Zg==", "Zg=a", "Z", "Zm9vé", "Zm9\u{0}",
        ])
    func base64Negatives(text: String) { #expect(Base64.decode(text) == nil) }

    @Test(
        "base32 of another case, alphabet or length, or with loose bits is refused",
        arguments: [
            "MY", "my======", "m", "mzx", "mzxw6y", "mz", "m1", "m8", "m0", "mzxw6ytbo", "m y", "mé", "a", "aaa",
            "aaaaaa",
        ])
    func base32Negatives(text: String) { #expect(Base32.decode(text) == nil) }

    @Test("hexadecimal is read in either case; half bytes and other characters are refused")
    func hex() {
        #expect(Hex.decode("00fFAb") == [0x00, 0xFF, 0xAB])
        for text in ["0", "0g", "0x", " 00", "é0"] { #expect(Hex.decode(text) == nil) }
    }

    @Test("units are written with separators")
    func units() {
        #expect(ByteCount(1_234_567).description == "1,234,567 B")
        #expect(ByteCount.kibibytes(64).bytes == 65_536)
        #expect(ByteCount.mebibytes(1) - ByteCount(1) == ByteCount(1_048_575))
        #expect(BitRate(bitsPerSecond: 50).description == "50 bit/s")
        #expect(BitRate(bitsPerSecond: -22_000).description == "-22,000 bit/s")
        #expect(PriorityClass.allCases.map(\.rawValue) == Array(0...7))
        #expect(PriorityClass.control < .bulk)
        #expect(Set(PriorityClass.allCases.map(\.name)).count == 8)
    }
}
