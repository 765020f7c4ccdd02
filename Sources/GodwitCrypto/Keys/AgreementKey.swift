import CSodium

/// An X25519 private key (RFC 7748): any 32 bytes, clamped when used.
public struct AgreementKey: Sendable, Equatable {
    public static let count = 32
    public let publicKey: AgreementPublicKey
    /// The 32 bytes to store.
    public let secret: Secret

    /// - Throws: `invalidKey` unless there are 32 bytes.
    public init(_ secret: Secret) throws(CryptoError) {
        guard secret.count == Self.count else { throw .invalidKey }
        var publicKey = [UInt8](repeating: 0, count: AgreementPublicKey.count)
        _ = secret.withPointer { crypto_scalarmult_base(&publicKey, $0) }
        self.secret = secret
        self.publicKey = try AgreementPublicKey(publicKey)
    }

    public static func generate(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> AgreementKey {
        try AgreementKey(.random(count, from: random))
    }

    /// X25519.
    ///
    /// - Throws: `invalidKey` when the result is all zeros, that is for public keys of small order.
    public func agree(with other: AgreementPublicKey) throws(CryptoError) -> Secret {
        try Secret(count: 32) { (output: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            let status = secret.withPointer { crypto_scalarmult(output, $0, other.bytes) }
            guard status == 0 else { throw .invalidKey }
        }
    }
}
