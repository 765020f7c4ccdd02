import Crypto
import GodwitProtocol

/// An ML-KEM-768 key pair (FIPS 203), kept as its seed `d ‖ z`.
public struct KEMKey: Sendable, Equatable {
    public static let seedCount = 64
    public let publicKey: KEMPublicKey
    /// The 64 bytes to store.
    public let seed: Secret

    /// - Throws: `invalidKey` unless there are 64 bytes.
    public init(_ seed: Secret) throws(CryptoError) {
        self.seed = seed
        publicKey = try KEMPublicKey(unchecked: Array(Self.key(seed).publicKey.rawRepresentation))
    }

    public static func generate(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> KEMKey {
        try KEMKey(.random(seedCount, from: random))
    }

    /// ML-KEM.Decaps: 32 bytes. A ciphertext that was made for another key or altered gives a secret that nobody else
    /// has (implicit rejection), so that only what is opened with it fails.
    ///
    /// - Throws: `malformed` unless the ciphertext has 1,088 bytes.
    public func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> Secret {
        guard ciphertext.count == KEMPublicKey.ciphertextCount else { throw .malformed }
        do {
            return Secret(symmetricKey: try Self.key(seed).decapsulate(ciphertext))
        } catch {
            throw .malformed
        }
    }

    private static func key(_ seed: Secret) throws(CryptoError) -> MLKEM768.PrivateKey {
        guard seed.count == seedCount else { throw .invalidKey }
        var bytes = seed.copyBytes()
        defer { bytes.wipe() }
        do {
            return try MLKEM768.PrivateKey(seedRepresentation: bytes, publicKey: nil)
        } catch {
            throw .invalidKey
        }
    }
}

/// An ML-KEM-768 encapsulation key: 1,184 bytes, written `mlkem768:` and padded base64.
public struct KEMPublicKey: Hashable, Sendable {
    public static let count = KEMPreKey.keyCount
    public static let ciphertextCount = 1_088
    public let bytes: [UInt8]

    /// - Throws: `invalidKey` for another length, or coefficients that are not reduced (FIPS 203, section 7.2).
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        _ = try Self.key(bytes)
        self.bytes = bytes
    }

    /// A key that was just derived.
    init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    public var text: String { KeyText.write(KEMPreKey.kind, bytes) }

    /// A fresh secret and the ciphertext that carries it.
    public struct Encapsulation: Sendable, Equatable {
        /// 32 bytes.
        public let secret: Secret
        /// 1,088 bytes.
        public let ciphertext: [UInt8]
    }

    /// ML-KEM.Encaps, with randomness of the operating system.
    ///
    /// - Throws: `invalidKey`.
    public func encapsulate() throws(CryptoError) -> Encapsulation {
        let key = try Self.key(bytes)
        do {
            let result = try key.encapsulate()
            return Encapsulation(
                secret: Secret(symmetricKey: result.sharedSecret), ciphertext: Array(result.encapsulated))
        } catch {
            throw .invalidKey
        }
    }

    private static func key(_ bytes: [UInt8]) throws(CryptoError) -> MLKEM768.PublicKey {
        guard bytes.count == count else { throw .invalidKey }
        do {
            return try MLKEM768.PublicKey(rawRepresentation: bytes)
        } catch {
            throw .invalidKey
        }
    }
}
