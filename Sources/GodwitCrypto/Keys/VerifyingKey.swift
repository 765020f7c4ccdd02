import CSodium
public import GodwitProtocol

/// The public half of a signing key: 32 bytes, written `ed25519:` and padded base64.
///
/// Any 32 bytes can stand here; keys of small order and non-canonical encodings are refused when a signature is checked.
public struct VerifyingKey: Hashable, Sendable, CustomStringConvertible {
    public static let count = 32
    public let bytes: [UInt8]

    /// - Throws: `invalidKey` unless there are 32 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .invalidKey }
        self.bytes = bytes
    }

    /// Reads the text form. The base64 may also hold an OpenSSH public key blob (RFC 8709 §4), which some identity files
    /// carry (gap G-22); it is never written.
    ///
    /// - Throws: 2000 when the text has another form.
    public init(text: String) throws(ProtocolError) {
        guard let raw = KeyText.read("ed25519", text), let key = Self.unwrapped(raw) else {
            throw KeyText.malformed("The public key", form: "ed25519: and the base64 of 32 bytes")
        }
        bytes = key
    }

    public var text: String { KeyText.write("ed25519", bytes) }
    public var description: String { text }

    /// True if `signature` is this key's over the bytes and the purpose, by libsodium's strict rule.
    public func verify(_ message: [UInt8], signature: Signature, purpose: SignaturePurpose) -> Bool {
        verify(raw: purpose.prefix + message, signature: signature)
    }

    /// The same for a JSON object, over its canonical form without the members that the purpose leaves out (or those
    /// named).
    public func verify(
        object: JSONObject, signature: Signature, purpose: SignaturePurpose, omitting: Set<String>? = nil
    ) -> Bool {
        verify(
            object.canonicalBytes(omitting: omitting ?? purpose.unsignedMembers), signature: signature,
            purpose: purpose)
    }

    /// Plain Ed25519 of RFC 8032, without the purpose.
    func verify(raw message: [UInt8], signature: Signature) -> Bool {
        crypto_sign_verify_detached(signature.bytes, message, UInt64(message.count), bytes) == 0
    }

    private static func unwrapped(_ raw: [UInt8]) -> [UInt8]? {
        if raw.count == count { return raw }
        let head: [UInt8] = [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32]
        guard raw.count == head.count + count, raw.starts(with: head) else { return nil }
        return Array(raw.suffix(count))
    }
}
