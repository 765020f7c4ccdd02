import GodwitProtocol
import Testing

@testable import GodwitCrypto

@Suite struct KeyTextTests {
    let key: VerifyingKey

    init() throws { key = try VerifyingKey(try hex(Vectors.ed25519[0].key)) }

    @Test("keys and signatures are written with prefix and padded base64, and read back (ID-06, G-22)")
    func roundTrips() throws {
        #expect(key.text == "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        #expect(try VerifyingKey(text: key.text) == key)
        let agreement = try AgreementKey(Secret(hex: Vectors.x25519Pair.secret)).publicKey
        #expect(agreement.text == "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=")
        #expect(try AgreementPublicKey(text: agreement.text) == agreement)
        let signature = try Signature(try hex(Vectors.ed25519[0].signature))
        #expect(try Signature(text: signature.text) == signature)
    }

    @Test("an OpenSSH blob is read and written back in raw form (G-22)")
    func openSSH() throws {
        let blob = try hex("0000000b") + Array("ssh-ed25519".utf8) + (try hex("00000020")) + key.bytes
        let read = try VerifyingKey(text: "ed25519:" + Base64.encode(blob))
        #expect(read == key)
        #expect(read.text == key.text)
    }

    @Test(
        "other forms are refused with 2000",
        arguments: [
            "", "ed25519:", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "x25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "ed25519:AAAA",
            "ed25519: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            // An OpenSSH blob that names another algorithm.
            "ed25519:AAAAC3NzaC1yc2EtMjAyNQAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ])
    func refused(_ text: String) {
        #expect { try VerifyingKey(text: text) } throws: { ($0 as? ProtocolError)?.code == .invalidMessageFormat }
    }

    @Test("keys, signatures and names of other lengths are refused")
    func lengths() {
        #expect(throws: CryptoError.invalidKey) { try VerifyingKey([UInt8](repeating: 0, count: 31)) }
        #expect(throws: CryptoError.invalidKey) { try AgreementPublicKey([UInt8](repeating: 0, count: 33)) }
        #expect(throws: CryptoError.malformed) { try Signature([UInt8](repeating: 0, count: 63)) }
        #expect(throws: CryptoError.invalidKey) { try SigningKey(seed: Secret([1])) }
        #expect(throws: CryptoError.invalidKey) { try AgreementKey(Secret([1])) }
        #expect(throws: CryptoError.malformed) { try EpochName([1]) }
        #expect(throws: CryptoError.malformed) { try NonceSalt([1]) }
        #expect(throws: CryptoError.malformed) { try FrameHint([1]) }
    }
}
