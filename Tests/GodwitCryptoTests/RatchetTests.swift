import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// E2E-04; docs/protocol.md, section 4.2.
@Suite struct RatchetTests {
    @Test("a conversation goes back and forth, and each turn brings a new key")
    func conversation() throws {
        var pair = try RatchetPair(seed: 1)
        var keys: Set<AgreementPublicKey> = []
        for turn in UInt8(0)..<10 {
            let question = try pair.alice.send([turn])
            #expect(try pair.bob.read(question, from: pair.random) == [turn])
            let answer = try pair.bob.send([turn, turn])
            #expect(try pair.alice.read(answer, from: pair.random) == [turn, turn])
            keys.insert(question.header.ratchetKey)
            keys.insert(answer.header.ratchetKey)
        }
        #expect(keys.count == 20)
    }

    @Test("positions count from 0 in each chain, and the header tells the length of the chain before")
    func positions() throws {
        var pair = try RatchetPair(seed: 2)
        for position in UInt64(0)..<3 {
            let message = try pair.alice.send([0])
            #expect(message.nonce.bytes == [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, UInt8(position)])
            #expect(message.header.previousCount == 0)
            _ = try pair.bob.read(message, from: pair.random)
        }
        _ = try pair.alice.read(try pair.bob.send([1]), from: pair.random)
        let next = try pair.alice.send([2])
        #expect(next.nonce.position == 0)
        #expect(next.header.previousCount == 3)
    }

    @Test("a responder cannot send before it has read")
    func notReady() throws {
        var pair = try RatchetPair(seed: 3)
        let before = pair.bob
        #expect(!pair.bob.canSend)
        #expect(throws: CryptoError.notReady) { try pair.bob.send([1]) }
        #expect(pair.bob == before)
    }

    @Test("a repeat is refused and the state stays as it was")
    func repeats() throws {
        var pair = try RatchetPair(seed: 4)
        let messages = try (UInt8(0)..<3).map { try pair.alice.send([$0]) }
        #expect(try pair.bob.read(messages[2], from: pair.random) == [2])
        #expect(try pair.bob.read(messages[0], from: pair.random) == [0])
        let before = pair.bob
        for message in [messages[2], messages[0]] {
            #expect(throws: CryptoError.keyGone) { try pair.bob.read(message, from: pair.random) }
        }
        #expect(pair.bob == before)
        #expect(try pair.bob.read(messages[1], from: pair.random) == [1])
        #expect(pair.bob.skippedCount == 0)
    }

    @Test("every changed byte of header, nonce, ciphertext and associated data is refused, and the state stays")
    func tampering() throws {
        var pair = try RatchetPair(seed: 5)
        _ = try pair.bob.read(try pair.alice.send([0]), from: pair.random)
        _ = try pair.alice.read(try pair.bob.send([0]), from: pair.random)
        let message = try pair.alice.send([1, 2, 3, 4, 5])
        let wire = SessionHeader(ratchet: message.header).bytes + message.nonce.bytes + message.ciphertext
        let before = pair.bob
        for index in wire.indices {
            var changed = wire
            changed[index] ^= 0x40
            #expect(throws: CryptoError.self, "byte \(index)") {
                let header = try SessionHeader(Array(changed[..<37]))
                let forged = RatchetMessage(
                    header: header.ratchet, nonce: try MessageNonce(Array(changed[37..<49])),
                    ciphertext: Array(changed[49...]))
                return try pair.bob.read(forged, from: pair.random)
            }
            #expect(pair.bob == before)
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try pair.bob.decrypt(message, aad: aad(message.header, message.nonce) + [0], from: pair.random)
        }
        #expect(pair.bob == before)
        #expect(try pair.bob.read(message, from: pair.random) == [1, 2, 3, 4, 5])
    }

    @Test("the associated data of the agreement is covered: who the two devices are")
    func agreementCovered() throws {
        let random = SeededRandom(6)
        let signed = try AgreementKey.generate(from: random)
        let shared = Secret(random.bytes(32))
        let here = X3DH.Agreement(sharedKey: shared, associatedData: [UInt8](repeating: 1, count: 64))
        let there = X3DH.Agreement(sharedKey: shared, associatedData: [UInt8](repeating: 2, count: 64))
        var alice = try RatchetState(initiating: here, remote: signed.publicKey, from: random)
        let message = try alice.send([1])
        var bob = RatchetState(responding: there, signedPreKey: signed)
        #expect(throws: CryptoError.authenticationFailed) { try bob.read(message, from: random) }
        bob = RatchetState(responding: here, signedPreKey: signed)
        #expect(try bob.read(message, from: random) == [1])
    }

    @Test("what was read before cannot be read with the state that was left (forward secrecy)")
    func forwardSecrecy() throws {
        var pair = try RatchetPair(seed: 7)
        let message = try pair.alice.send([1])
        _ = try pair.bob.read(message, from: pair.random)
        var thief = try RatchetState(decoding: pair.bob.encoded())
        #expect(throws: CryptoError.self) { try thief.read(message, from: pair.random) }
    }

    @Test("a stolen state is of no use after one exchange (recovery after compromise)")
    func recovery() throws {
        var pair = try RatchetPair(seed: 8)
        _ = try pair.bob.read(try pair.alice.send([0]), from: pair.random)
        var thief = pair.bob
        _ = try pair.alice.read(try pair.bob.send([1]), from: pair.random)
        _ = try pair.bob.read(try pair.alice.send([2]), from: pair.random)
        _ = try pair.alice.read(try pair.bob.send([3]), from: pair.random)
        let secret = try pair.alice.send([4])
        #expect(throws: CryptoError.self) { try thief.read(secret, from: pair.random) }
        #expect(try pair.bob.read(secret, from: pair.random) == [4])
    }

    @Test("a state comes back from its stored form, with skipped keys, and goes on")
    func storage() throws {
        var pair = try RatchetPair(seed: 9)
        #expect(try RatchetState(decoding: pair.bob.encoded()) == pair.bob)
        let messages = try (UInt8(0)..<5).map { try pair.alice.send([$0]) }
        _ = try pair.bob.read(messages[3], from: pair.random)
        var stored = try RatchetState(decoding: pair.bob.encoded())
        #expect(stored == pair.bob)
        #expect(stored.skippedCount == 3)
        #expect(try stored.read(messages[1], from: pair.random) == [1])
        #expect(try stored.read(messages[4], from: pair.random) == [4])
    }

    @Test("a stored form that was cut, extended or of another version is refused")
    func damagedStorage() throws {
        var pair = try RatchetPair(seed: 10)
        let messages = try (UInt8(0)..<3).map { try pair.alice.send([$0]) }
        _ = try pair.bob.read(messages[2], from: pair.random)
        let bytes = pair.bob.encoded()
        for count in 0..<bytes.count {
            #expect(throws: CryptoError.malformed) { try RatchetState(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: CryptoError.malformed) { try RatchetState(decoding: bytes + [0]) }
        #expect(throws: CryptoError.malformed) { try RatchetState(decoding: [3] + bytes.dropFirst()) }
    }
}
