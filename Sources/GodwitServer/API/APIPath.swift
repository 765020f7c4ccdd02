import GodwitProtocol

/// The target of a request, split before anything is decoded: `%2F` is part of a name, `/` is not (gap G-37).
struct APIPath: Hashable {
    static let prefix = "/api/v1"

    /// Decoded, below the prefix.
    var segments: [String]
    /// In the order in which they stand.
    var query: [(name: String, value: String)]

    static func == (left: Self, right: Self) -> Bool {
        left.segments == right.segments && left.query.elementsEqual(right.query) { $0 == $1 }
    }
    func hash(into hasher: inout Hasher) { hasher.combine(segments) }

    /// Nil for a target that is not below the prefix.
    /// - Throws: `ProtocolError` 2000 for escapes that are none, or that are no UTF-8.
    init?(_ target: String) throws(ProtocolError) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let raw = parts[0]
        guard raw.hasPrefix(Self.prefix + "/") else { return nil }
        var segments: [String] = []
        for segment in raw.dropFirst(Self.prefix.utf8.count + 1).split(separator: "/", omittingEmptySubsequences: false)
        {
            segments.append(try Self.decode(segment, plus: false, member: "path"))
        }
        self.segments = segments
        query = []
        guard parts.count == 2, !parts[1].isEmpty else { return }
        for field in parts[1].split(separator: "&", omittingEmptySubsequences: false) {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decode(pair[0], plus: true, member: "query")
            query.append((name, pair.count == 2 ? try Self.decode(pair[1], plus: true, member: name) : ""))
        }
    }

    /// RFC 3986 §2.1; in a query `+` is a space (forms).
    static func decode(_ text: Substring, plus: Bool, member: String) throws(ProtocolError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                else { throw .malformed("A percent sign begins two hexadecimal digits.", member: member) }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plus: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("The request target is not UTF-8.", member: member)
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// A conversation's address as it may stand in a path: `#` may be missing, and `~` begins base64url of the whole, for
    /// proxies that decode `%2F` on the way.
    static func address(_ segment: String) -> String {
        if segment.hasPrefix("~"), let bytes = base64URL(segment.dropFirst()),
            let text = String(validating: bytes, as: UTF8.self)
        {
            return text
        }
        return segment.hasPrefix("#") || segment.hasPrefix("@") || segment.isEmpty ? segment : "#" + segment
    }

    private static func base64URL(_ text: Substring) -> [UInt8]? {
        var standard = ""
        for character in text { standard.append(character == "-" ? "+" : character == "_" ? "/" : character) }
        while !standard.utf8.count.isMultiple(of: 4) { standard += "=" }
        return Base64.decode(standard)
    }
}
