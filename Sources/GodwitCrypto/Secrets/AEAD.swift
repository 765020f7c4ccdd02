import CSodium

/// ChaCha20-Poly1305 as RFC 8439 has it: 32-byte key, 12-byte nonce, tag of 16 bytes last.
public enum AEAD {
    public static let keyCount = 32
    public static let nonceCount = 12
    public static let tagCount = 16

    /// - Returns: the ciphertext followed by the tag, 16 bytes longer than the plaintext.
    /// - Throws: `invalidKey` or `malformed` when key or nonce has another length.
    public static func seal(
        _ plaintext: [UInt8], key: Secret, nonce: [UInt8], associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyCount else { throw .invalidKey }
        guard nonce.count == nonceCount else { throw .malformed }
        var output = [UInt8](repeating: 0, count: plaintext.count + tagCount)
        _ = key.withPointer { key in
            crypto_aead_chacha20poly1305_ietf_encrypt(
                &output, nil, plaintext, UInt64(plaintext.count), associatedData, UInt64(associatedData.count), nil,
                nonce, key)
        }
        return output
    }

    /// - Throws: `authenticationFailed` when the tag does not fit, in which case no plaintext was made.
    public static func open(
        _ ciphertext: [UInt8], key: Secret, nonce: [UInt8], associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyCount else { throw .invalidKey }
        guard nonce.count == nonceCount, ciphertext.count >= tagCount else { throw .malformed }
        var output = [UInt8](repeating: 0, count: ciphertext.count - tagCount)
        let status = key.withPointer { key in
            crypto_aead_chacha20poly1305_ietf_decrypt(
                &output, nil, nil, ciphertext, UInt64(ciphertext.count), associatedData, UInt64(associatedData.count),
                nonce, key)
        }
        guard status == 0 else { throw .authenticationFailed }
        return output
    }
}
