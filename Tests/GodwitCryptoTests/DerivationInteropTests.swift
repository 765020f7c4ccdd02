import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// Derivations against a second reading of docs/protocol.md on OpenSSL (Tests/Interop/primitives.py).
@Suite(.serialized) struct DerivationInteropTests {
    let random = SeededRandom(51)
    let python: PythonPeer

    init() throws { python = try PythonPeer("primitives.py") }

    @Test("node ids and device ids are the same (D-17)")
    func names() throws {
        for _ in 0..<5 {
            let key = try SigningKey.generate(from: random).publicKey
            let answer = try python.ask("names", ["key": .base64(key.bytes)])
            #expect(try NodeIDDerivation.derive(from: key).text == answer["node"]?.string)
            #expect(try DeviceIDDerivation.derive(from: key).text == answer["device"]?.string)
        }
    }

    @Test("signatures are the same for every purpose, and verified by each other (D-21, E2E-15)")
    func signatures() throws {
        for purpose in SignaturePurpose.allCases {
            let key = try SigningKey.generate(from: random)
            let bytes = random.bytes(random.below(300))
            let signature = key.sign(bytes, purpose: purpose)
            let members: JSONObject = ["purpose": .string(purpose.rawValue), "bytes": .base64(bytes)]
            #expect(
                try python.bytes(
                    "signature", of: "sign", members.setting("seed", .base64(key.seed.copyBytes()))) == signature.bytes)
            let verified = try python.ask(
                "verify",
                members
                    .setting("key", .base64(key.publicKey.bytes)).setting("signature", .base64(signature.bytes)))
            #expect(verified["valid"] == true)
        }
    }

    @Test("a protected identity opens elsewhere, with both derivations (ID-25, E2E-13, E2E-14, SEC-01)")
    func identity() throws {
        let secrets: JSONObject = ["seed": .base64(random.bytes(32)), "note": "more"]
        for kdf in [
            PassphraseKDF.standard(iterations: 100_001, from: random),
            .highSecurity(memoryKiB: 9_000, passes: 2, from: random),
        ] {
            let record = try PassphraseProtection.protect(
                secrets, passphrase: "caf\u{e9}", kdf: kdf, fullID: "a7f3k9m2.alice", publicKey: "ed25519:AA==",
                from: random)
            let answer = try python.ask(
                "open_identity",
                [
                    "record": .string(record), "passphrase": .base64(Array("caf\u{e9}".utf8)),
                    "full_id": "a7f3k9m2.alice", "public_key": "ed25519:AA==",
                ])
            #expect(answer["secrets"]?.string == secrets.canonicalText)
        }
    }

    @Test("epoch values, chains and wraps are the same (D-14)")
    func epochs() throws {
        for position in [0, 1, 57] {
            let secret = random.bytes(32)
            let epoch = try EpochName(random.bytes(32))
            let here = try EpochSecret(Secret(secret))
            let hash = random.bytes(32)
            let values = try python.ask(
                "epoch_values",
                [
                    "secret": .base64(secret), "epoch": .base64(epoch.bytes), "join_hash": .base64(hash),
                ])
            #expect(values["commitment"] == .base64(here.commitment))
            #expect(values["next"] == .base64(here.next.secret.copyBytes()))
            #expect(values["joined"] == .base64(try here.next.joined(joinHash: hash).secret.copyBytes()))
            #expect(values["key_id"]?.string == epoch.keyID)

            let sealed = try python.ask(
                "epoch_message",
                [
                    "secret": .base64(secret), "epoch": .base64(epoch.bytes), "user": "a7f3k9m2.alice",
                    "device": "abcdefgh", "position": .integer(Int64(position)), "salt": .base64([9, 8, 7, 6]),
                    "text": .base64([1, 2, 3]), "aad": .base64([4, 5]),
                ])
            var chain = here.chain(
                of: try DeviceID("abcdefgh"), user: try UserID("a7f3k9m2.alice"), epoch: epoch)
            let message = SenderChain.Sealed(
                nonce: try #require(sealed["nonce"]?.string.flatMap(Base64.decode)),
                ciphertext: try #require(sealed["ciphertext"]?.string.flatMap(Base64.decode)))
            #expect(try chain.decrypt(message, aad: [4, 5]) == [1, 2, 3])

            let keys = try (0..<3).map { _ in try AgreementKey.generate(from: random) }
            let wrapped = try EpochWrap.wrap(
                here, epoch: epoch, ephemeral: keys[0],
                for: EpochWrap.Recipient(user: try UserID("a7f3k9m2.alice"), device: try DeviceID("abcdefgh")),
                signedPreKey: keys[1].publicKey, identity: keys[2].publicKey)
            #expect(
                try python.bytes(
                    "secret", of: "epoch_unwrap",
                    [
                        "wrapped": .base64(wrapped), "epoch": .base64(epoch.bytes), "user": "a7f3k9m2.alice",
                        "device": "abcdefgh", "ephemeral": .base64(keys[0].publicKey.bytes),
                        "signed_pre_key": .base64(keys[1].secret.copyBytes()),
                        "identity": .base64(keys[2].secret.copyBytes()),
                    ]) == secret)

            let joined = try EpochWrap.seal(
                here, epoch: epoch, ephemeral: .generate(), from: keys[0],
                for: EpochWrap.Recipient(user: try UserID("a7f3k9m2.alice"), device: try DeviceID("abcdefgh")),
                signedPreKey: keys[1].publicKey, identity: keys[2].publicKey)
            #expect(
                try python.bytes(
                    "secret", of: "epoch_key",
                    [
                        "sealed": .base64(joined), "epoch": .base64(epoch.bytes), "user": "a7f3k9m2.alice",
                        "device": "abcdefgh", "sponsor": .base64(keys[0].publicKey.bytes),
                        "signed_pre_key": .base64(keys[1].secret.copyBytes()),
                        "identity": .base64(keys[2].secret.copyBytes()),
                    ]) == secret)
        }
    }
}
