import GodwitBatch
import GodwitCompression
import GodwitCrypto
import GodwitProtocol

/// A message that is being made (D-1, D-2): everything but its encryption and signature.
struct MessageDraft {
    /// The member `metadata` of all messages of this client.
    static let metadata: JSONObject = ["client": "godwit/0.1.0"]

    var type = MessageType.text
    var author: UserID
    var device: DeviceID
    var target: MessageTarget
    var created: Timestamp
    var sequence: Int64
    var previous: MessageHash?
    /// Name of the epoch, in channels.
    var epoch: [UInt8]?

    /// The message without `content`, `id` and `signature`: what the associated data is made of.
    func object(_ encryption: Message.Encryption) -> JSONObject {
        var object: JSONObject = [
            "type": .string(type.rawValue), "timestamp": .string(created.description),
            "author": .string(author.text), "device": .string(device.text), "channel": .string(target.address.text),
            "seq": .integer(sequence), "prev": previous.map { .string($0.base64) } ?? .null,
            "encryption": .object(encryption.object), "metadata": .object(Self.metadata),
        ]
        if case .channel(let channel) = target { object["channel_node"] = .string(channel.node.text) }
        if let epoch { object["epoch"] = .string(Base64.encode(epoch)) }
        return object
    }

    func associatedData(_ encryption: Message.Encryption) -> [UInt8] {
        Message.associatedData(of: object(encryption))
    }

    /// The finished message.
    func sealed(
        _ encryption: Message.Encryption, ciphertext: [UInt8], signedBy key: SigningKey
    ) throws(ProtocolError) -> Message {
        var object = object(encryption)
        object["content"] = .object(["ciphertext": .string(Base64.encode(ciphertext))])
        let hash = MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: previous)
        object["id"] = .string(hash.id.text)
        object["signature"] = .string(key.sign(hash.bytes, purpose: .message).text)
        return try Message(object)
    }

    // MARK: Content

    /// The content packed and padded as it is encrypted.
    ///
    /// - Parameter model: the phrase model that all readers hold.
    static func pack(
        _ content: JSONObject, padding: Padding = .steps, model: PhraseModel? = nil
    ) throws(ProtocolError) -> [UInt8] {
        let codecs = model == nil ? ContentCodec.common : Set(ContentCodec.allCases)
        return padding.pad(try ContentCodec.pack(try ClearContent(content).encoded(), codecs: codecs, model: model))
    }

    /// Bytes of the largest message that this content can become: with the longest header and place in the chain.
    static func sizeMax(
        of packed: [UInt8], author: UserID, device: DeviceID, target: MessageTarget, created: Timestamp
    ) -> Int {
        let isDirect = if case .user = target { true } else { false }
        let zeros = { (count: Int) in [UInt8](repeating: 0, count: count) }
        let draft = MessageDraft(
            author: author, device: device, target: target, created: created, sequence: JSONValue.integerMax,
            previous: MessageHash(zeros(32)), epoch: isDirect ? nil : zeros(32))
        var object = draft.object(
            Message.Encryption(
                keyID: String(repeating: "a", count: 16), nonce: zeros(MessageNonce.count),
                header: zeros(isDirect ? SessionHeader.countMax : 0)))
        object["id"] = .string("msg_" + String(repeating: "a", count: 16))
        object["signature"] = .string("ed25519:" + Base64.encode(zeros(Signature.count)))
        object["content"] = .object(["ciphertext": ""])
        let ciphertext = packed.count + AEAD.tagCount
        return object.canonicalBytes().count + (ciphertext + 2) / 3 * 4
    }
}
