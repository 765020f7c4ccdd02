import GodwitProtocol
import Testing

@testable import GodwitCrypto

@Suite struct PrimitiveTests {
    @Test("Ed25519 signs and verifies the vectors of RFC 8032 (E2E-06)", arguments: Vectors.ed25519)
    func ed25519(_ vector: Vectors.Ed25519) throws {
        let key = try SigningKey(seed: Secret(hex: vector.seed))
        let message = try hex(vector.message)
        #expect(key.publicKey.bytes == (try hex(vector.key)))
        let signature = key.sign(raw: message)
        #expect(signature.bytes == (try hex(vector.signature)))
        #expect(key.publicKey.verify(raw: message, signature: signature))
        #expect(!key.publicKey.verify(raw: message + [0], signature: signature))
    }

    @Test("X25519 gives the results of RFC 7748 (E2E-06)", arguments: Vectors.x25519)
    func x25519(_ vector: Vectors.X25519) throws {
        let key = try AgreementKey(Secret(hex: vector.scalar))
        let result = try key.agree(with: AgreementPublicKey(try hex(vector.point)))
        #expect(result.copyBytes() == (try hex(vector.result)))
    }

    @Test("an X25519 public key follows from the private one as in RFC 7748")
    func x25519PublicKey() throws {
        let key = try AgreementKey(Secret(hex: Vectors.x25519Pair.secret))
        #expect(key.publicKey.bytes == (try hex(Vectors.x25519Pair.key)))
    }

    @Test(
        "an agreement with a key of small order is refused",
        arguments: [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        ])
    func smallOrderAgreement(_ point: String) throws {
        let key = try AgreementKey.generate(from: SeededRandom(1))
        let point = try AgreementPublicKey(try hex(point))
        #expect(throws: CryptoError.invalidKey) { try key.agree(with: point) }
    }

    @Test("ChaCha20-Poly1305 seals and opens the vector of RFC 8439 (E2E-10)")
    func chaCha20Poly1305() throws {
        typealias Vector = Vectors.ChaCha20Poly1305
        let key = try Secret(hex: Vector.key)
        let sealed = try AEAD.seal(
            Array(Vector.plaintext.utf8), key: key, nonce: try hex(Vector.nonce), associatedData: try hex(Vector.aad))
        #expect(sealed == (try hex(Vector.ciphertext + Vector.tag)))
        let opened = try AEAD.open(
            sealed, key: key, nonce: try hex(Vector.nonce), associatedData: try hex(Vector.aad))
        #expect(String(decoding: opened, as: UTF8.self) == Vector.plaintext)
    }

    @Test("the AEAD refuses every flipped byte, a cut and other associated data")
    func aeadTampering() throws {
        let key = Secret([UInt8](repeating: 7, count: 32))
        let nonce = [UInt8](repeating: 9, count: 12)
        let sealed = try AEAD.seal([1, 2, 3, 4], key: key, nonce: nonce, associatedData: [5])
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: CryptoError.authenticationFailed) {
                try AEAD.open(changed, key: key, nonce: nonce, associatedData: [5])
            }
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try AEAD.open(Array(sealed.dropLast()), key: key, nonce: nonce, associatedData: [5])
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try AEAD.open(sealed, key: key, nonce: nonce, associatedData: [])
        }
        #expect(throws: CryptoError.malformed) {
            try AEAD.open(Array(sealed.prefix(15)), key: key, nonce: nonce, associatedData: [5])
        }
        #expect(throws: CryptoError.malformed) {
            try AEAD.open(sealed, key: key, nonce: Array(nonce.dropLast()), associatedData: [5])
        }
        #expect(throws: CryptoError.invalidKey) {
            try AEAD.open(sealed, key: Secret([1]), nonce: nonce, associatedData: [5])
        }
    }

    @Test("an empty text has a tag and comes back empty")
    func aeadEmpty() throws {
        let key = Secret([UInt8](repeating: 7, count: 32))
        let nonce = [UInt8](repeating: 9, count: 12)
        let sealed = try AEAD.seal([], key: key, nonce: nonce, associatedData: [])
        #expect(sealed.count == 16)
        #expect(try AEAD.open(sealed, key: key, nonce: nonce, associatedData: []).isEmpty)
    }

    @Test("HKDF gives the outputs of RFC 5869 (E2E-07)", arguments: Vectors.hkdf)
    func hkdf(_ vector: Vectors.HKDF) throws {
        let expected = try hex(vector.output)
        let output = try KeyDerivation.hkdf(
            Secret(hex: vector.ikm), salt: try hex(vector.salt), info: try hex(vector.info), count: expected.count)
        #expect(output.copyBytes() == expected)
    }

    @Test("HKDF stops at 255 blocks, as RFC 5869 says")
    func hkdfLimits() throws {
        let key = Secret([1])
        #expect(try KeyDerivation.hkdf(key, info: [], count: 8_160).count == 8_160)
        #expect(throws: CryptoError.parameters) { try KeyDerivation.hkdf(key, info: [], count: 8_161) }
        #expect(throws: CryptoError.parameters) { try KeyDerivation.hkdf(key, info: [], count: 0) }
    }

    @Test("PBKDF2 gives the outputs of RFC 7914, section 11 (E2E-13)", arguments: Vectors.pbkdf2)
    func pbkdf2(_ vector: Vectors.PBKDF2) throws {
        let output = try KeyDerivation.pbkdf2(
            passphrase: Array(vector.passphrase.utf8), salt: Array(vector.salt.utf8), iterations: vector.iterations,
            count: 64)
        #expect(output.copyBytes() == (try hex(vector.output)))
    }

    @Test("one step of a chain is HMAC-SHA-256 over one byte")
    func chainStep() throws {
        // RFC 4231 has no one-byte data; the same function through HKDF: with L = 32 and empty info its expand step is
        // HMAC(prk, 0x01), and prk is HMAC(salt, ikm).
        let key = Secret([UInt8](repeating: 0x0b, count: 20))
        let salt: [UInt8] = [1, 2, 3]
        let prk = try KeyDerivation.hkdf(key, salt: salt, info: [], count: 32)
        let viaStep = KeyDerivation.hmac(Self.extract(salt: salt, key: key), 1)
        #expect(viaStep == prk)
    }

    /// HMAC over 20 bytes by its definition, from SHA-256 alone.
    private static func extract(salt: [UInt8], key: Secret) -> Secret {
        let padded = salt + [UInt8](repeating: 0, count: 64 - salt.count)
        let inner = Digest.sha256(padded.map { $0 ^ 0x36 }, key.copyBytes())
        return Secret(Digest.sha256(padded.map { $0 ^ 0x5c }, inner))
    }

    @Test("the system's random bytes have the length asked for and do not repeat")
    func systemRandom() {
        let random = SystemRandom()
        #expect(random.bytes(0).isEmpty)
        #expect(random.bytes(33).count == 33)
        #expect(random.bytes(32) != random.bytes(32))
    }

    @Test("a secret says its length and not its bytes, and compares by them")
    func secrets() {
        let secret = Secret([0xAB, 0xCD])
        #expect(secret.description == "Secret(2 bytes)")
        #expect(secret == Secret([0xAB, 0xCD]))
        #expect(secret != Secret([0xAB, 0xCE]))
        #expect(secret != Secret([0xAB]))
        #expect(Secret([]).copyBytes().isEmpty)
        #expect(Secret.joining([secret, Secret([1])]).copyBytes() == [0xAB, 0xCD, 1])
    }
}
