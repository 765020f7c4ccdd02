import CSodium
public import GodwitProtocol

/// An Ed25519 private key (RFC 8032), made from a 32-byte seed.
public struct SigningKey: Sendable {
    public static let seedCount = 32
    public let publicKey: VerifyingKey
    /// The 32 bytes to store; everything else follows from them.
    public let seed: Secret
    // libsodium's form: seed ‖ public key.
    private let expanded: Secret

    /// - Throws: `invalidKey` unless the seed has 32 bytes.
    public init(seed: Secret) throws(CryptoError) {
        guard seed.count == Self.seedCount else { throw .invalidKey }
        var publicKey = [UInt8](repeating: 0, count: VerifyingKey.count)
        expanded = Secret(count: Int(crypto_sign_SECRETKEYBYTES)) { (output: UnsafeMutablePointer<UInt8>) in
            _ = seed.withPointer {
                crypto_sign_seed_keypair(&publicKey, output, $0)
            }
        }
        self.seed = seed
        self.publicKey = try VerifyingKey(publicKey)
    }

    /// A new key (ID-23: from a cryptographically secure generator).
    public static func generate(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> SigningKey {
        try SigningKey(seed: .random(seedCount, from: random))
    }

    /// Signs `"DCP1:" ‖ purpose ‖ 0x00 ‖ message`.
    public func sign(_ message: [UInt8], purpose: SignaturePurpose) -> Signature {
        sign(raw: purpose.prefix + message)
    }

    /// Signs the canonical form of `object` without the members that the purpose leaves out, or those named.
    public func sign(
        object: JSONObject, purpose: SignaturePurpose, omitting: Set<String>? = nil
    ) -> Signature {
        sign(object.canonicalBytes(omitting: omitting ?? purpose.unsignedMembers), purpose: purpose)
    }

    /// `object` with its signature under `member`; a signature that stood there is replaced.
    public func signed(
        _ object: JSONObject, purpose: SignaturePurpose, member: String = "signature"
    ) -> JSONObject {
        let signature = sign(object: object, purpose: purpose, omitting: purpose.unsignedMembers.union([member]))
        return object.setting(member, .string(signature.text))
    }

    /// Plain Ed25519 of RFC 8032, without the purpose.
    func sign(raw message: [UInt8]) -> Signature {
        var bytes = [UInt8](repeating: 0, count: Signature.count)
        _ = expanded.withPointer { crypto_sign_detached(&bytes, nil, message, UInt64(message.count), $0) }
        return Signature(checked: bytes)
    }
}

extension Signature {
    /// For bytes that libsodium wrote into a buffer of the right length.
    fileprivate init(checked bytes: [UInt8]) { self.bytes = bytes }
}
