public import GodwitProtocol

/// An Ed25519 signature: 64 bytes, written `ed25519:` and padded base64.
public struct Signature: Hashable, Sendable, CustomStringConvertible {
    public static let count = 64
    public let bytes: [UInt8]

    /// - Throws: `malformed` unless there are 64 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .malformed }
        self.bytes = bytes
    }

    /// - Throws: 2000 when the text has another form.
    public init(text: String) throws(ProtocolError) {
        guard let bytes = KeyText.read("ed25519", text), bytes.count == Self.count else {
            throw KeyText.malformed("The signature", form: "ed25519: and the base64 of 64 bytes")
        }
        self.bytes = bytes
    }

    public var text: String { KeyText.write("ed25519", bytes) }
    public var description: String { text }
}
