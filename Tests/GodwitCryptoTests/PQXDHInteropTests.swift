import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// PQXDH against `kyber-py` and `cryptography` (Tests/Interop/pqxdh.py), which share no code with Godwit.
@Suite(.serialized) struct PQXDHInteropTests {
    let random = SeededRandom(47)

    @Test("PQXDH comes to the same secret with kyber-py in both roles (G-101, E2E-03)", arguments: [true, false])
    func bothRoles(_ withOneTime: Bool) throws {
        let python = try PythonPeer("pqxdh.py")
        for _ in 0..<20 {
            let (alice, ephemeral) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
            let (bob, signed) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
            let oneTime = withOneTime ? try AgreementKey.generate(from: random) : nil
            let kem = try KEMKey.generate(from: random)

            let bundle = X3DH.Bundle(
                identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: oneTime?.publicKey)
            let encapsulation = try kem.publicKey.encapsulate()
            let ours = try PQXDH.initiate(
                identity: alice, ephemeral: ephemeral, bundle: bundle, kem: kem.publicKey,
                encapsulation: encapsulation)
            let theirs = try python.ask(
                "respond",
                [
                    "identity": .base64(bob.secret.copyBytes()), "signed": .base64(signed.secret.copyBytes()),
                    "one_time": oneTime.map { .base64($0.secret.copyBytes()) } ?? nil,
                    "kem": .base64(kem.seed.copyBytes()), "initiator": .base64(alice.publicKey.bytes),
                    "ephemeral": .base64(ephemeral.publicKey.bytes),
                    "ciphertext": .base64(encapsulation.ciphertext),
                ])
            #expect(theirs["secret"] == .base64(ours.sharedKey.copyBytes()))
            #expect(theirs["associated"] == .base64(ours.associatedData))

            let initiated = try python.ask(
                "initiate",
                [
                    "identity": .base64(alice.secret.copyBytes()), "ephemeral": .base64(ephemeral.secret.copyBytes()),
                    "theirs": .base64(bob.publicKey.bytes), "signed": .base64(signed.publicKey.bytes),
                    "one_time": oneTime.map { .base64($0.publicKey.bytes) } ?? nil,
                    "kem": .base64(kem.publicKey.bytes),
                ])
            let ciphertext = try #require(initiated["ciphertext"]?.string.flatMap(Base64.decode))
            let answer = try PQXDH.respond(
                identity: bob, signedPreKey: signed, oneTimePreKey: oneTime, kem: kem, initiator: alice.publicKey,
                ephemeral: ephemeral.publicKey, ciphertext: ciphertext)
            #expect(initiated["secret"] == .base64(answer.sharedKey.copyBytes()))
            #expect(initiated["associated"] == .base64(answer.associatedData))
        }
    }

    @Test("a ciphertext that belongs to no key gives the secret of implicit rejection, the same as with kyber-py")
    func implicitRejection() throws {
        let python = try PythonPeer("pqxdh.py")
        let (alice, bob, signed) = (
            try AgreementKey.generate(from: random), try AgreementKey.generate(from: random),
            try AgreementKey.generate(from: random)
        )
        for _ in 0..<10 {
            let kem = try KEMKey.generate(from: random)
            let ciphertext = random.bytes(1_088)
            let ours = try PQXDH.respond(
                identity: bob, signedPreKey: signed, oneTimePreKey: nil, kem: kem, initiator: alice.publicKey,
                ephemeral: alice.publicKey, ciphertext: ciphertext)
            let theirs = try python.ask(
                "respond",
                [
                    "identity": .base64(bob.secret.copyBytes()), "signed": .base64(signed.secret.copyBytes()),
                    "one_time": nil, "kem": .base64(kem.seed.copyBytes()),
                    "initiator": .base64(alice.publicKey.bytes), "ephemeral": .base64(alice.publicKey.bytes),
                    "ciphertext": .base64(ciphertext),
                ])
            #expect(theirs["secret"] == .base64(ours.sharedKey.copyBytes()))
        }
    }
}
