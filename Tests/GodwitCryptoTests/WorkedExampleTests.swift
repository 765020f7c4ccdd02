import Glibc
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitCrypto

/// Gives out keys of one repeated byte each, in the order asked for.
private final class RepeatedBytes: RandomSource {
    private let rest: Mutex<[UInt8]>

    init(_ values: UInt8...) { rest = Mutex(values) }

    func bytes(_ count: Int) -> [UInt8] {
        let value = rest.withLock { $0.isEmpty ? 0 : $0.removeFirst() }
        return [UInt8](repeating: value, count: count)
    }
}

private func repeated(_ value: UInt8) -> Secret { Secret([UInt8](repeating: value, count: 32)) }

/// The worked examples of docs/protocol.md, section 4.6, stand there as they come out here.
@Suite("Bytes of the document (E2E-08, E2E-09)") struct WorkedExampleTests {
    private let document: String

    init() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let file = try #require(fopen(root + "/docs/protocol.md", "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        document = String(decoding: bytes, as: UTF8.self)
    }

    private func expect(_ name: String, _ value: String) {
        let row = "| \(name) | `\(value)` |"
        let stands = document.contains(row)
        #expect(stands, "section 4.6 lacks \(row)")
    }

    @Test("names and signatures")
    func names() throws {
        let key = try SigningKey(seed: repeated(1))
        expect("public key", key.publicKey.text)
        expect("node id", try NodeIDDerivation.derive(from: key.publicKey).text)
        expect("device id", try DeviceIDDerivation.derive(from: key.publicKey).text)
        expect("signature of `{}` as `command`", key.sign(object: [:], purpose: .command).text)
    }

    @Test("the first message of a session")
    func session() throws {
        let bundle = X3DH.Bundle(
            identity: try AgreementKey(repeated(3)).publicKey, signedPreKey: try AgreementKey(repeated(4)).publicKey,
            oneTimePreKey: try AgreementKey(repeated(5)).publicKey)
        var session = try Session.initiate(
            identity: try AgreementKey(repeated(1)), bundle: bundle, signedPreKeyID: 7, oneTimePreKeyID: 9,
            from: RepeatedBytes(2, 6))
        let sealed = try session.encrypt(Array("godwit".utf8), salt: try .fixed()) { header, _ in header }
        expect("session id", session.id)
        expect("header", Hex.encode(sealed.header))
        expect("nonce", Hex.encode(sealed.nonce))
        expect("ciphertext", Hex.encode(sealed.ciphertext))
    }

    @Test("a body for several devices, and its key wrapped through that session")
    func bodyKey() throws {
        let key = try BodyKey(repeated(9))
        let body = try key.seal(Array("godwit".utf8), salt: try .fixed()) { _ in [] }
        expect("key id of the body", key.keyID)
        expect("ciphertext of the body", Hex.encode(body.ciphertext))
        var session = try Session.initiate(
            identity: try AgreementKey(repeated(1)),
            bundle: X3DH.Bundle(
                identity: try AgreementKey(repeated(3)).publicKey,
                signedPreKey: try AgreementKey(repeated(4)).publicKey,
                oneTimePreKey: try AgreementKey(repeated(5)).publicKey), signedPreKeyID: 7, oneTimePreKeyID: 9,
            from: RepeatedBytes(2, 6))
        let hash = try #require(MessageHash([UInt8](repeating: 10, count: 32)))
        expect(
            "wrapped key of the body",
            Hex.encode(try key.wrapped(through: &session, of: hash, salt: try .fixed()).ciphertext))
    }

    private var bundle: X3DH.Bundle {
        get throws {
            X3DH.Bundle(
                identity: try AgreementKey(repeated(3)).publicKey,
                signedPreKey: try AgreementKey(repeated(4)).publicKey,
                oneTimePreKey: try AgreementKey(repeated(5)).publicKey)
        }
    }

    @Test("the first message of a session with a KEM (G-101)")
    func hybridSession() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        var parts: [String: [UInt8]] = [:]
        for line in try TextFile.lines(root + "/Tests/Vectors/pqxdh.txt") where line.first != "#" {
            let fields = line.split(separator: " ")
            let bytes = try #require(Base64.decode(String(fields[1])))
            parts[String(fields[0])] = bytes
        }
        let kem = try KEMKey(Secret([UInt8](repeating: 0x0D, count: 64)))
        let ciphertext = try #require(parts["ciphertext"])
        #expect(parts["key"] == kem.publicKey.bytes)
        let secret = try kem.decapsulate(ciphertext)
        #expect(parts["secret"] == secret.copyBytes())
        expect("SHA-256 of the KEM key", Hex.encode(SHA256Digest.of(kem.publicKey.bytes)))
        expect("SHA-256 of the KEM ciphertext", Hex.encode(SHA256Digest.of(ciphertext)))
        expect("KEM secret", Hex.encode(secret.copyBytes()))
        var session = try Session.initiate(
            identity: try AgreementKey(repeated(1)), bundle: bundle, signedPreKeyID: 7, oneTimePreKeyID: 9,
            kem: KEMBundle(id: 11, key: kem.publicKey),
            encapsulation: .init(secret: secret, ciphertext: ciphertext), from: RepeatedBytes(2, 6))
        let sealed = try session.encrypt(Array("godwit".utf8), salt: try .fixed()) { header, _ in header }
        expect("session id, PQXDH", session.id)
        expect("SHA-256 of the header, PQXDH", Hex.encode(SHA256Digest.of(sealed.header)))
        expect("ciphertext, PQXDH", Hex.encode(sealed.ciphertext))
    }

    @Test("the first message after a rotation (E2E-11)")
    func rotation() throws {
        let before = try Session.initiate(
            identity: try AgreementKey(repeated(1)), bundle: bundle, signedPreKeyID: 7, oneTimePreKeyID: 9,
            from: RepeatedBytes(2, 6))
        var session = try before.rotated(
            generation: 1, signedPreKey: bundle.signedPreKey, signedPreKeyID: 7, from: RepeatedBytes(0x0F, 0x10))
        let sealed = try session.encrypt(Array("godwit".utf8), salt: try .fixed()) { header, _ in header }
        expect("session id, rotated", session.id)
        expect("header, rotated", Hex.encode(sealed.header))
        expect("ciphertext, rotated", Hex.encode(sealed.ciphertext))
    }

    @Test("an epoch")
    func epoch() throws {
        let secret = try EpochSecret(repeated(7))
        let epoch = try EpochName([UInt8](repeating: 8, count: 32))
        let user = try UserID("a7f3k9m2.alice")
        let device = try DeviceID("abcdefgh")
        expect("commitment", Hex.encode(secret.commitment))
        expect("next", Hex.encode(secret.next.secret.copyBytes()))
        var chain = secret.chain(of: device, user: user, epoch: epoch)
        let sealed = try chain.encrypt(Array("godwit".utf8), salt: try .fixed()) { _ in [] }
        expect("ciphertext at position 0", Hex.encode(sealed.ciphertext))
        let wrapped = try EpochWrap.wrap(
            secret, epoch: epoch, ephemeral: try AgreementKey(repeated(2)),
            for: EpochWrap.Recipient(user: user, device: device),
            signedPreKey: try AgreementKey(repeated(4)).publicKey, identity: try AgreementKey(repeated(3)).publicKey)
        expect("wrapped", Hex.encode(wrapped))
    }

    @Test("a sealed frame")
    func frame() throws {
        let frame = try SealedFrame(
            sealing: Array("godwit".utf8),
            over: Hop(sender: try Party("a7f3k9m2"), receiver: try Party("b8g4l0n3.bob/abcdefgh")),
            senderKey: try AgreementKey(repeated(1)), receiverKey: try AgreementKey(repeated(3)).publicKey,
            incarnation: 1, number: 300, from: RepeatedBytes(2))
        expect("frame", Hex.encode(frame.bytes))
        expect("rest of it from byte 64", Hex.encode(try FrameContinuation(of: frame.bytes, from: 64).bytes))
    }

    @Test("the keys of a passphrase")
    func passphrase() throws {
        let salt = [UInt8](repeating: 1, count: 16)
        let keys = KeyHierarchy(
            masterKey: try PassphraseKDF.pbkdf2(iterations: 100_000, salt: salt).masterKey(passphrase: "godwit"))
        expect("encryption key, PBKDF2", Hex.encode(keys.encryptionKey.copyBytes()))
        expect("signing key, PBKDF2", Hex.encode(keys.signingKey.copyBytes()))
        let master = try PassphraseKDF.argon2id(memoryKiB: 8_192, passes: 1, salt: salt)
            .masterKey(passphrase: "godwit")
        expect(
            "encryption key, Argon2id", Hex.encode(KeyHierarchy(masterKey: master).encryptionKey.copyBytes()))
    }
}
