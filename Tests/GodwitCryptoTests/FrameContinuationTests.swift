import GodwitProtocol
import Testing

@testable import GodwitCrypto

/// The rest of a sealed frame (docs/protocol.md §4.5).
@Suite("The rest of a sealed frame") struct FrameContinuationTests {
    private let random = SeededRandom(12)

    private func frame(_ count: Int, number: UInt64 = 300) throws -> SealedFrame {
        let (sender, receiver) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
        return try SealedFrame(
            sealing: random.bytes(count), over: Hop(sender: try Party("a7f3k9m2"), receiver: try Party("b8g4l0n3")),
            senderKey: sender, receiverKey: receiver.publicKey, incarnation: 7, number: number, from: random)
    }

    @Test("joined to the beginning, also to a longer one, it is the frame again", arguments: [64, 65, 127, 128, 658])
    func joined(_ offset: Int) throws {
        let sealed = try frame(600).bytes
        #expect(sealed.count == 659)
        let rest = try FrameContinuation(of: sealed, from: offset)
        let received = try FrameContinuation(rest.bytes)
        #expect(try received == rest && received.header == SealedFrame(sealed).header)
        #expect(rest.bytes.count == 11 + (offset < 128 ? 1 : 2) + sealed.count - offset)
        for have in [offset, offset + 1, sealed.count] {
            #expect(received.joined(to: Array(sealed.prefix(have))) == sealed)
        }
        #expect(received.joined(to: Array(sealed.prefix(offset - 1))) == nil)
        let cut = try FrameContinuation(Array(rest.bytes.dropLast()))
        #expect(cut.joined(to: sealed) == Array(sealed.dropLast()))
    }

    @Test("it is not joined to the beginning of another frame")
    func another() throws {
        let (one, other) = (try frame(600).bytes, try frame(600).bytes)
        #expect(try FrameContinuation(of: one, from: 100).joined(to: other) == nil)
        var renumbered = one
        renumbered[9] ^= 1
        #expect(try FrameContinuation(of: one, from: 100).joined(to: renumbered) == nil)
        #expect(try FrameContinuation(of: one, from: 100).joined(to: []) == nil)
    }

    @Test("64 bytes to all but one of the largest frame may be left out")
    func offsets() throws {
        let sealed = try frame(SealedFrame.payloadMax).bytes
        for offset in [0, 63, sealed.count, sealed.count + 1, -1] {
            #expect(throws: CryptoError.malformed) { try FrameContinuation(of: sealed, from: offset) }
        }
        #expect(try FrameContinuation(of: sealed, from: sealed.count - 1).rest.count == 1)
        let head = Array(try FrameContinuation(of: sealed, from: 64).bytes.prefix(11))
        func bytes(_ offset: UInt64) -> [UInt8] {
            var writer = ByteWriter(head)
            writer.append(varint: offset)
            return writer.bytes + [1]
        }
        for offset in [64, 65_553] as [UInt64] { #expect(try FrameContinuation(bytes(offset)).offset == Int(offset)) }
        for offset in [0, 63, 65_554, .max] as [UInt64] {
            #expect(throws: CryptoError.malformed) { try FrameContinuation(bytes(offset)) }
        }
    }

    @Test("other kinds, loose frames, cut headers and long varints are refused")
    func malformed() throws {
        let rest = try FrameContinuation(of: try frame(600).bytes, from: 100).bytes
        #expect(rest.first == 3)
        #expect(throws: CryptoError.malformed) { try FrameContinuation([1] + rest.dropFirst()) }
        #expect(throws: CryptoError.malformed) { try SealedFrame(rest) }
        for count in 0..<12 {
            #expect(throws: CryptoError.malformed) { try FrameContinuation(Array(rest.prefix(count))) }
        }
        #expect(try FrameContinuation(Array(rest.prefix(12))).rest.isEmpty)
        let loose = try FrameContinuation(of: try frame(600, number: 0).bytes, from: 100).bytes
        #expect(throws: CryptoError.malformed) { try FrameContinuation(loose) }
        var long = Array(rest.prefix(11)) + [0xE4, 0x00]
        #expect(throws: CryptoError.malformed) { try FrameContinuation(long) }
        long = Array(rest.prefix(9)) + [0x80, 0x00] + rest.dropFirst(11)
        #expect(throws: CryptoError.malformed) { try FrameContinuation(long) }
    }

    @Test("with the same ephemeral key the same frame is sealed to the same bytes, and nothing else is")
    func again() throws {
        let (sender, receiver) = (try AgreementKey.generate(from: random), try AgreementKey.generate(from: random))
        let ephemeral = try AgreementKey.generate(from: random)
        let hop = Hop(sender: try Party("a7f3k9m2"), receiver: try Party("b8g4l0n3"))
        func seal(_ payload: [UInt8], number: UInt64 = 5) throws -> SealedFrame {
            try SealedFrame(
                sealing: payload, over: hop, senderKey: sender, receiverKey: receiver.publicKey, incarnation: 7,
                number: number, ephemeral: ephemeral)
        }
        let payload = random.bytes(200)
        #expect(try seal(payload).bytes == seal(payload).bytes)
        #expect(try seal(payload).open(over: hop, receiverKey: receiver, senderKey: sender.publicKey) == payload)
        #expect(try seal(payload).bytes.dropFirst(42) != seal(payload, number: 6).bytes.dropFirst(42))
    }
}
