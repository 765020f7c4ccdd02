import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// ML-KEM-768 and first contact with it (docs/protocol.md, section 4.1; G-101, PQ-01).
@Suite struct KEMTests {
    let random = SeededRandom(61)
    let alice: AgreementKey
    let bob: AgreementKey
    let signed: AgreementKey
    let oneTime: AgreementKey
    let kem: KEMKey

    init() throws {
        alice = try .generate(from: random)
        bob = try .generate(from: random)
        signed = try .generate(from: random)
        oneTime = try .generate(from: random)
        kem = try .generate(from: random)
    }

    private func initiate(_ key: KEMKey? = nil, oneTime: Bool = true) throws -> Session {
        try .initiate(
            identity: alice,
            bundle: X3DH.Bundle(
                identity: bob.publicKey, signedPreKey: signed.publicKey,
                oneTimePreKey: oneTime ? self.oneTime.publicKey : nil),
            signedPreKeyID: 3, oneTimePreKeyID: oneTime ? 44 : nil,
            kem: KEMBundle(id: 5, key: (key ?? kem).publicKey), from: random)
    }

    private func respond(_ use: PreKeyUse, kem: KEMKey?) throws -> Session {
        try .respond(
            identity: bob, signedPreKey: signed, oneTimePreKey: use.oneTimePreKeyID == nil ? nil : oneTime, kem: kem,
            initiator: alice.publicKey, preKey: use)
    }

    private func send(_ session: inout Session, _ text: [UInt8]) throws -> Session.Sealed {
        try session.encrypt(text, salt: try .fixed()) { $0 + $1 }
    }

    private func read(_ session: inout Session, _ sealed: Session.Sealed) throws -> [UInt8] {
        try session.decrypt(sealed, aad: sealed.header + sealed.nonce, from: random)
    }

    @Test("a KEM key follows from its 64 bytes, and other lengths are refused")
    func keys() throws {
        #expect(try KEMKey(kem.seed) == kem)
        for count in [0, 32, 63, 65] {
            #expect(throws: CryptoError.invalidKey) { try KEMKey(Secret([UInt8](repeating: 1, count: count))) }
        }
        #expect(try KEMPublicKey(kem.publicKey.bytes) == kem.publicKey)
        #expect(kem.publicKey.text == "mlkem768:" + Base64.encode(kem.publicKey.bytes))
        for bytes in [[], Array(kem.publicKey.bytes.dropLast()), kem.publicKey.bytes + [0]] {
            #expect(throws: CryptoError.invalidKey) { try KEMPublicKey(bytes) }
        }
    }

    @Test("both ends come to one session; the ciphertext stands in each header until the first answer (G-101)")
    func firstContact() throws {
        for oneTime in [true, false] {
            var here = try initiate(oneTime: oneTime)
            let first = try send(&here, [1])
            let second = try send(&here, [2])
            #expect(first.header.count == 1_169 && second.header.count == 1_169)
            let use = try #require(try SessionHeader(first.header).preKey)
            #expect(use.kem?.id == 5)
            var there = try respond(use, kem: kem)
            #expect(there.id == here.id)
            #expect(try read(&there, second) == [2])
            #expect(try read(&there, first) == [1])
            let answer = try send(&there, [3])
            #expect(try read(&here, answer) == [3])
            #expect(try send(&here, [4]).header.count == 37)
        }
    }

    @Test("another KEM key, an altered ciphertext and a left-out KEM read nothing: each gives another session")
    func wrongKEM() throws {
        var here = try initiate()
        let first = try send(&here, [1])
        let use = try #require(try SessionHeader(first.header).preKey)
        var altered = use
        altered.kem?.ciphertext[7] ^= 1
        var without = use
        without.kem = nil
        for session in [
            try respond(use, kem: try .generate(from: random)), try respond(altered, kem: kem),
            try respond(without, kem: nil),
        ] {
            var session = session
            #expect(session.id != here.id)
            #expect(throws: CryptoError.authenticationFailed) { try read(&session, first) }
        }
        #expect(throws: CryptoError.parameters) { try respond(use, kem: nil) }
        #expect(throws: CryptoError.parameters) { try respond(without, kem: kem) }
        var short = use
        short.kem?.ciphertext.removeLast()
        #expect(throws: CryptoError.malformed) { try respond(short, kem: kem) }
    }

    @Test("key and ciphertext of the KEM are part of the associated data")
    func binding() throws {
        let encapsulation = try kem.publicKey.encapsulate()
        let bundle = X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: nil)
        func data(_ key: KEMPublicKey, _ ciphertext: [UInt8]) throws -> [UInt8] {
            try PQXDH.initiate(
                identity: alice, ephemeral: oneTime, bundle: bundle, kem: key,
                encapsulation: .init(secret: encapsulation.secret, ciphertext: ciphertext)
            ).associatedData
        }
        let usual = try data(kem.publicKey, encapsulation.ciphertext)
        #expect(
            usual == alice.publicKey.bytes + bob.publicKey.bytes
                + SHA256Digest.of(Array("DCP1:pqxdh-kem".utf8) + [0], kem.publicKey.bytes, encapsulation.ciphertext))
        #expect(try data(kem.publicKey, encapsulation.ciphertext.reversed()) != usual)
        #expect(try data(KEMKey.generate(from: random).publicKey, encapsulation.ciphertext) != usual)
        let plain = try X3DH.initiate(identity: alice, ephemeral: oneTime, bundle: bundle)
        let hybrid = try PQXDH.initiate(
            identity: alice, ephemeral: oneTime, bundle: bundle, kem: kem.publicKey, encapsulation: encapsulation)
        #expect(plain.sharedKey != hybrid.sharedKey)
    }

    @Test("a session with a KEM comes back from its stored form")
    func storage() throws {
        var here = try initiate()
        var there = try respond(try #require(try SessionHeader(try send(&here, [1]).header).preKey), kem: kem)
        _ = try read(&there, try send(&here, [2]))
        for session in [here, there] { #expect(try Session(decoding: session.encoded()) == session) }
    }
}
