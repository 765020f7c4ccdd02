import CSodium
import Glibc
import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// Test vectors of Project Wycheproof (Tests/Vectors/wycheproof-*.txt, made by make_wycheproof.py): what is valid comes
/// out, what is invalid is refused (E2E-01, E2E-06, E2E-07, E2E-16, G-101).
@Suite("Wycheproof") struct WycheproofTests {
    private struct Case: CustomTestStringConvertible {
        var id: Int
        var result: Character
        var texts: [Substring]

        var isValid: Bool { result == "v" }
        var testDescription: String { "\(id)" }

        func bytes(_ index: Int) throws -> [UInt8] {
            texts[index] == "-" ? [] : try #require(Base64.decode(String(texts[index])), "case \(id)")
        }
    }

    private func cases(_ name: String, count: Int) throws -> [Case] {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let cases = try TextFile.lines(root + "/Tests/Vectors/wycheproof-\(name).txt").filter { $0.first != "#" }
            .map { line in
                let fields = line.split(separator: " ")
                return Case(
                    id: try #require(Int(fields[0])), result: try #require(fields[1].first),
                    texts: Array(fields.dropFirst(2)))
            }
        try #require(cases.count == count, "the file is complete")
        return cases
    }

    @Test("X25519: all results come out, and those of small order are refused (E2E-06)")
    func agreement() throws {
        for vector in try cases("x25519", count: 518) {
            let key = try AgreementKey(Secret(vector.bytes(0)))
            let other = try AgreementPublicKey(vector.bytes(1))
            let expected = try vector.bytes(2)
            guard expected.contains(where: { $0 != 0 }) else {
                #expect(throws: CryptoError.invalidKey, "case \(vector.id)") { try key.agree(with: other) }
                continue
            }
            #expect(try key.agree(with: other) == Secret(expected), "case \(vector.id)")
        }
    }

    @Test("Ed25519: valid signatures verify, all others are refused (E2E-15)")
    func signatures() throws {
        for vector in try cases("ed25519", count: 151) {
            let key = try VerifyingKey(vector.bytes(0))
            let verifies =
                (try? Signature(vector.bytes(2))).map { signature in
                    (try? key.verify(raw: vector.bytes(1), signature: signature)) ?? false
                } ?? false
            #expect(verifies == vector.isValid, "case \(vector.id)")
        }
    }

    @Test("ChaCha20-Poly1305: valid ciphertexts come out and open, all others are refused (E2E-01, E2E-16)")
    func encryption() throws {
        for vector in try cases("chacha20-poly1305", count: 325) {
            let (key, nonce) = (Secret(try vector.bytes(0)), try vector.bytes(1))
            let (data, text) = (try vector.bytes(2), try vector.bytes(3))
            let sealed = try vector.bytes(4) + vector.bytes(5)
            guard vector.isValid else {
                #expect(throws: CryptoError.self, "case \(vector.id)") {
                    try AEAD.open(sealed, key: key, nonce: nonce, associatedData: data)
                }
                continue
            }
            #expect(
                try AEAD.seal(text, key: key, nonce: nonce, associatedData: data) == sealed, "case \(vector.id)")
            #expect(try AEAD.open(sealed, key: key, nonce: nonce, associatedData: data) == text, "case \(vector.id)")
        }
    }

    @Test("HKDF-SHA-256: all outputs come out, and too long ones are refused (E2E-07)")
    func derivation() throws {
        for vector in try cases("hkdf-sha256", count: 86) {
            let size = try #require(Int(vector.texts[3]))
            let derived = try? KeyDerivation.hkdf(
                Secret(vector.bytes(0)), salt: vector.bytes(1), info: vector.bytes(2), count: size)
            #expect(try derived == (vector.isValid ? Secret(vector.bytes(4)) : nil), "case \(vector.id)")
        }
    }

    @Test("HMAC-SHA-256: valid tags come out, whole or cut, and no other does")
    func authentication() throws {
        for vector in try cases("hmac-sha256", count: 174) {
            let tag = KeyDerivation.hmac(Secret(try vector.bytes(0)), try vector.bytes(1)).copyBytes()
            let expected = try vector.bytes(2)
            #expect((Array(tag.prefix(expected.count)) == expected) == vector.isValid, "case \(vector.id)")
        }
    }

    // MARK: ML-KEM-768

    @Test("ML-KEM-768: encapsulation keys follow from their seeds (FIPS 203, G-101)")
    func keyGeneration() throws {
        for vector in try cases("mlkem768-keygen", count: 100) {
            let key = try KEMKey(Secret(vector.bytes(0)))
            #expect(try SHA256Digest.of(key.publicKey.bytes) == vector.bytes(1), "case \(vector.id)")
        }
    }

    @Test("ML-KEM-768: secrets come out of ciphertexts; seeds and ciphertexts of other lengths are refused")
    func decapsulation() throws {
        for vector in try cases("mlkem768-decaps", count: 117) {
            guard vector.isValid else {
                #expect(throws: CryptoError.self, "case \(vector.id)") {
                    try KEMKey(Secret(vector.bytes(0))).decapsulate(vector.bytes(1))
                }
                continue
            }
            let key = try KEMKey(Secret(vector.bytes(0)))
            #expect(try key.decapsulate(vector.bytes(1)) == Secret(vector.bytes(2)), "case \(vector.id)")
        }
    }

    @Test("ML-KEM-768: encapsulation keys with coefficients that are not reduced or of other lengths are refused")
    func encapsulationKeys() throws {
        for vector in try cases("mlkem768-keys", count: 146) {
            let key = try? KEMPublicKey(vector.bytes(0))
            #expect((key != nil) == vector.isValid, "case \(vector.id)")
            if let key { #expect(try key.encapsulate().ciphertext.count == 1_088) }
        }
    }
}

/// Lines of a file, without Foundation.
enum TextFile {
    static func lines(_ path: String) throws -> [Substring] {
        let file = try #require(fopen(path, "r"), "\(path) is there")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
