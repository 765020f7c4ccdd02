/// What a parser accepts at the most.
public struct JSONLimits: Sendable, Hashable {
    /// Bytes of input.
    public var bytes: Int
    /// Levels of nesting: a scalar has 0, `[]` has 1.
    public var depth: Int

    public init(bytes: Int = 1_048_576, depth: Int = 32) {
        self.bytes = bytes
        self.depth = depth
    }
}

extension JSONValue {
    /// Reads strict I-JSON (RFC 8259 as narrowed by RFC 7493): UTF-8, no duplicate names, no lone surrogates, no
    /// noncharacters, no numbers that a double cannot hold, no whole numbers that change their form when written again.
    ///
    /// - Throws: `ProtocolError` 2000 with the byte offset in `details.offset`; 2001 beyond `limits.bytes`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(ProtocolError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw .tooLarge("The JSON text is too large.", actual: bytes.count, firstRefused: limits.bytes + 1)
        }
        var parser = JSONParser(bytes, depthMax: limits.depth)
        return try parser.document()
    }

    public static func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws(ProtocolError) -> JSONValue {
        try parse(Array(text.utf8), limits: limits)
    }
}

extension JSONObject {
    /// Reads a JSON text whose value must be an object.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(ProtocolError) -> JSONObject {
        guard let object = try JSONValue.parse(bytes, limits: limits).object else {
            throw .malformed("The JSON text is not an object.")
        }
        return object
    }
}

/// A recursive-descent parser over bytes.
struct JSONParser {
    private let bytes: [UInt8]
    private let depthMax: Int
    private var index = 0

    init(_ bytes: [UInt8], depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    mutating func document() throws(ProtocolError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw failure("There is text after the JSON value.") }
        return value
    }

    private func failure(_ message: String) -> ProtocolError {
        ProtocolError(.invalidMessageFormat, message, details: ["offset": .integer(Int64(index))])
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(ProtocolError) -> JSONValue {
        skipSpace()
        guard let first = current else { throw failure("The JSON text ends too early.") }
        switch first {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(ProtocolError) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw failure("This is no JSON value.") }
        index += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(ProtocolError) -> JSONObject {
        guard depth <= depthMax else { throw failure("The JSON text is nested too deeply.") }
        index += 1
        var object = JSONObject()
        skipSpace()
        if skip("}") { return object }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("A member name must be a string.") }
            let key = try string()
            guard object[key] == nil else { throw failure("A member name stands twice in one object.") }
            skipSpace()
            guard skip(":") else { throw failure("A colon is missing after a member name.") }
            object[key] = try value(depth: depth)
            skipSpace()
            if skip("}") { return object }
            guard skip(",") else { throw failure("A comma or a closing brace is missing.") }
        }
    }

    private mutating func array(depth: Int) throws(ProtocolError) -> [JSONValue] {
        guard depth <= depthMax else { throw failure("The JSON text is nested too deeply.") }
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if skip("]") { return elements }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if skip("]") { return elements }
            guard skip(",") else { throw failure("A comma or a closing bracket is missing.") }
        }
    }

    private mutating func string() throws(ProtocolError) -> String {
        index += 1
        var out: [UInt8] = []
        while true {
            guard let byte = current else { throw failure("A string is not closed.") }
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                guard let text = String(validating: out, as: UTF8.self) else {
                    throw failure("A string is not valid UTF-8.")
                }
                guard JSONValue.canCarry(text) else {
                    throw failure("A string has a noncharacter of Unicode.")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20: throw failure("A control character in a string must be escaped.")
            default:
                out.append(byte)
                index += 1
            }
        }
    }

    private mutating func escape(into out: inout [UInt8]) throws(ProtocolError) {
        index += 1
        guard let kind = current else { throw failure("A string is not closed.") }
        index += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(kind)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"): out.append(contentsOf: Array(String(Character(try escapedScalar())).utf8))
        default: throw failure("This escape is unknown.")
        }
    }

    private mutating func escapedScalar() throws(ProtocolError) -> Unicode.Scalar {
        let first = try hexUnit()
        if (0xD800..<0xDC00).contains(first) {
            guard skip("\\"), skip("u") else { throw failure("A surrogate stands alone.") }
            let second = try hexUnit()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw failure("A surrogate stands alone.") }
            return scalar
        }
        guard let scalar = Unicode.Scalar(first) else { throw failure("A surrogate stands alone.") }
        return scalar
    }

    private mutating func hexUnit() throws(ProtocolError) -> UInt32 {
        guard index + 4 <= bytes.count,
            let pair = Hex.decode(String(decoding: bytes[index..<index + 4], as: UTF8.self))
        else { throw failure("Four hexadecimal digits must follow \\u.") }
        index += 4
        return UInt32(pair[0]) << 8 | UInt32(pair[1])
    }

    private mutating func digits() -> Int {
        let start = index
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        return index - start
    }

    private mutating func number() throws(ProtocolError) -> JSONValue {
        let start = index
        _ = skip("-")
        let leadingZero = current == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, whole == 1 || !leadingZero else { throw failure("This is no JSON value.") }
        var isInteger = true
        if skip(".") {
            isInteger = false
            guard digits() > 0 else { throw failure("Digits must follow the decimal point.") }
        }
        if skip("e") || skip("E") {
            isInteger = false
            _ = skip("+") || skip("-")
            guard digits() > 0 else { throw failure("Digits must follow the exponent.") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let integer = Int64(text), (-JSONValue.integerMax...JSONValue.integerMax).contains(integer) {
            return .integer(integer)
        }
        guard !isInteger else { throw failure("An integer lies beyond ±(2^53 − 1).") }
        guard let double = Double(text), double.isFinite else { throw failure("A number is too large.") }
        if let integer = Int64(exactly: double), integer.magnitude <= JSONValue.integerMax { return .integer(integer) }
        // From 2^53 on every double is whole, and below 10^21 its canonical form has no exponent: the next reader would
        // meet an integer out of range.
        guard double.magnitude < Double(JSONValue.integerMax) || double.magnitude >= 1e21 else {
            throw failure("A whole number lies beyond ±(2^53 − 1).")
        }
        return .double(double)
    }
}

extension JSONValue {
    /// Whether a text that came another way than through the parser may stand in JSON: it has no noncharacter.
    public static func canCarry(_ text: String) -> Bool { !text.unicodeScalars.contains(where: \.isNoncharacter) }
}

extension Unicode.Scalar {
    /// RFC 7493 §2.1 forbids these 66 code points.
    fileprivate var isNoncharacter: Bool { value & 0xFFFE == 0xFFFE || (0xFDD0...0xFDEF).contains(value) }
}
