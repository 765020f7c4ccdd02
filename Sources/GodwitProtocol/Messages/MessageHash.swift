internal import Crypto

/// SHA-256, for the pure rooms.
public enum SHA256Digest {
    /// 32 bytes.
    public static func of(_ parts: [UInt8]...) -> [UInt8] {
        var hasher = SHA256()
        for part in parts { part.withUnsafeBytes { hasher.update(bufferPointer: $0) } }
        return hasher.finalize().withUnsafeBytes { [UInt8]($0) }
    }
}

/// Place of a message in its author's chain: 32 bytes (decisions D-2, D-3).
///
/// `message_hash` = SHA-256(`"DCP1:link"` 0x00 ‖ `prev` or 32 zero bytes ‖ `body_hash`).
public struct MessageHash: Hashable, Sendable {
    public let bytes: [UInt8]

    /// Nil unless 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// Reads padded base64.
    public init?(base64 text: String) {
        guard let bytes = Base64.decode(text) else { return nil }
        self.init(bytes)
    }

    /// - Parameter bodyHash: 32 bytes.
    public init(linking bodyHash: [UInt8], after previous: MessageHash?) {
        bytes = SHA256Digest.of(
            Array("DCP1:link".utf8) + [0], previous?.bytes ?? [UInt8](repeating: 0, count: 32), bodyHash)
    }

    public var base64: String { Base64.encode(bytes) }

    /// The derived id (decision D-4).
    public var id: MessageID { MessageID(hash: self) }
}

/// `msg_` and 16 lower-case letters or digits (MSG-02). Derived from the hash, for people and for references.
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    init(hash: MessageHash) { text = "msg_" + Base32.encode(hash.bytes.prefix(10)) }

    /// - Throws: `ProtocolError` 2000.
    public init(_ text: some StringProtocol) throws(ProtocolError) {
        guard text.utf8.count == 20, text.hasPrefix("msg_"),
            text.utf8.dropFirst(4).allSatisfy({ $0.isLowerCaseLetter || $0.isDigit })
        else {
            throw .malformed("A message id is msg_ and 16 characters a-z and 0-9.", member: "id")
        }
        self.text = String(text)
    }

    public var description: String { text }

    /// The first 10 bytes of the hash, if the id is one that Godwit derives.
    public var prefix: [UInt8]? { Base32.decode(String(text.dropFirst(4))).flatMap { $0.count == 10 ? $0 : nil } }
}
