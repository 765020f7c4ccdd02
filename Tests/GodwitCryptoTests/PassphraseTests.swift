import GodwitProtocol
import Testing

@testable import GodwitCrypto

@Suite struct PassphraseTests {
    let secrets: JSONObject = ["seed": "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "later": ["kept": true]]
    let fullID = "a7f3k9m2.alice"
    let publicKey = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    private func protect(_ kdf: PassphraseKDF, passphrase: String = "four words to remember") throws -> String {
        try PassphraseProtection.protect(
            secrets, passphrase: passphrase, kdf: kdf, fullID: fullID, publicKey: publicKey, from: SeededRandom(3))
    }

    private func unprotect(_ record: String, passphrase: String = "four words to remember") throws -> JSONObject {
        try PassphraseProtection.unprotect(record, passphrase: passphrase, fullID: fullID, publicKey: publicKey)
    }

    private func change(_ record: String, _ body: (inout JSONObject) -> Void) throws -> String {
        var object = try JSONObject.parse(try #require(Base64.decode(record)))
        body(&object)
        return Base64.encode(object.canonicalBytes())
    }

    private func expect(_ code: ErrorCode, _ body: () throws -> some Any) {
        #expect { try body() } throws: { ($0 as? ProtocolError)?.code == code }
    }

    @Test("secrets come back under the passphrase, with members that nobody knows (ID-24, ID-25, SEC-01)")
    func roundTrip() throws {
        let random = SeededRandom(5)
        for kdf in [PassphraseKDF.standard(from: random), .highSecurity(memoryKiB: 8_192, passes: 1, from: random)] {
            #expect(try unprotect(try protect(kdf)) == secrets)
        }
    }

    @Test("a wrong passphrase and a record of another identity give 1000 with a hint")
    func wrongPassphrase() throws {
        let record = try protect(.standard(from: SeededRandom(5)))
        #expect { try unprotect(record, passphrase: "four words to forget") } throws: { error in
            let error = error as? ProtocolError
            return error?.code == .invalidCredentials && error?.hint != nil
        }
        expect(.invalidCredentials) {
            try PassphraseProtection.unprotect(
                record, passphrase: "four words to remember", fullID: "a7f3k9m2.mallory", publicKey: publicKey)
        }
        let changed = try change(record) { object in
            var bytes = object["ciphertext"]?.string.flatMap(Base64.decode) ?? []
            bytes[0] ^= 1
            object["ciphertext"] = .base64(bytes)
        }
        expect(.invalidCredentials) { try unprotect(changed) }
    }

    @Test("a passphrase typed in parts and one typed composed are the same (NFC)")
    func normalisation() throws {
        #expect(PassphraseKDF.normalised("cafe\u{301}") == Array("caf\u{e9}".utf8))
        #expect(PassphraseKDF.normalised("\u{1112}\u{1161}\u{11ab}") == Array("\u{d55c}".utf8))
        // Marks are put in order, and what has no composed form stays apart: U+0071 U+0323 U+0307.
        #expect(PassphraseKDF.normalised("q\u{307}\u{323}") == [0x71, 0xCC, 0xA3, 0xCC, 0x87])
        let record = try protect(.highSecurity(memoryKiB: 8_192, passes: 1), passphrase: "cafe\u{301}")
        #expect(try unprotect(record, passphrase: "caf\u{e9}") == secrets)
    }

    @Test("parameters are refused just outside their limits, and before any work is done (G-18)")
    func limits() throws {
        func salt(_ count: Int) -> [UInt8] { [UInt8](repeating: 1, count: count) }
        let inside: [PassphraseKDF] = [
            .pbkdf2(iterations: 100_000, salt: salt(16)), .pbkdf2(iterations: 10_000_000, salt: salt(64)),
            .argon2id(memoryKiB: 8_192, passes: 1, salt: salt(16)),
            .argon2id(memoryKiB: 1_048_576, passes: 16, salt: salt(16)),
        ]
        for kdf in inside { #expect(kdf.isWithinLimits) }
        let outside: [PassphraseKDF] = [
            .pbkdf2(iterations: 99_999, salt: salt(16)), .pbkdf2(iterations: 10_000_001, salt: salt(16)),
            .pbkdf2(iterations: 100_000, salt: salt(15)), .pbkdf2(iterations: 100_000, salt: salt(65)),
            .argon2id(memoryKiB: 8_191, passes: 1, salt: salt(16)),
            .argon2id(memoryKiB: 1_048_577, passes: 1, salt: salt(16)),
            .argon2id(memoryKiB: 8_192, passes: 0, salt: salt(16)),
            .argon2id(memoryKiB: 8_192, passes: 17, salt: salt(16)),
            .argon2id(memoryKiB: 8_192, passes: 1, salt: salt(15)),
            .argon2id(memoryKiB: 8_192, passes: 1, salt: salt(17)),
        ]
        let record = try protect(.highSecurity(memoryKiB: 8_192, passes: 1))
        for kdf in outside {
            #expect(!kdf.isWithinLimits)
            expect(.invalidMessageFormat) { try protect(kdf) }
            let changed = try change(record) { $0["kdf"] = .object(kdf.object) }
            expect(.invalidMessageFormat) { try unprotect(changed) }
        }
    }

    @Test("records of another form are refused with 2000")
    func malformed() throws {
        let record = try protect(.highSecurity(memoryKiB: 8_192, passes: 1))
        expect(.invalidMessageFormat) { try unprotect("") }
        expect(.invalidMessageFormat) { try unprotect(record + "=") }
        expect(.invalidMessageFormat) { try unprotect(Base64.encode(Array("[]".utf8))) }
        for changed in [
            try change(record) { $0["version"] = 2 }, try change(record) { $0["version"] = nil },
            try change(record) { $0["kdf"] = ["name": "scrypt", "salt": "AAAA"] },
            try change(record) { $0["nonce"] = .base64([UInt8](repeating: 0, count: 11)) },
            try change(record) { $0["ciphertext"] = .base64([UInt8](repeating: 0, count: 15)) },
        ] {
            expect(.invalidMessageFormat) { try unprotect(changed) }
        }
    }

    @Test("a record of 65,536 bytes is read, a larger one refused")
    func recordSize() throws {
        let kdf = PassphraseKDF.highSecurity(memoryKiB: 8_192, passes: 1, from: SeededRandom(1))
        func record(_ filling: Int) throws -> String {
            try PassphraseProtection.protect(
                ["seed": "", "filling": .string(String(repeating: "x", count: filling))], passphrase: "p", kdf: kdf,
                fullID: fullID, publicKey: publicKey, from: SeededRandom(2))
        }
        let base = try #require(Base64.decode(try record(0))).count
        // Four characters of base64 for three bytes; go up in threes to the last that fits.
        let fits = (PassphraseProtection.recordMax - base) / 4 * 3
        let largest = try record(fits)
        #expect(try #require(Base64.decode(largest)).count > PassphraseProtection.recordMax - 4)
        #expect(try unprotect(largest, passphrase: "p")["filling"]?.string?.utf8.count == fits)
        expect(.messageTooLarge) { try record(fits + 4) }
        expect(.invalidMessageFormat) { try unprotect(String(repeating: "A", count: 87_388)) }
    }
}
