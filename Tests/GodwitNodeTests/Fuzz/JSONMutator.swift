import GodwitProtocol

/// Changes JSON at random, so that most of it stays as it was: what a mistaken or hostile implementation sends.
struct JSONMutator {
    private var random: SeededBits

    init(seed: UInt64) { random = SeededBits(seed) }

    /// One to three places changed.
    mutating func mutated(_ object: JSONObject) -> JSONObject {
        var result = object
        for _ in 0..<Int.random(in: 1...3, using: &random) { result = changed(result) }
        return result
    }

    /// A text of bytes, most of them right: some flipped, cut off, doubled, or put in.
    mutating func garbled(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !result.isEmpty {
            let place = Int.random(in: 0..<result.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: result[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: result.removeSubrange(place...)
            case 2: result.insert(contentsOf: result[place..<min(result.count, place + 64)], at: place)
            case 3: result.insert(.random(in: 0...255, using: &random), at: place)
            default: result.insert(contentsOf: Self.fragments.randomElement(using: &random) ?? [], at: place)
            }
        }
        return result
    }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }

    private mutating func changed(_ object: JSONObject) -> JSONObject {
        var result = object
        let keys = object.keys.sorted()
        guard !keys.isEmpty, Int.random(in: 0..<8, using: &random) > 0 else {
            result[pick(Self.names + keys)] = value(like: nil)
            return result
        }
        let key = pick(keys)
        if Int.random(in: 0..<6, using: &random) == 0 {
            result[key] = nil
        } else {
            result[key] = value(like: object[key])
        }
        return result
    }

    private mutating func value(like value: JSONValue?) -> JSONValue {
        let deeper = Int.random(in: 0..<4, using: &random) > 0
        if deeper, let inner = value?.object { return .object(changed(inner)) }
        if deeper, let inner = value?.array, !inner.isEmpty {
            var list = inner
            let place = Int.random(in: 0..<list.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: list.remove(at: place)
            case 1: list.append(list[place])
            default: list[place] = self.value(like: list[place])
            }
            return .array(list)
        }
        if deeper, let text = value?.string {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: return .string(String(text.dropLast()))
            case 1: return .string(text + pick(Self.texts))
            case 2: return .string(text.uppercased())
            default: return .string(String(decoding: garbled(Array(text.utf8)), as: UTF8.self))
            }
        }
        return pick(Self.values)
    }

    private static let names = ["", "type", "command", "signature", "__proto__", "\u{0}", "id", "data"]
    private static let texts = ["", "=", "\u{0}", "\u{202E}", "😀", "/../", "'; DROP TABLE x; --", "#", "@", ":"]
    private static let fragments: [[UInt8]] = [
        Array("{".utf8), Array("[[[[[[[[".utf8), Array("\"".utf8), Array("\\ud800".utf8), Array("1e999".utf8),
        Array("-0".utf8), [0xED, 0xA0, 0x80], [0xC0, 0x80], Array("null".utf8), Array(",".utf8),
    ]
    private static let values: [JSONValue] = [
        .null, .bool(true), .bool(false), 0, -1, 1, 9_007_199_254_740_991, -9_007_199_254_740_991, .double(0.5),
        .double(1e300), "", "x", .string(String(repeating: "a", count: 300)),
        .string(String(repeating: "é", count: 5_000)),
        [], [:], [[]], [.null], ["a": ["b": ["c": [:]]]],
        .array([JSONValue](repeating: 1, count: 600)), "2025-09-06T10:30:00.123Z", "AAAA", "ed25519:AAAA",
        "a7f3k9m2.alice", "#general", "@a7f3k9m2.alice",
    ]
}

/// Steele, Lea and Flood's SplitMix64: the same changes for the same seed.
struct SeededBits: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
