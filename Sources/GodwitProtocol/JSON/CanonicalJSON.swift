extension JSONValue {
    /// The canonical form of RFC 8785 (JCS) as UTF-8.
    public func canonicalBytes() -> [UInt8] {
        var out: [UInt8] = []
        append(to: &out)
        return out
    }

    public var canonicalText: String { String(decoding: canonicalBytes(), as: UTF8.self) }

    fileprivate func append(to out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): out.append(contentsOf: String(value).utf8)
        case .double(let value): out.append(contentsOf: CanonicalNumber.text(value).utf8)
        case .string(let value): CanonicalString.append(value, to: &out)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                element.append(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object): object.append(to: &out)
        }
    }
}

extension JSONObject {
    /// The canonical form of RFC 8785 (JCS) as UTF-8.
    ///
    /// - Parameter names: members that are left out, as if they were not there.
    public func canonicalBytes(omitting names: Set<String> = []) -> [UInt8] {
        var out: [UInt8] = []
        // Most objects are shorter, and none has to grow from nothing.
        out.reserveCapacity(960)
        append(to: &out, omitting: names)
        return out
    }

    public var canonicalText: String { String(decoding: canonicalBytes(), as: UTF8.self) }

    fileprivate func append(to out: inout [UInt8], omitting names: Set<String> = []) {
        var sorted = members
        // By bytes, as names are told apart: to Swift some different ones are equal.
        if !names.isEmpty { sorted.removeAll { member in names.contains { $0.utf8.elementsEqual(member.key.utf8) } } }
        sorted.sort { left, right in CanonicalString.precedes(left.key, right.key) }
        out.append(UInt8(ascii: "{"))
        for (index, member) in sorted.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            CanonicalString.append(member.key, to: &out)
            out.append(UInt8(ascii: ":"))
            member.value.append(to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }
}

/// Strings as ECMAScript's JSON.stringify writes them (RFC 8785 §3.2.2.2).
enum CanonicalString {
    /// The order of RFC 8785 §3.2.3, by UTF-16 code units. UTF-8 has the same, but that characters beyond the first
    /// 65,536 (which begin with 0xF0 and up) stand in UTF-16 before those from U+E000 on (0xEE and 0xEF).
    static func precedes(_ left: String, _ right: String) -> Bool {
        var others = right.utf8.makeIterator()
        for byte in left.utf8 {
            guard let other = others.next() else { return false }
            guard byte != other else { continue }
            if byte >= 0xF0, other >= 0xEE, other < 0xF0 { return true }
            if other >= 0xF0, byte >= 0xEE, byte < 0xF0 { return false }
            return byte < other
        }
        return others.next() != nil
    }

    static func append(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        // Most texts have nothing to escape, and are copied whole.
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        if isPlain {
            out.append(contentsOf: text.utf8)
            out.append(UInt8(ascii: "\""))
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): out.append(contentsOf: "\\\\".utf8)
            case 0x08: out.append(contentsOf: "\\b".utf8)
            case 0x09: out.append(contentsOf: "\\t".utf8)
            case 0x0A: out.append(contentsOf: "\\n".utf8)
            case 0x0C: out.append(contentsOf: "\\f".utf8)
            case 0x0D: out.append(contentsOf: "\\r".utf8)
            case 0..<0x20: out.append(contentsOf: ("\\u00" + Hex.encode([byte])).utf8)
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

/// Numbers as ECMAScript writes them (RFC 8785 §3.2.2.3, ECMA-262 Number::toString).
enum CanonicalNumber {
    /// - Precondition: `value` is finite; the parser lets nothing else in.
    static func text(_ value: Double) -> String {
        precondition(value.isFinite, "JSON has no infinities")
        if value == 0 { return "0" }
        let (digits, exponent) = shortest(value.magnitude)
        return (value < 0 ? "-" : "") + arrange(digits, exponent)
    }

    /// The fewest digits that read back as `value`, and the position n of the decimal point: 0.DIGITS × 10^n.
    private static func shortest(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        // Swift's description is the shortest that round-trips, as ECMAScript asks; only its layout differs.
        var text = Array(value.description.utf8)
        var exponent = 0
        if let mark = text.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(String(decoding: text[(mark + 1)...], as: UTF8.self)) ?? 0
            text.removeSubrange(mark...)
        }
        let point = text.firstIndex(of: UInt8(ascii: ".")) ?? text.count
        exponent += point
        text.removeAll { $0 == UInt8(ascii: ".") }
        let leading = text.prefix { $0 == UInt8(ascii: "0") }.count
        text.removeFirst(leading)
        exponent -= leading
        while text.last == UInt8(ascii: "0") { text.removeLast() }
        return (text, exponent)
    }

    private static func arrange(_ digits: [UInt8], _ exponent: Int) -> String {
        let text = String(decoding: digits, as: UTF8.self)
        let zeros = { (count: Int) in String(repeating: "0", count: count) }
        switch exponent {
        case digits.count...21: return text + zeros(exponent - digits.count)
        case 1..<max(1, digits.count) where exponent <= 21:
            return String(text.prefix(exponent)) + "." + text.dropFirst(exponent)
        case -5...0: return "0." + zeros(-exponent) + text
        default:
            let power = exponent - 1
            let sign = power < 0 ? "-" : "+"
            let mantissa = digits.count == 1 ? text : String(text.prefix(1)) + "." + text.dropFirst(1)
            return mantissa + "e" + sign + String(power.magnitude)
        }
    }
}
