public import GodwitProtocol

/// An X25519 public key (RFC 7748): 32 bytes, written `x25519:` and padded base64.
public struct AgreementPublicKey: Hashable, Sendable, CustomStringConvertible {
    public static let count = 32
    public let bytes: [UInt8]

    /// - Throws: `invalidKey` unless there are 32 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .invalidKey }
        self.bytes = bytes
    }

    /// - Throws: 2000 when the text has another form.
    public init(text: String) throws(ProtocolError) {
        guard let bytes = KeyText.read("x25519", text), bytes.count == Self.count else {
            throw KeyText.malformed("The agreement key", form: "x25519: and the base64 of 32 bytes")
        }
        self.bytes = bytes
    }

    public var text: String { KeyText.write("x25519", bytes) }
    public var description: String { text }
}
