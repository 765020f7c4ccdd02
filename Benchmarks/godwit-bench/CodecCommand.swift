import ArgumentParser
import GodwitBatch
import GodwitCrypto
import GodwitProtocol

/// Frames, seals and the two ratchets. The codecs of texts have a bench of their own: `godwit dictionary bench`.
struct CodecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec", abstract: "Measure frames, seals and message encryption on one core.")

    @Option(help: "Messages of one run.")
    var messages = 20_000
    @Option(help: "Messages of one frame.")
    var frame = 50
    @OptionGroup var report: ReportOptions

    func run() throws {
        var result = Report(name: "codec")
        let talk = try SampleTalk(messages: messages)
        try frames(talk, &result)
        try chain(&result)
        try ratchet(&result)
        try result.publish(report)
    }

    private func frames(_ talk: SampleTalk, _ result: inout Report) throws {
        let frames = stride(from: 0, to: talk.items.count, by: frame).map {
            Frame(items: Array(talk.items[$0..<min($0 + frame, talk.items.count)]))
        }
        let encoding = Watch()
        let encoded = try frames.map { try FrameCodec.encode($0) }
        let encodingTime = encoding.seconds
        let decoding = Watch()
        let decoded = try encoded.map { try FrameCodec.decode($0) }
        let decodingTime = decoding.seconds
        guard decoded.map(\.items.count) == frames.map(\.items.count),
            zip(decoded, frames).allSatisfy({ $0.items.map(\.body) == $1.items.map(\.body) })
        else { throw ProtocolError(.internalError, "A frame came back as another.") }
        result.add("messages_per_frame", frame)
        result.add("frame_bytes_mean", Double(encoded.reduce(0) { $0 + $1.count }) / Double(encoded.count))
        result.add("frame_encode_messages_per_second", Double(messages) / encodingTime)
        result.add("frame_decode_messages_per_second", Double(messages) / decodingTime)
        try seals(encoded, &result)
    }

    private func seals(_ payloads: [[UInt8]], _ result: inout Report) throws {
        let (here, there) = (try AgreementKey.generate(), try AgreementKey.generate())
        let hop = Hop(sender: try Party("nodeaaaa"), receiver: try Party("nodebbbb"))
        let sealing = Watch()
        let sealed = try payloads.enumerated().map { number, payload in
            try SealedFrame(
                sealing: payload, over: hop, senderKey: here, receiverKey: there.publicKey, incarnation: 1,
                number: UInt64(number + 1)
            ).bytes
        }
        let sealingTime = sealing.seconds
        let opening = Watch()
        let opened = try sealed.map {
            try SealedFrame($0).open(over: hop, receiverKey: there, senderKey: here.publicKey)
        }
        let openingTime = opening.seconds
        guard opened == payloads else { throw ProtocolError(.internalError, "A sealed frame came back as another.") }
        result.add("seal_frames_per_second", Double(payloads.count) / sealingTime)
        result.add("open_frames_per_second", Double(payloads.count) / openingTime)
    }

    /// A channel message: chain step and encryption; the signature apart.
    private func chain(_ result: inout Report) throws {
        let secret = try EpochSecret.generate()
        let name = try EpochName(SampleTalk.bytes(1, count: 32))
        let user = try UserID("nodeaaaa.alice")
        let device = try DeviceID("abcdefgh")
        var sender = secret.chain(of: device, user: user, epoch: name)
        var receiver = sender
        let salt = try NonceSalt.draw()
        let content = SampleTalk.bytes(2, count: 48)
        let sending = Watch()
        let sealed = try (0..<messages).map { _ in try sender.encrypt(content, salt: salt) { $0 } }
        result.add("chain_encrypt_per_second", Double(messages) / sending.seconds)
        let reading = Watch()
        for message in sealed {
            guard try receiver.decrypt(message, aad: message.nonce) == content else {
                throw ProtocolError(.internalError, "A chain gave back another text.")
            }
        }
        result.add("chain_decrypt_per_second", Double(messages) / reading.seconds)
        let key = try SigningKey.generate()
        let signing = Watch()
        let signatures = (0..<messages / 4).map { _ in key.sign(content, purpose: .message) }
        result.add("sign_per_second", Double(signatures.count) / signing.seconds)
        let verifying = Watch()
        guard signatures.allSatisfy({ key.publicKey.verify(content, signature: $0, purpose: .message) }) else {
            throw ProtocolError(.internalError, "A signature was refused.")
        }
        result.add("verify_per_second", Double(signatures.count) / verifying.seconds)
    }

    /// A direct message in a session of the Double Ratchet, ten one way and then ten back.
    private func ratchet(_ result: inout Report) throws {
        let (alice, bob) = (try AgreementKey.generate(), try AgreementKey.generate())
        let signed = try AgreementKey.generate()
        let bundle = X3DH.Bundle(identity: bob.publicKey, signedPreKey: signed.publicKey, oneTimePreKey: nil)
        var here = try Session.initiate(identity: alice, bundle: bundle, signedPreKeyID: 1, oneTimePreKeyID: nil)
        let salt = try NonceSalt.draw()
        let first = try here.encrypt([1], salt: salt) { $0 + $1 }
        guard let preKey = try SessionHeader(first.header).preKey else { return }
        var there = try Session.respond(
            identity: bob, signedPreKey: signed, oneTimePreKey: nil, initiator: alice.publicKey, preKey: preKey)
        _ = try there.decrypt(first, aad: first.header + first.nonce)
        let content = SampleTalk.bytes(3, count: 48)
        var (encrypting, decrypting) = (0.0, 0.0)
        for turn in 0..<messages / 10 {
            let back = turn.isMultiple(of: 2)
            let sending = Watch()
            let sealed = try (0..<10).map { _ in
                back
                    ? try there.encrypt(content, salt: salt) { $0 + $1 }
                    : try here.encrypt(content, salt: salt) { $0 + $1 }
            }
            encrypting += sending.seconds
            let reading = Watch()
            for message in sealed {
                let aad = message.header + message.nonce
                let text = back ? try here.decrypt(message, aad: aad) : try there.decrypt(message, aad: aad)
                guard text == content else {
                    throw ProtocolError(.internalError, "A session gave back another text.")
                }
            }
            decrypting += reading.seconds
        }
        result.add("ratchet_encrypt_per_second", Double(messages) / encrypting)
        result.add("ratchet_decrypt_per_second", Double(messages) / decrypting)
    }
}
