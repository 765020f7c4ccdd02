import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// Rotation of sessions without an answer (docs/protocol.md, section 4.2; E2E-11, D-13).
@Suite struct RotationTests {
    let random = SeededRandom(71)
    let keys: (alice: AgreementKey, bob: AgreementKey)
    let signed: (alice: AgreementKey, bob: AgreementKey)
    let kem: KEMKey

    init() throws {
        keys = (try .generate(from: random), try .generate(from: random))
        signed = (try .generate(from: random), try .generate(from: random))
        kem = try .generate(from: random)
    }

    private func send(_ session: inout Session, _ text: [UInt8]) throws -> Session.Sealed {
        try session.encrypt(text, salt: try .fixed()) { $0 + $1 }
    }

    private func read(_ session: inout Session, _ sealed: Session.Sealed) throws -> [UInt8] {
        try session.decrypt(sealed, aad: sealed.header + sealed.nonce, from: random)
    }

    /// Alice's session of first contact, of which Bob has read nothing.
    private func initiate(kem: Bool) throws -> Session {
        try .initiate(
            identity: keys.alice,
            bundle: X3DH.Bundle(
                identity: keys.bob.publicKey, signedPreKey: signed.bob.publicKey, oneTimePreKey: nil),
            signedPreKeyID: 1, oneTimePreKeyID: nil, kem: kem ? KEMBundle(id: 1, key: self.kem.publicKey) : nil,
            from: random)
    }

    private func respond(_ use: PreKeyUse) throws -> Session {
        try .respond(
            identity: keys.bob, signedPreKey: signed.bob, oneTimePreKey: nil, kem: use.kem == nil ? nil : kem,
            initiator: keys.alice.publicKey, preKey: use)
    }

    /// Both ends of an answered session.
    private func answered() throws -> (alice: Session, bob: Session) {
        var alice = try initiate(kem: false)
        let first = try send(&alice, [0])
        var bob = try respond(try #require(try SessionHeader(first.header).preKey))
        _ = try read(&bob, first)
        _ = try read(&alice, try send(&bob, [0]))
        return (alice, bob)
    }

    @Test("the next session is read at once, in any order, beside the one before")
    func rotation() throws {
        var (alice, bob) = try answered()
        let before = try send(&alice, [1])
        var next = try alice.rotated(
            generation: 1, signedPreKey: signed.bob.publicKey, signedPreKeyID: 9, from: random)
        #expect(next.id != alice.id && next.generation == 1)
        let (first, second) = (try send(&next, [2]), try send(&next, [3]))
        #expect(first.header.count == 87)
        let use = try #require(try SessionHeader(second.header).rotation)
        #expect(use.parent == alice.id && use.signedPreKeyID == 9)
        var there = try bob.answering(use, signedPreKey: signed.bob)
        #expect(there.id == next.id && there.generation == 1)
        #expect(try read(&there, second) == [3])
        #expect(try read(&there, first) == [2])
        #expect(try read(&bob, before) == [1])
        #expect(try read(&next, try send(&there, [4])) == [4])
        #expect(!next.isUnanswered)
        #expect(try send(&next, [5]).header.count == 37)
    }

    @Test(
        "an unanswered first contact is rotated with its keys in the header, so nothing of it need have come",
        arguments: [true, false])
    func unanswered(_ withKEM: Bool) throws {
        var alice = try initiate(kem: withKEM)
        let lost = try send(&alice, [1])
        var next = try alice.rotated(
            generation: 1, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        let first = try send(&next, [2])
        let header = try SessionHeader(first.header)
        #expect(first.header.count == (withKEM ? SessionHeader.countMax : 127))
        var parent = try respond(try #require(header.preKey))
        #expect(parent.id == alice.id)
        var there = try parent.answering(try #require(header.rotation), signedPreKey: signed.bob)
        #expect(try read(&there, first) == [2])
        // What was late is read by the session before.
        #expect(try read(&parent, lost) == [1])
        #expect(try Session(decoding: next.encoded()) == next)
    }

    @Test("a session follows neither from an unanswered rotation nor backwards")
    func order() throws {
        let (alice, bob) = try answered()
        let next = try alice.rotated(
            generation: 2, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        #expect(throws: CryptoError.parameters) {
            try next.rotated(generation: 3, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        }
        #expect(throws: CryptoError.parameters) {
            try alice.rotated(generation: 0, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        }
        var use = try #require(next.pendingRotation)
        use.parent = "aaaaaaaaaaaaaaaa"
        #expect(throws: CryptoError.parameters) { try bob.answering(use, signedPreKey: signed.bob) }
    }

    @Test("pre-key, ephemeral key, generation and the session before all decide about the next one")
    func binding() throws {
        let (alice, bob) = try answered()
        var next = try alice.rotated(
            generation: 2, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        let first = try send(&next, [2])
        let use = try #require(next.pendingRotation)
        var (other, later) = (use, use)
        other.ephemeral = signed.alice.publicKey
        later.generation = 3
        let elsewhere = try answered()
        var foreign = use
        foreign.parent = elsewhere.bob.id
        for session in [
            try bob.answering(use, signedPreKey: signed.alice), try bob.answering(other, signedPreKey: signed.bob),
            try bob.answering(later, signedPreKey: signed.bob),
            try elsewhere.bob.answering(foreign, signedPreKey: signed.bob),
        ] {
            var session = session
            #expect(session.id != next.id)
            #expect(throws: CryptoError.authenticationFailed) { try read(&session, first) }
        }
    }

    @Test("who knows all of the old session but the signed pre-key reads nothing of the next one")
    func recovery() throws {
        let (alice, bob) = try answered()
        var next = try alice.rotated(
            generation: 1, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        let first = try send(&next, [2])
        let use = try #require(next.pendingRotation)
        // The thief has both ends' stores of before, and tries his own key for the pre-key.
        for stolen in [alice, bob] {
            var thief = try stolen.answering(use, signedPreKey: try .generate(from: random))
            #expect(throws: CryptoError.authenticationFailed) { try read(&thief, first) }
        }
    }

    @Test("a session that the first version stored is read, and cannot be rotated")
    func firstVersion() throws {
        let (alice, _) = try answered()
        let ratchet = alice.ratchet.encoded()
        // Version 1: id, no pending keys, then the ratchet with 64 bytes of associated data and no length.
        let bytes = [1] + Array(alice.id.utf8) + [0] + [1] + ratchet[2...]
        let session = try Session(decoding: bytes)
        #expect(session.ratchet == alice.ratchet && session.id == alice.id && !session.canRotate)
        #expect(throws: CryptoError.parameters) {
            try session.rotated(generation: 1, signedPreKey: signed.bob.publicKey, signedPreKeyID: 1, from: random)
        }
    }
}
