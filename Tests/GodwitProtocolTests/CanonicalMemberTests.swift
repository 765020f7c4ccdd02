import Testing

@testable import GodwitProtocol

/// One member read out of canonical JSON, and the order of members (RFC 8785 §3.2.3), against the parser and UTF-16.
@Suite("Members of canonical JSON")
struct CanonicalMemberTests {
    private static let names = [
        "channel", "a", "", "chan", "channels", "z\u{e000}", "\u{10000}", "\u{ffff0}x", "é", "\"q\"",
    ]

    private static func value(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &random) {
        case 0: .null
        case 1: .bool(true)
        case 2: .integer(Int64.random(in: -5...5, using: &random))
        case 3:
            .string(["", "#general", "a \"b\" \\", "{\"channel\":\"x\"}", "é,:"].randomElement(using: &random) ?? "")
        case 4: .string("plain")
        case 5: .array((0..<3).map { _ in value(depth + 1, &random) })
        default: .object(object(depth + 1, &random))
        }
    }

    private static func object(_ depth: Int, _ random: inout SeededGenerator) -> JSONObject {
        var object: JSONObject = [:]
        for name in names.shuffled(using: &random).prefix(Int.random(in: 0...5, using: &random)) {
            object[name] = value(depth, &random)
        }
        return object
    }

    @Test(
        "a text is found where the parser finds it, whatever stands around it; what has escapes is left to the parser")
    func texts() {
        var random = SeededGenerator(seed: 85)
        var found = 0
        for _ in 0..<5_000 {
            let object = Self.object(0, &random)
            let bytes = object.canonicalBytes()
            for name in ["channel", "a", "", "chan"] {
                let text = object[name]?.string
                let isPlain = text.map { !$0.contains("\"") && !$0.contains("\\") } ?? false
                let read = CanonicalMember.text(name, of: bytes)
                #expect(read == (isPlain ? text : nil))
                found += read == nil ? 0 : 1
            }
        }
        #expect(found > 1_000)
    }

    @Test("no bytes make it fail, however they are cut")
    func cut() {
        var random = SeededGenerator(seed: 8785)
        for _ in 0..<500 {
            let bytes = Self.object(0, &random).canonicalBytes()
            for end in 0...bytes.count { _ = CanonicalMember.text("channel", of: Array(bytes[..<end])) }
        }
    }

    @Test("members stand in the order of their UTF-16 code units")
    func order() {
        var random = SeededGenerator(seed: 3)
        let scalars = [
            "a", "b", "é", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10000}", "\u{10ffff}",
        ]
        for _ in 0..<20_000 {
            let draw = { (random: inout SeededGenerator) in
                (0..<Int.random(in: 0...4, using: &random)).map { _ in scalars.randomElement(using: &random) ?? "" }
                    .joined()
            }
            let (left, right) = (draw(&random), draw(&random))
            #expect(CanonicalString.precedes(left, right) == left.utf16.lexicographicallyPrecedes(right.utf16))
        }
    }
}

/// SplitMix64, so that a failure can be repeated.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
