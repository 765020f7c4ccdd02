import GodwitProtocol

/// A message taken apart into what its columns carry. Only messages that it rebuilds bit for bit have a row.
struct MessageRow: Hashable, Sendable {
    /// An author's device.
    struct Device: Hashable, Sendable {
        /// User id.
        var author: String
        /// 5 bytes, the decoded device id.
        var id: [UInt8]
        /// The author's node: what stands before the first dot.
        var node: String { String(author.prefix { $0 != "." }) }
    }

    struct Conversation: Hashable, Sendable {
        /// The member `channel`.
        var name: String
        /// The member `channel_node`; empty for none.
        var node: String
    }

    struct Form: Hashable, Sendable {
        var type: String
        /// Canonical JSON.
        var metadata: JSONObject
        /// The member `lifetime`, if there is one.
        var lifetime: Int64?
        /// The member `client`, if `metadata` has it alone and it is a string that is not empty.
        var loneClient: String? {
            guard metadata.count == 1, let client = metadata["client"]?.string, !client.isEmpty else { return nil }
            return client
        }
    }

    struct Key: Hashable, Sendable {
        /// 32 bytes, or empty for none.
        var epoch: [UInt8]
        /// Decoded base32.
        var keyID: [UInt8]
        var header: [UInt8]

        /// `key_id` follows from the epoch (docs/protocol.md §4.3).
        var isDerived: Bool { !epoch.isEmpty && keyID == Array(epoch.prefix(10)) }
    }

    var device: Device
    var conversation: Conversation
    var form: Form
    var key: Key
    /// The first 4 bytes of the nonce.
    var salt: [UInt8]
    /// The last 8 bytes of the nonce.
    var position: UInt64
    var sequence: Int64
    var previous: MessageHash?
    /// Milliseconds since 1970.
    var time: Int64
    var ciphertext: [UInt8]
    var recipients: JSONValue?
    /// `recipients` taken apart, where columns rebuild them.
    var wraps: [WrapRow]?
}

extension MessageRow {
    static let keyIDMax = 40

    /// Nil unless `body` is a valid message that its row rebuilds bit for bit. Also returns the message's hash.
    static func take(_ body: [UInt8]) -> (row: MessageRow, message: Message)? {
        guard let message = try? Message(parsing: body), let row = MessageRow(message) else { return nil }
        let rebuilt = row.rebuild()
        guard rebuilt.hash == message.hash, rebuilt.body(with: message.proof) == body else { return nil }
        return (row, message)
    }

    private init?(_ message: Message) {
        guard let id = Base32.decode(message.device.text), id.count == 5,
            let keyID = Base32.decode(message.encryption.keyID), keyID.count <= Self.keyIDMax,
            message.encryption.nonce.count == 12,
            FrameLimits.times.contains(message.timestamp.milliseconds),
            let metadata = message.object["metadata"]?.object,
            let name = message.object["channel"]?.string
        else { return nil }
        device = Device(author: message.author.text, id: id)
        conversation = Conversation(name: name, node: message.channelNode?.text ?? "")
        form = Form(
            type: message.type.rawValue, metadata: metadata, lifetime: message.object["lifetime"]?.integer)
        key = Key(epoch: message.epoch ?? [], keyID: keyID, header: message.encryption.header)
        salt = Array(message.encryption.nonce.prefix(4))
        position = message.encryption.nonce.dropFirst(4).reduce(0) { $0 << 8 | UInt64($1) }
        sequence = message.sequence
        previous = message.previous
        time = message.timestamp.milliseconds
        ciphertext = message.ciphertext
        recipients = message.object["recipients"]
        wraps = WrapRow.take(message)
    }

    /// A message but for its proof.
    struct Rebuilt {
        /// Without the members that prove it.
        var object: JSONObject
        var bodyHash: [UInt8]
        var hash: MessageHash

        /// Canonical JSON.
        func body(with proof: MessageProof) -> [UInt8] {
            var object = object
            proof.write(to: &object)
            return object.canonicalBytes()
        }
    }

    func rebuild() -> Rebuilt {
        let nonce = salt + (0..<8).map { UInt8(truncatingIfNeeded: position >> (56 - 8 * $0)) }
        var object: JSONObject = [
            "author": .string(device.author),
            "channel": .string(conversation.name),
            "content": .object(["ciphertext": .string(Base64.encode(ciphertext))]),
            "device": .string(Base32.encode(device.id)),
            "encryption": .object([
                "algorithm": .string(Message.algorithm),
                "header": .string(Base64.encode(key.header)),
                "key_id": .string(Base32.encode(key.keyID)),
                "nonce": .string(Base64.encode(nonce)),
            ]),
            "metadata": .object(form.metadata),
            "seq": .integer(sequence),
            "timestamp": .string(Timestamp(milliseconds: time).description),
            "type": .string(form.type),
        ]
        if !conversation.node.isEmpty { object["channel_node"] = .string(conversation.node) }
        if !key.epoch.isEmpty { object["epoch"] = .string(Base64.encode(key.epoch)) }
        if let lifetime = form.lifetime { object["lifetime"] = .integer(lifetime) }
        let bodyHash = SHA256Digest.of(object.canonicalBytes())
        let hash = MessageHash(linking: bodyHash, after: previous)
        object["id"] = .string(hash.id.text)
        object["prev"] = previous.map { .string($0.base64) } ?? .null
        object["recipients"] = recipients
        return Rebuilt(object: object, bodyHash: bodyHash, hash: hash)
    }
}
