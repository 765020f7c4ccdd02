import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// Order of the base point's group: 2^252 + 27742317777372353535851937790883648493, little endian.
private let groupOrder = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

@Suite struct SignatureTests {
    let key: SigningKey

    init() throws { key = try SigningKey(seed: Secret(hex: Vectors.ed25519[0].seed)) }

    @Test("a signature for one purpose passes for no other (G-26)")
    func purposes() throws {
        for purpose in SignaturePurpose.allCases {
            let signature = key.sign([1, 2, 3], purpose: purpose)
            for other in SignaturePurpose.allCases {
                #expect(key.publicKey.verify([1, 2, 3], signature: signature, purpose: other) == (other == purpose))
            }
        }
        #expect(SignaturePurpose.allCases.count == 23)
    }

    @Test("what is signed is the label, the purpose, a zero byte and the bytes (protocol 3)")
    func signedBytes() {
        let signature = key.sign([7], purpose: .deviceList)
        #expect(key.publicKey.verify(raw: Array("DCP1:device-list\0".utf8) + [7], signature: signature))
    }

    @Test("every flipped bit of message or signature makes verification fail (E2E-15)")
    func flippedBits() throws {
        let message = [UInt8](0..<32)
        let signature = key.sign(message, purpose: .message)
        for bit in 0..<256 {
            var changed = message
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(!key.publicKey.verify(changed, signature: signature, purpose: .message))
        }
        for bit in 0..<512 {
            var changed = signature.bytes
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(!key.publicKey.verify(message, signature: try Signature(changed), purpose: .message))
        }
    }

    @Test("an S that was raised by the group's order is refused")
    func nonCanonicalScalar() throws {
        let signature = key.sign(raw: [])
        let order = try hex(groupOrder)
        var raised = signature.bytes
        var carry = 0
        for index in 0..<32 {
            let sum = Int(raised[32 + index]) + Int(order[index]) + carry
            raised[32 + index] = UInt8(sum & 0xFF)
            carry = sum >> 8
        }
        #expect(carry == 0)
        #expect(key.publicKey.verify(raw: [], signature: signature))
        #expect(!key.publicKey.verify(raw: [], signature: try Signature(raised)))
    }

    @Test(
        "keys of small order verify nothing",
        arguments: [
            // The neutral point, the point of order 2, one of order 4, one of order 8.
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        ])
    func smallOrderKey(_ point: String) throws {
        let weak = try VerifyingKey(try hex(point))
        // R = the key and S = 0 satisfies the group equation for some messages with a lax verifier; R = neutral point
        // and S = 0 for all of them with the neutral key.
        for first in [try hex(point), try hex("01" + String(repeating: "00", count: 31))] {
            let signature = try Signature(first + [UInt8](repeating: 0, count: 32))
            for byte in UInt8(0)..<64 { #expect(!weak.verify(raw: [byte], signature: signature)) }
        }
    }

    @Test("a key in non-canonical form is refused")
    func nonCanonicalKey() throws {
        // y = p + 1 stands for the neutral point; y = p + 3 for the point with y = 3.
        for low in ["ee", "f0"] {
            let key = try VerifyingKey(try hex(low + String(repeating: "ff", count: 30) + "7f"))
            let signature = try Signature(try hex("01" + String(repeating: "00", count: 63)))
            for byte in UInt8(0)..<64 { #expect(!key.verify(raw: [byte], signature: signature)) }
        }
    }

    @Test("an object is signed in canonical form without its signature member (G-03)")
    func objects() throws {
        let object: JSONObject = ["b": 2, "a": [1, "x"], "signature": "whatever"]
        let signature = key.sign(object: object, purpose: .descriptor)
        #expect(
            key.publicKey.verify(
                Array(#"{"a":[1,"x"],"b":2}"#.utf8), signature: signature, purpose: .descriptor))
        #expect(
            key.publicKey.verify(
                object: object.setting("signature", .string(signature.text)), signature: signature, purpose: .descriptor
            ))
        #expect(
            !key.publicKey.verify(
                object: object.setting("c", 3), signature: signature, purpose: .descriptor))
    }

    @Test("each purpose leaves out its own members: the file's signature, an epoch's wraps (ID-11, G-21)")
    func unsignedMembers() throws {
        let file: JSONObject = ["signature": "covered", "identity": [:]]
        let signed = key.signed(file, purpose: .identityFile, member: "file_signature")
        let signature = try Signature(text: try #require(signed["file_signature"]?.string))
        #expect(key.publicKey.verify(object: signed, signature: signature, purpose: .identityFile))
        #expect(
            !key.publicKey.verify(
                object: signed.setting("signature", "other"), signature: signature, purpose: .identityFile))

        let epoch: JSONObject = ["name": "e", "wraps": [1]]
        let epochSignature = key.sign(object: epoch, purpose: .epoch)
        #expect(key.publicKey.verify(object: ["name": "e"], signature: epochSignature, purpose: .epoch))
    }
}
