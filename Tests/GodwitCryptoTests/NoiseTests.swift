import GodwitProtocol
import Testing

@testable import GodwitCrypto

@Suite struct NoiseTests {
    let random = SeededRandom(11)
    let sender: AgreementKey
    let receiver: AgreementKey
    let hop: Hop

    init() throws {
        sender = try .generate(from: random)
        receiver = try .generate(from: random)
        hop = Hop(sender: try Party("a7f3k9m2"), receiver: try Party("b8g4l0n3.bob/abcdefgh"))
    }

    private func frame(_ payload: [UInt8], incarnation: UInt32 = 7, number: UInt64 = 300) throws -> SealedFrame {
        try SealedFrame(
            sealing: payload, over: hop, senderKey: sender, receiverKey: receiver.publicKey, incarnation: incarnation,
            number: number, from: random)
    }

    @Test("a frame opens for its receiver and costs 48 bytes and the header (D-15)")
    func roundTrip() throws {
        let payload = random.bytes(100)
        let sealed = try frame(payload)
        #expect(sealed.bytes.count == 1 + 4 + 4 + 2 + 48 + 100)
        let received = try SealedFrame(sealed.bytes)
        #expect(received == sealed)
        #expect(received.header.incarnation == 7)
        #expect(received.header.number == 300)
        #expect(received.header.hint == FrameHint(sender: sender.publicKey, receiver: receiver.publicKey))
        #expect(try received.open(over: hop, receiverKey: receiver, senderKey: sender.publicKey) == payload)
    }

    @Test("the header's bytes stand as in the table of protocol 4.5")
    func headerBytes() throws {
        let header = FrameHeader(hint: try FrameHint([1, 2, 3, 4]), incarnation: 0x0A0B_0C0D, number: 300)
        #expect(header.bytes == [1, 1, 2, 3, 4, 0x0A, 0x0B, 0x0C, 0x0D, 0xAC, 0x02])
        #expect(
            header.prologue(hop) == Array("DCP1:frame".utf8) + [0, 1, 0, 8] + Array("a7f3k9m2".utf8) + [0, 21]
                + Array("b8g4l0n3.bob/abcdefgh".utf8) + [1, 2, 3, 4, 0x0A, 0x0B, 0x0C, 0x0D, 0, 0, 0, 0, 0, 0, 1, 44])
    }

    @Test("every changed byte of a frame makes it fail")
    func tampering() throws {
        let bytes = try frame([1, 2, 3]).bytes
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x01
            #expect(throws: CryptoError.self, "byte \(index)") {
                try SealedFrame(changed).open(over: hop, receiverKey: receiver, senderKey: sender.publicKey)
            }
        }
    }

    @Test("other keys and other parties do not open a frame")
    func otherEnds() throws {
        let sealed = try frame([1, 2, 3])
        let other = try AgreementKey.generate(from: random)
        let swapped = Hop(sender: hop.receiver, receiver: hop.sender)
        let elsewhere = Hop(sender: hop.sender, receiver: try Party("b8g4l0n3.bob/abcdefg2"))
        #expect(throws: CryptoError.authenticationFailed) {
            try sealed.open(over: hop, receiverKey: other, senderKey: sender.publicKey)
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try sealed.open(over: hop, receiverKey: receiver, senderKey: other.publicKey)
        }
        for hop in [swapped, elsewhere] {
            #expect(throws: CryptoError.authenticationFailed) {
                try sealed.open(over: hop, receiverKey: receiver, senderKey: sender.publicKey)
            }
        }
    }

    @Test("a payload of 65,471 bytes is sealed, one of 65,472 is not")
    func payloadLimit() throws {
        let largest = [UInt8](repeating: 5, count: SealedFrame.payloadMax)
        let sealed = try SealedFrame(try frame(largest).bytes)
        #expect(try sealed.open(over: hop, receiverKey: receiver, senderKey: sender.publicKey) == largest)
        #expect(throws: CryptoError.tooLarge) { try frame(largest + [5]) }
        #expect(throws: CryptoError.tooLarge) { try SealedFrame(sealed.bytes + [0]) }
    }

    @Test("a Noise message may have 65,535 bytes and no more")
    func noiseLimit() throws {
        let largest = [UInt8](repeating: 5, count: NoiseK.payloadMax)
        let message = try NoiseK.seal(
            largest, sender: sender, receiver: receiver.publicKey, prologue: [], from: random)
        #expect(message.count == 65_535)
        #expect(throws: CryptoError.tooLarge) {
            try NoiseK.seal(largest + [5], sender: sender, receiver: receiver.publicKey, prologue: [], from: random)
        }
        #expect(throws: CryptoError.tooLarge) {
            try NoiseK.open(message + [0], receiver: receiver, sender: sender.publicKey, prologue: [])
        }
    }

    @Test(
        "frame numbers go through their varint in shortest form only",
        arguments: [0, 1, 127, 128, 16_383, 16_384, UInt64.max])
    func numbers(_ number: UInt64) throws {
        let sealed = try SealedFrame(try frame([9], number: number).bytes)
        #expect(sealed.header.number == number)
        #expect(try sealed.open(over: hop, receiverKey: receiver, senderKey: sender.publicKey) == [9])
    }

    @Test("frames of another kind, with long varints, or cut short are refused")
    func malformed() throws {
        let tail = [UInt8](repeating: 0, count: 48)
        let head: [UInt8] = [1, 1, 2, 3, 4, 0, 0, 0, 1]
        #expect(try SealedFrame(head + [5] + tail).header.number == 5)
        for bytes in [
            [], [2] + head.dropFirst() + [5] + tail, head + [0x85, 0x00] + tail,
            head + [UInt8](repeating: 0x80, count: 10) + [1] + tail,
            head + [UInt8](repeating: 0xFF, count: 9) + [2] + tail, head + [5] + tail.dropLast(), head,
        ] {
            #expect(throws: CryptoError.malformed) { try SealedFrame(Array(bytes)) }
        }
    }

    @Test("two seals of the same payload differ: the ephemeral key is fresh")
    func fresh() throws {
        #expect(try frame([1]).bytes != frame([1]).bytes)
    }
}
