import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitCrypto

/// Random bytes that a seed determines (SplitMix64). Not for keys of anybody.
final class SeededRandom: RandomSource, RandomNumberGenerator {
    private let state: Mutex<UInt64>

    init(_ seed: UInt64) { state = Mutex(seed) }

    func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

func hex(_ text: String) throws -> [UInt8] {
    try #require(Hex.decode(text.filter { !$0.isWhitespace }))
}

extension Secret {
    convenience init(hex text: String) throws { self.init(try GodwitCryptoTests.hex(text)) }
}

extension NonceSalt {
    static func fixed() throws -> NonceSalt { try NonceSalt([1, 2, 3, 4]) }
}

/// The two ends of a fresh session whose associated data is header and nonce, as a message's `aad` covers both.
struct RatchetPair {
    var alice: RatchetState
    var bob: RatchetState
    let random: SeededRandom

    init(seed: UInt64) throws {
        random = SeededRandom(seed)
        let alice = try AgreementKey.generate(from: random)
        let bob = try AgreementKey.generate(from: random)
        let signed = try AgreementKey.generate(from: random)
        let ephemeral = try AgreementKey.generate(from: random)
        let bundle = X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: nil)
        let agreement = try X3DH.initiate(identity: alice, ephemeral: ephemeral, bundle: bundle)
        let answer = try X3DH.respond(
            identity: bob, signedPreKey: signed, oneTimePreKey: nil, initiator: alice.publicKey,
            ephemeral: ephemeral.publicKey)
        self.alice = try RatchetState(initiating: agreement, remote: signed.publicKey, from: random)
        self.bob = RatchetState(responding: answer, signedPreKey: signed)
    }
}

func aad(_ header: RatchetHeader, _ nonce: MessageNonce) -> [UInt8] {
    SessionHeader(ratchet: header).bytes + nonce.bytes
}

extension RatchetState {
    mutating func send(_ text: [UInt8]) throws -> RatchetMessage {
        try encrypt(text, salt: try .fixed(), aad: aad)
    }

    mutating func read(_ message: RatchetMessage, from random: SeededRandom) throws -> [UInt8] {
        try decrypt(message, aad: aad(message.header, message.nonce), from: random)
    }
}
