import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// E2E-03, E2E-17; docs/protocol.md, sections 4.1 and 4.2.
@Suite struct SessionTests {
    let random = SeededRandom(21)
    let alice: AgreementKey
    let bob: AgreementKey
    let signed: AgreementKey
    let oneTime: AgreementKey

    init() throws {
        alice = try .generate(from: random)
        bob = try .generate(from: random)
        signed = try .generate(from: random)
        oneTime = try .generate(from: random)
    }

    private func initiate(oneTime: Bool) throws -> Session {
        let bundle = X3DH.Bundle(
            identity: bob.publicKey, signedPreKey: signed.publicKey,
            oneTimePreKey: oneTime ? self.oneTime.publicKey : nil)
        return try .initiate(
            identity: alice, bundle: bundle, signedPreKeyID: 3, oneTimePreKeyID: oneTime ? 44 : nil, from: random)
    }

    private func respond(_ sealed: Session.Sealed, oneTime: Bool) throws -> Session {
        let preKey = try #require(try SessionHeader(sealed.header).preKey)
        return try .respond(
            identity: bob, signedPreKey: signed, oneTimePreKey: oneTime ? self.oneTime : nil,
            initiator: alice.publicKey, preKey: preKey)
    }

    private func send(_ session: inout Session, _ text: [UInt8]) throws -> Session.Sealed {
        try session.encrypt(text, salt: try .fixed()) { $0 + $1 }
    }

    private func read(_ session: inout Session, _ sealed: Session.Sealed) throws -> [UInt8] {
        try session.decrypt(sealed, aad: sealed.header + sealed.nonce, from: random)
    }

    @Test("both sides come to one session, with and without a one-time pre-key (G-13)", arguments: [true, false])
    func firstContact(_ useOneTime: Bool) throws {
        var here = try initiate(oneTime: useOneTime)
        let first = try send(&here, [1])
        let header = try SessionHeader(first.header)
        #expect(first.header.count == 77)
        #expect(header.preKey?.signedPreKeyID == 3)
        #expect(header.preKey?.oneTimePreKeyID == (useOneTime ? 44 : nil))
        var there = try respond(first, oneTime: useOneTime)
        #expect(there.id == here.id)
        #expect(here.id.count == 16)
        #expect(try read(&there, first) == [1])

        // Form 2 until the first answer, form 1 from then on; answers have form 1 always.
        let second = try send(&here, [2])
        #expect(second.header.count == 77)
        let answer = try send(&there, [3])
        #expect(answer.header.count == 37)
        #expect(try read(&here, answer) == [3])
        let third = try send(&here, [4])
        #expect(third.header.count == 37)
        #expect(try read(&there, third) == [4])
        #expect(try read(&there, second) == [2])
    }

    @Test("a refused answer does not end form 2")
    func refusedAnswer() throws {
        var here = try initiate(oneTime: true)
        var there = try respond(try send(&here, [1]), oneTime: true)
        _ = try read(&there, try send(&here, [1]))
        var answer = try send(&there, [2])
        answer.ciphertext[0] ^= 1
        let before = here
        #expect(throws: CryptoError.authenticationFailed) { try read(&here, answer) }
        #expect(here == before)
        #expect(here.pendingPreKey != nil)
    }

    @Test("other keys on the responder's side do not read the first message")
    func wrongKeys() throws {
        var here = try initiate(oneTime: true)
        let first = try send(&here, [1])
        let preKey = try #require(try SessionHeader(first.header).preKey)
        let other = try AgreementKey.generate(from: random)
        let wrong = [
            try Session.respond(
                identity: other, signedPreKey: signed, oneTimePreKey: oneTime, initiator: alice.publicKey,
                preKey: preKey),
            try Session.respond(
                identity: bob, signedPreKey: other, oneTimePreKey: oneTime, initiator: alice.publicKey, preKey: preKey),
            try Session.respond(
                identity: bob, signedPreKey: signed, oneTimePreKey: other, initiator: alice.publicKey, preKey: preKey),
            try Session.respond(
                identity: bob, signedPreKey: signed, oneTimePreKey: oneTime, initiator: other.publicKey,
                preKey: preKey),
        ]
        for session in wrong {
            var session = session
            #expect(session.id != here.id)
            #expect(throws: CryptoError.authenticationFailed) { try read(&session, first) }
        }
    }

    @Test("a one-time pre-key and its id go together")
    func oneTimeMismatch() throws {
        var here = try initiate(oneTime: true)
        let first = try send(&here, [1])
        #expect(throws: CryptoError.parameters) { try respond(first, oneTime: false) }
        let bundle = X3DH.Bundle(
            identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: oneTime.publicKey)
        for id in [nil, UInt32(0)] {
            #expect(throws: CryptoError.parameters) {
                try Session.initiate(
                    identity: alice, bundle: bundle, signedPreKeyID: 3, oneTimePreKeyID: id, from: random)
            }
        }
    }

    @Test("a bundle with a key of small order is refused")
    func smallOrderBundle() throws {
        let weak = try AgreementPublicKey([UInt8](repeating: 0, count: 32))
        for bundle in [
            X3DH.Bundle(identity: weak, signedPreKey: signed.publicKey, oneTimePreKey: nil),
            X3DH.Bundle(identity: bob.publicKey, signedPreKey: weak, oneTimePreKey: nil),
            X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: weak),
        ] {
            #expect(throws: CryptoError.invalidKey) {
                try X3DH.initiate(identity: alice, ephemeral: oneTime, bundle: bundle)
            }
        }
    }

    @Test("headers have exactly the six forms of protocol 4.2")
    func headers() throws {
        let key = try AgreementPublicKey([UInt8](repeating: 0xAA, count: 32))
        let plain = SessionHeader(ratchet: RatchetHeader(ratchetKey: key, previousCount: 258))
        let tail: [UInt8] = key.bytes + [0, 0, 1, 2]
        #expect(plain.bytes == [1] + tail)
        let ephemeral = try AgreementPublicKey([UInt8](repeating: 0xBB, count: 32))
        var use = PreKeyUse(ephemeral: ephemeral, signedPreKeyID: 5, oneTimePreKeyID: nil)
        let contact: [UInt8] = ephemeral.bytes + [0, 0, 0, 5, 0, 0, 0, 0]
        let ciphertext = [UInt8](repeating: 0xCC, count: 1_088)
        let full = SessionHeader(ratchet: plain.ratchet, preKey: use)
        use.kem = KEMUse(id: 6, ciphertext: ciphertext)
        let kem = SessionHeader(ratchet: plain.ratchet, preKey: use)
        let rotation = RotationUse(
            parent: "aaaaaaaaaaaaaaab", generation: 3, ephemeral: ephemeral, signedPreKeyID: 7)
        let turned: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3] + ephemeral.bytes + [0, 0, 0, 7]
        let forms: [(SessionHeader, [UInt8])] = [
            (plain, [1] + tail), (full, [2] + contact + tail),
            (kem, [3] + contact + [0, 0, 0, 6] + ciphertext + tail),
            (SessionHeader(ratchet: plain.ratchet, rotation: rotation), [4] + turned + tail),
            (
                SessionHeader(ratchet: plain.ratchet, preKey: full.preKey, rotation: rotation),
                [5] + contact + turned + tail
            ),
            (
                SessionHeader(ratchet: plain.ratchet, preKey: use, rotation: rotation),
                [6] + contact + [0, 0, 0, 6] + ciphertext + turned + tail
            ),
        ]
        #expect(forms.map(\.1.count) == [37, 77, 1_169, 87, 127, SessionHeader.countMax])
        for (header, bytes) in forms {
            #expect(header.bytes == bytes)
            #expect(try SessionHeader(bytes) == header)
            #expect(throws: CryptoError.malformed) { try SessionHeader(bytes + [0]) }
            #expect(throws: CryptoError.malformed) { try SessionHeader(Array(bytes.dropLast())) }
            for form: UInt8 in [0, 7] {
                #expect(throws: CryptoError.malformed) { try SessionHeader([form] + bytes.dropFirst()) }
            }
        }
        var first = forms[3].1
        first[14] = 0
        #expect(throws: CryptoError.malformed) { try SessionHeader(first) }
        #expect(throws: CryptoError.malformed) { try SessionHeader([]) }
    }

    @Test("a session comes back from its stored form, before and after the first answer")
    func storage() throws {
        var here = try initiate(oneTime: true)
        let first = try send(&here, [1])
        var there = try respond(first, oneTime: true)
        _ = try read(&there, first)
        for session in [here, there] {
            let bytes = session.encoded()
            #expect(try Session(decoding: bytes) == session)
            #expect(throws: CryptoError.malformed) { try Session(decoding: bytes + [0]) }
            #expect(throws: CryptoError.malformed) { try Session(decoding: Array(bytes.dropLast())) }
            #expect(throws: CryptoError.malformed) { try Session(decoding: [9] + bytes.dropFirst()) }
        }
    }
}
