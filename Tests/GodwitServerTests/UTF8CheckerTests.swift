import Testing

@testable import GodwitServer

@Suite struct UTF8CheckerTests {
    @Test("RFC 3629: agrees with Swift's own validation on every sequence of up to three interesting bytes")
    func exhaustive() {
        // The bounds of every range of the grammar in RFC 3629 §4.
        let bytes: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    for fourth in bytes + [0x41] {
                        let text = [first, second, third, fourth]
                        var checker = UTF8Checker()
                        let isValid = checker.accept(text) && checker.isComplete
                        #expect(isValid == (String(validating: text, as: UTF8.self) != nil), "\(text)")
                    }
                }
            }
        }
    }

    @Test("Pieces make no difference", arguments: 0..<3)
    func pieces(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        let alphabet = Array("aé€😀\u{0}\u{10FFFF}".unicodeScalars)
        for _ in 0..<500 {
            var bytes = (0..<8).flatMap { _ in Array(String(alphabet.randomElement(using: &random) ?? "a").utf8) }
            if Bool.random(using: &random) { bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 0x40 }
            if Bool.random(using: &random) { bytes.removeLast() }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            var checker = UTF8Checker()
            let isValid = checker.accept(bytes[..<cut]) && checker.accept(bytes[cut...]) && checker.isComplete
            #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil), "seed \(seed), \(bytes), \(cut)")
        }
    }
}

/// A seeded generator (SplitMix64, Steele, Lea and Flood 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
