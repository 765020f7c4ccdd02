/// Name of a home node: 8 characters `a`–`z` `0`–`9` (004 §2; derivation: decision D-17).
public struct NodeID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard text.utf8.count == 8, text.utf8.allSatisfy({ $0.isLowerCaseLetter || $0.isDigit }) else {
            throw .malformed("A node id has exactly 8 characters a-z and 0-9.", hint: "Example: a7f3k9m2")
        }
        self.text = String(text)
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

extension UInt8 {
    var isLowerCaseLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
