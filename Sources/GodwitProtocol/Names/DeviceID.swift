/// Name of a device: base32 of the first 5 bytes of a hash of its signing key (`docs/protocol.md` §2).
public struct DeviceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard text.utf8.count == 8, text.utf8.allSatisfy(Base32.isAlphabet) else {
            throw .malformed("A device id has exactly 8 characters a-z and 2-7.")
        }
        self.text = String(text)
    }

    public var description: String { text }
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// One end of a hop: a node, or a device of a user.
public enum Party: Hashable, Sendable, CustomStringConvertible {
    case node(NodeID)
    case device(UserID, DeviceID)

    /// Reads `a7f3k9m2` or `a7f3k9m2.alice/abcdefgh`.
    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        if let slash = text.firstIndex(of: "/") {
            self = .device(try UserID(text[..<slash]), try DeviceID(text[text.index(after: slash)...]))
        } else {
            self = .node(try NodeID(text))
        }
    }

    public var text: String {
        switch self {
        case .node(let node): node.text
        case .device(let user, let device): user.text + "/" + device.text
        }
    }

    public var description: String { text }
}
