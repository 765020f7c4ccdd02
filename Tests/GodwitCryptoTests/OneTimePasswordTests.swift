import Testing

@testable import GodwitCrypto

/// One-time passwords against the vectors of their RFCs (MFA-01).
@Suite("One-time passwords") struct OneTimePasswordTests {
    private static let secret20 = Secret(Array("12345678901234567890".utf8))
    private static let secret32 = Secret(Array("12345678901234567890123456789012".utf8))

    @Test("HOTP: the ten passwords of RFC 4226, appendix D")
    func hotp() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
        ]
        let passwords = OneTimePassword(secret: Self.secret20, algorithm: .sha1, digits: 6)
        for (counter, password) in expected.enumerated() {
            #expect(passwords.password(at: Int64(counter)) == password)
        }
        #expect(passwords.counter(of: "254676", among: 0..<10) == 5)
        #expect(passwords.counter(of: "254676", among: 0..<5) == nil)
        #expect(passwords.counter(of: "25467", among: 0..<10) == nil)
        #expect(passwords.counter(of: "", among: 0..<10) == nil)
    }

    @Test(
        "TOTP: the passwords of RFC 6238, appendix B",
        arguments: [
            (59, "94287082", "46119246"), (1_111_111_109, "07081804", "68084774"),
            (1_111_111_111, "14050471", "67062674"), (1_234_567_890, "89005924", "91819424"),
            (2_000_000_000, "69279037", "90698825"), (20_000_000_000, "65353130", "77737706"),
        ] as [(Int64, String, String)])
    func totp(seconds: Int64, sha1: String, sha256: String) {
        let step = seconds * 1_000 / OneTimePassword.step
        #expect(OneTimePassword(secret: Self.secret20, algorithm: .sha1, digits: 8).password(at: step) == sha1)
        #expect(OneTimePassword(secret: Self.secret32, algorithm: .sha256, digits: 8).password(at: step) == sha256)
    }

    @Test("the secret is told to authenticators as they read it (Key URI Format)")
    func uri() {
        let bytes = Array("12345678901234567890".utf8)
        #expect(
            OneTimePassword.uri(
                secret: bytes, counter: nil, algorithm: .sha1, digits: 6, account: "alice", issuer: "a7f3k9m2")
                == "otpauth://totp/Godwit%20a7f3k9m2:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                + "&issuer=Godwit%20a7f3k9m2&algorithm=SHA1&digits=6&period=30")
        #expect(
            OneTimePassword.uri(
                secret: bytes, counter: 0, algorithm: .sha256, digits: 8, account: "alice", issuer: "a7f3k9m2"
            ).hasSuffix("&algorithm=SHA256&digits=8&counter=0"))
    }
}
