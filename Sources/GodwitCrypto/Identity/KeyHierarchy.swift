/// The keys that follow from a passphrase's master key (DCP 004 Appendix A; docs/protocol.md, section 4.4).
public struct KeyHierarchy: Sendable {
    /// Seed of a signing key. For recovery and test vectors only: keys in use come from the random generator (G-17).
    public let signingKey: Secret
    public let encryptionKey: Secret
    public let functionKey: Secret

    /// - Parameter masterKey: 32 bytes from PBKDF2 or Argon2id.
    public init(masterKey: Secret) {
        signingKey = KeyDerivation.key(masterKey, info: Array("DCP-SIGNING-KEY-V1".utf8))
        encryptionKey = KeyDerivation.key(masterKey, info: Array("DCP-ENCRYPTION-KEY-V1".utf8))
        functionKey = KeyDerivation.key(masterKey, info: Array("DCP-FUNCTION-KEY-V1".utf8))
    }
}
