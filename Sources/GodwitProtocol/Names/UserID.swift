/// A user's name on its node: 3 to 64 characters of `a`–`z` `0`–`9` `-`, no hyphen first or last (gap G-36).
public struct Username: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let lengths = 3...64
    public let text: String

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard Self.lengths.contains(text.utf8.count),
            text.utf8.allSatisfy({ $0.isLowerCaseLetter || $0.isDigit || $0 == UInt8(ascii: "-") }),
            !text.hasPrefix("-"), !text.hasSuffix("-")
        else {
            throw .malformed(
                "A username has 3 to 64 characters a-z, 0-9 and hyphen, and no hyphen at either end.",
                hint: "Example: alice-river-7x9k")
        }
        self.text = String(text)
    }

    /// Folds any nickname to the grammar: lower case, other characters to hyphens, runs of hyphens to one; too short
    /// names get `user` in front. Two nicknames can fold to the same name.
    public init(folding nickname: String) {
        var out: [UInt8] = []
        for byte in nickname.lowercased().utf8 {
            let kept = byte.isLowerCaseLetter || byte.isDigit ? byte : UInt8(ascii: "-")
            if kept == UInt8(ascii: "-"), out.last == kept || out.isEmpty { continue }
            out.append(kept)
        }
        while out.last == UInt8(ascii: "-") { out.removeLast() }
        if out.count < Self.lengths.lowerBound {
            out = out.isEmpty ? Array("user".utf8) : Array("user-".utf8) + out
        }
        out = Array(out.prefix(Self.lengths.upperBound))
        while out.last == UInt8(ascii: "-") { out.removeLast() }
        text = String(decoding: out, as: UTF8.self)
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// A user everywhere: `{node-id}.{username}` (004 §2).
public struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let node: NodeID
    public let username: Username

    public init(node: NodeID, username: Username) {
        self.node = node
        self.username = username
    }

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard let dot = text.firstIndex(of: ".") else {
            throw .malformed(
                "A user id is a node id, a dot and a username.", hint: "Example: a7f3k9m2.alice-river-7x9k")
        }
        node = try NodeID(text[..<dot])
        username = try Username(text[text.index(after: dot)...])
    }

    public var text: String { node.text + "." + username.text }
    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
