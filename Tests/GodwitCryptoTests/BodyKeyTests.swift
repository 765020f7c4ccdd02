import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// The key of a body that several devices read (D-13); docs/protocol.md, section 5.
@Suite(.serialized) struct BodyKeyTests {
    let random = SeededRandom(77)
    let hash: MessageHash

    init() throws { hash = try #require(MessageHash(random.bytes(32))) }

    /// A session that was answered, from both sides.
    private func sessions() throws -> (here: Session, there: Session) {
        let (alice, bob) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
        let signed = try AgreementKey.generate(from: random)
        var here = try Session.initiate(
            identity: alice,
            bundle: X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: nil),
            signedPreKeyID: 1, oneTimePreKeyID: nil, from: random)
        let first = try here.encrypt([1], salt: try .fixed()) { header, _ in header }
        var there = try Session.respond(
            identity: bob, signedPreKey: signed, oneTimePreKey: nil, initiator: alice.publicKey,
            preKey: try #require(try SessionHeader(first.header).preKey))
        _ = try there.decrypt(first, aad: first.header, from: random)
        let answer = try there.encrypt([2], salt: try .fixed()) { header, _ in header }
        _ = try here.decrypt(answer, aad: answer.header, from: random)
        return (here, there)
    }

    @Test("three devices read one body through their own sessions (D-13)")
    func several() throws {
        let key = try BodyKey.draw(from: random)
        let body = try key.seal(Array("godwit".utf8), salt: try .fixed()) { $0 + [9] }
        #expect(body.nonce == [1, 2, 3, 4] + [UInt8](repeating: 0, count: 8))
        var wraps: Set<[UInt8]> = []
        for _ in 0..<3 {
            var (here, there) = try sessions()
            let wrap = try key.wrapped(through: &here, of: hash, salt: try .fixed())
            #expect(wrap.ciphertext.count == BodyWrap.wrappedCount && wraps.insert(wrap.ciphertext).inserted)
            let unwrapped = try BodyKey(unwrapping: wrap, through: &there, of: hash)
            #expect(unwrapped.keyID == key.keyID)
            let content = try unwrapped.open(body.ciphertext, nonce: body.nonce, aad: body.nonce + [9])
            #expect(content == Array("godwit".utf8))
        }
    }

    @Test("the name follows from the key and fits no other: one ciphertext has one key (D-13)")
    func name() throws {
        let key = try BodyKey.draw(from: random)
        let other = try BodyKey.draw(from: random)
        #expect(BodyKey.names(key.keyID) && key.keyID.utf8.count == 32)
        #expect(key.keyID != other.keyID)
        #expect(!BodyKey.names("47pta2eju3advcgn") && !BodyKey.names(String(repeating: "1", count: 32)))
    }

    @Test("a wrap opens for its message only, and once", arguments: ["message", "header", "bytes", "again"])
    func bound(_ change: String) throws {
        var (here, there) = try sessions()
        let key = try BodyKey.draw(from: random)
        var wrap = try key.wrapped(through: &here, of: hash, salt: try .fixed())
        var message = hash
        switch change {
        case "message": message = try #require(MessageHash(random.bytes(32)))
        // `pn` of the header.
        case "header": wrap.header[36] ^= 1
        case "bytes": wrap.ciphertext[0] ^= 1
        default: _ = try BodyKey(unwrapping: wrap, through: &there, of: hash)
        }
        let before = there
        #expect(throws: CryptoError.self) { _ = try BodyKey(unwrapping: wrap, through: &there, of: message) }
        #expect(there == before)
    }

    @Test("a body that was altered, or stands beside other data, does not open")
    func altered() throws {
        let key = try BodyKey.draw(from: random)
        let body = try key.seal([1, 2, 3], salt: try .fixed()) { _ in [7] }
        var ciphertext = body.ciphertext
        ciphertext[1] ^= 1
        #expect(throws: CryptoError.authenticationFailed) {
            try key.open(ciphertext, nonce: body.nonce, aad: [7])
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try key.open(body.ciphertext, nonce: body.nonce, aad: [8])
        }
        #expect(throws: CryptoError.malformed) { _ = try BodyKey(Secret(random.bytes(31))) }
    }

    @Test("name, body and wrap are the same by another reading of the document (D-13, E2E-17)")
    func interop() throws {
        let python = try PythonPeer("body_key.py")
        for round in 0..<20 {
            let (alice, bob) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
            let signed = try AgreementKey.generate(from: random)
            var session = try Session.initiate(
                identity: alice,
                bundle: X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: nil),
                signedPreKeyID: 1, oneTimePreKeyID: nil, from: random)
            for _ in 0..<round { _ = try session.encrypt([0], salt: try .fixed()) { header, _ in header } }
            let key = try BodyKey.draw(from: random)
            let (aad, content) = (random.bytes(random.below(200)), random.bytes(random.below(300)))
            let body = try key.seal(content, salt: try .fixed()) { _ in aad }
            let wrap = try key.wrapped(through: &session, of: hash, salt: try .fixed())
            let preKey = try #require(try SessionHeader(wrap.header).preKey)
            let agreement = try X3DH.respond(
                identity: bob, signedPreKey: signed, oneTimePreKey: nil, initiator: alice.publicKey,
                ephemeral: preKey.ephemeral)
            let answer = try python.ask(
                "read",
                [
                    "secret": .base64(agreement.sharedKey.copyBytes()),
                    "associated": .base64(agreement.associatedData),
                    "signed_pre_key": .base64(signed.secret.copyBytes()), "header": .base64(wrap.header),
                    "nonce": .base64(wrap.nonce), "wrapped": .base64(wrap.ciphertext), "hash": .base64(hash.bytes),
                    "body_nonce": .base64(body.nonce), "ciphertext": .base64(body.ciphertext), "aad": .base64(aad),
                ])
            #expect(answer == ["key_id": .string(key.keyID), "content": .base64(content)])
        }
    }
}
