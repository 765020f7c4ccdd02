/// The last step for one message: the chain's key through HKDF with the nonce (DCP 004 Appendix A, E2E-08), then
/// ChaCha20-Poly1305. Each chain key comes here once.
enum MessageCipher {
    static func seal(
        _ content: [UInt8], chainKey: Secret, nonce: MessageNonce, associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let nonce = nonce.bytes
        return try AEAD.seal(
            content, key: KeyDerivation.key(chainKey, info: nonce), nonce: nonce, associatedData: associatedData)
    }

    static func open(
        _ ciphertext: [UInt8], chainKey: Secret, nonce: MessageNonce, associatedData: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        let nonce = nonce.bytes
        return try AEAD.open(
            ciphertext, key: KeyDerivation.key(chainKey, info: nonce), nonce: nonce, associatedData: associatedData)
    }
}
