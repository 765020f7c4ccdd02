import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Messages that several devices read: one body under a key of its own, which is wrapped for each (D-13).
extension ClientTransaction {
    func seal(_ draft: MessageDraft, _ content: [UInt8], for readers: [ReadingDevice]) throws -> Message {
        let key = try BodyKey.draw()
        let keyID = key.keyID
        let body = try key.seal(content, salt: context.salt) { nonce in
            draft.associatedData(Message.Encryption(keyID: keyID, nonce: nonce, header: []))
        }
        let message = try draft.sealed(
            Message.Encryption(keyID: keyID, nonce: body.nonce, header: []), ciphertext: body.ciphertext,
            signedBy: context.signing)
        var wraps: [BodyWrap] = []
        var size = 1
        for reader in readers.prefix(BodyWrap.countMax) {
            var session = reader.session
            let sealed = try key.wrapped(through: &session, of: message.hash, salt: context.salt)
            let wrap = BodyWrap(
                user: reader.user, device: reader.device, session: session.id, header: sealed.header,
                nonce: sealed.nonce, wrapped: sealed.ciphertext)
            size += wrap.object.canonicalBytes().count + 1
            // What does not fit goes without: for these devices the message is sealed again.
            guard size <= BodyWrap.bytesMax else { break }
            try store(session, with: reader.user, reader.device)
            try noteOpening(session, with: reader.user, reader.device, by: message.hash)
            wraps.append(wrap)
        }
        return message.replacingRecipients(wraps)
    }

    /// - Throws: `Waiting` where nothing was wrapped for this device, or its session has not come yet.
    func openShared(_ message: Message, _ known: KnownDevice) throws -> Opened {
        guard let wrap = message.wraps.first(where: { $0.party == context.party }) else {
            throw Waiting(.bodyKey(message.hash))
        }
        let sealed = Session.Sealed(header: wrap.header, nonce: wrap.nonce, ciphertext: wrap.wrapped)
        let position = try MessageNonce(wrap.nonce).position
        if var session = try self.session(wrap.session, with: message.author, message.device) {
            let padded = try Self.open(message, sealed, through: &session)
            try store(session, with: message.author, message.device)
            return Opened(content: try unpack(padded), starts: false)
        }
        var answer = try answeringSession(to: wrap, of: message, initiator: known)
        let padded = try Self.open(message, sealed, through: &answer.use.session)
        try keep(answer, with: message.author, message.device)
        return Opened(content: try unpack(padded), starts: position == 0 && answer.parent == nil)
    }

    private static func open(
        _ message: Message, _ wrap: Session.Sealed, through session: inout Session
    ) throws -> [UInt8] {
        let key = try BodyKey(unwrapping: wrap, through: &session, of: message.hash)
        guard key.keyID == message.encryption.keyID else {
            throw Rejected(.malformed, "A message names another key than the one that it brings.")
        }
        return try key.open(message.ciphertext, nonce: message.encryption.nonce, aad: message.associatedData)
    }

    /// Keeps what proves later, to own devices, that the author's device wrote a message of this hash.
    func keepProof(of message: Message) throws {
        try run(
            "INSERT OR IGNORE INTO client_proof (hash, body_hash, prev, seq, cover, signature) VALUES (?, ?, ?, ?, ?, ?)",
            [
                Data(message.hash.bytes), Data(message.bodyHash), message.previous.map { Data($0.bytes) },
                message.sequence, Data(message.proof.hashes.flatMap { $0 }), Data(message.proof.signature),
            ])
    }

    /// Whether a message was read here. One of which another device has told is read when it comes itself.
    func isTaken(_ message: Message) throws -> Bool {
        // Under another author's name it is what somebody claims to have sealed again: the message itself is the proof.
        try row(
            """
            SELECT 1 FROM client_message WHERE hash = ?1 AND synced = 0 AND lost IS NULL AND user = ?2 AND device = ?3
            UNION ALL SELECT 1 FROM client_own_item WHERE hash = ?1 LIMIT 1
            """, [Data(message.hash.bytes), message.author.text, message.device.text]) != nil
    }
}
