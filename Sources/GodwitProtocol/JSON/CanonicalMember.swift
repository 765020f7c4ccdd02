/// Reads one member of an object in canonical form without parsing the rest of it.
public enum CanonicalMember {
    /// The text of a member at the top level whose value is a string without escapes.
    ///
    /// - Parameter bytes: what `canonicalBytes` of a `JSONObject` has made.
    /// - Returns: nil where there is no such member, or one of another kind: parse the object then.
    public static func text(_ name: String, of bytes: [UInt8]) -> String? {
        var depth = 0
        var place = 0
        var isName = false
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                isName = bytes[place] == UInt8(ascii: "{")
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ","): isName = depth == 1
            case UInt8(ascii: "\""):
                guard let end = end(of: place, in: bytes) else { return nil }
                if depth == 1, isName, bytes[(place + 1)..<end].elementsEqual(name.utf8) {
                    return value(at: end + 1, in: bytes)
                }
                isName = false
                place = end
            default: break
            }
            place += 1
        }
        return nil
    }

    /// Where the string that begins at a place ends: its second quotation mark.
    private static func end(of start: Int, in bytes: [UInt8]) -> Int? {
        var place = start + 1
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "\"") { return place }
            place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    private static func value(at colon: Int, in bytes: [UInt8]) -> String? {
        guard colon + 1 < bytes.count, bytes[colon] == UInt8(ascii: ":"), bytes[colon + 1] == UInt8(ascii: "\""),
            let end = end(of: colon + 1, in: bytes)
        else { return nil }
        let text = bytes[(colon + 2)..<end]
        return text.contains(UInt8(ascii: "\\")) ? nil : String(decoding: text, as: UTF8.self)
    }
}
