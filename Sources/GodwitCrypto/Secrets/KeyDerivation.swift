import CSodium
import Crypto
import CryptoExtras

/// The key derivation functions of the protocol. All block the calling thread; PBKDF2 and Argon2id do so for tens of
/// milliseconds up to seconds and belong on a thread of their own.
public enum KeyDerivation {
    /// HKDF with SHA-256 (RFC 5869). An empty salt stands for 32 zero bytes.
    ///
    /// - Parameter count: length of the output in bytes, 1 to 8,160.
    /// - Throws: `parameters` when `count` is outside these bounds.
    public static func hkdf(
        _ inputKeyMaterial: Secret, salt: [UInt8] = [], info: [UInt8], count: Int
    ) throws(CryptoError) -> Secret {
        guard (1...255 * 32).contains(count) else { throw .parameters }
        let key = inputKeyMaterial.withBytes { SymmetricKey(data: $0) }
        let output = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key, salt: salt, info: info, outputByteCount: count)
        return Secret(symmetricKey: output)
    }

    /// HKDF for the fixed 32 bytes that nearly every key of the protocol has; cannot fail.
    static func key(_ inputKeyMaterial: Secret, info: [UInt8]) -> Secret {
        let key = inputKeyMaterial.withBytes { SymmetricKey(data: $0) }
        return Secret(
            symmetricKey: HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key, salt: [UInt8](), info: info, outputByteCount: 32))
    }

    /// HKDF to 64 bytes with a secret salt, split in halves: the step of the ratchet's root and of Noise's chaining key.
    static func pair(_ inputKeyMaterial: Secret, salt: Secret, info: [UInt8]) -> (first: Secret, second: Secret) {
        let key = inputKeyMaterial.withBytes { SymmetricKey(data: $0) }
        let both = salt.withBytes { salt in
            Secret(
                symmetricKey: HKDF<SHA256>.deriveKey(
                    inputKeyMaterial: key, salt: salt, info: info, outputByteCount: 64))
        }
        return (both.slice(0..<32), both.slice(32..<64))
    }

    /// HMAC-SHA-256 (RFC 2104) over one byte: a step of a symmetric chain.
    static func hmac(_ key: Secret, _ byte: UInt8) -> Secret { hmac(key, [byte]) }

    /// HMAC-SHA-256 (RFC 2104).
    static func hmac(_ key: Secret, _ bytes: [UInt8]) -> Secret {
        Secret(count: Int(crypto_auth_hmacsha256_BYTES)) { (output: UnsafeMutablePointer<UInt8>) in
            var state = crypto_auth_hmacsha256_state()
            defer { sodium_memzero(&state, MemoryLayout.size(ofValue: state)) }
            _ = key.withPointer { crypto_auth_hmacsha256_init(&state, $0, key.count) }
            crypto_auth_hmacsha256_update(&state, bytes, UInt64(bytes.count))
            crypto_auth_hmacsha256_final(&state, output)
        }
    }

    /// PBKDF2 with HMAC-SHA-256 (RFC 8018). The protocol's bounds on `iterations` stand in `PassphraseKDF`; here only 1
    /// or more is asked for, so that the RFC's vectors can be run.
    public static func pbkdf2(
        passphrase: [UInt8], salt: [UInt8], iterations: Int, count: Int
    ) throws(CryptoError) -> Secret {
        guard iterations > 0, count > 0 else { throw .parameters }
        do {
            return Secret(
                symmetricKey: try KDF.Insecure.PBKDF2.deriveKey(
                    from: passphrase, salt: salt, using: .sha256, outputByteCount: count,
                    unsafeUncheckedRounds: iterations))
        } catch {
            throw .parameters
        }
    }

    /// Argon2id version 1.3 with one lane (RFC 9106), through libsodium.
    ///
    /// - Parameters:
    ///   - salt: exactly 16 bytes.
    ///   - memoryKiB: memory in KiB, 8 or more.
    ///   - passes: 1 or more.
    /// - Throws: `parameters`, or `outOfMemory` when the memory cannot be had.
    public static func argon2id(
        passphrase: [UInt8], salt: [UInt8], memoryKiB: Int, passes: Int, count: Int
    ) throws(CryptoError) -> Secret {
        guard salt.count == Int(crypto_pwhash_SALTBYTES), (8...Int(Int32.max)).contains(memoryKiB),
            (1...Int(Int32.max)).contains(passes), (16...Int(Int32.max)).contains(count)
        else { throw .parameters }
        let passphrase = Secret(passphrase)
        return try Secret(count: count) { (output: UnsafeMutablePointer<UInt8>) throws(CryptoError) in
            let status = passphrase.withPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self, capacity: max(passphrase.count, 1)) { password in
                    crypto_pwhash(
                        output, UInt64(count), password, UInt64(passphrase.count), salt, UInt64(passes),
                        memoryKiB * 1024, crypto_pwhash_ALG_ARGON2ID13)
                }
            }
            guard status == 0 else { throw .outOfMemory }
        }
    }
}

extension Secret {
    convenience init(symmetricKey: SymmetricKey) {
        let count = symmetricKey.bitCount / 8
        self.init(
            count: count,
            filling: { output in symmetricKey.withUnsafeBytes { output.copyMemory(from: $0) } })
    }
}
