import FoundationEssentials
import GRDB
import GodwitCompression
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Sealing: a waiting entry of the outbox becomes a signed message in the queue to the home node. Position, chain and
/// message are stored together, so that no position is used twice (D-6).
extension ClientTransaction {
    /// Seals whatever can be sealed. When the spool is full the rest waits.
    func flush() throws {
        try flushOwn()
        let conversations = try rows("SELECT DISTINCT conversation FROM client_outbox WHERE state = 'waiting_keys'")
        for row in conversations {
            do {
                try inSavepoint { try self.flush(row["conversation"]) }
            } catch let error as ProtocolError where error.code == .bandwidthExceeded {
                continue
            }
        }
    }

    /// Seals the entries of one conversation in the order in which they were written, up to the first that lacks keys.
    func flush(_ conversation: String) throws {
        let waiting = try rows(
            "SELECT * FROM client_outbox WHERE state = 'waiting_keys' AND conversation = ? ORDER BY row", [conversation]
        )
        for row in waiting {
            let entry = try OutboxEntry(row, home: context.home.id)
            guard let (message, left) = try seal(entry) else { return }
            try queue(message, of: entry)
            try sealAgain(message.hash.bytes, for: left)
        }
    }

    /// - Returns: nil while keys are missing; else the devices whose keys did not fit beside the message, too.
    private func seal(_ entry: OutboxEntry) throws -> (Message, left: [DeviceAddress])? {
        let head = try ownHead(entry.conversation.text)
        var draft = MessageDraft(
            type: MessageType(of: entry.content), author: context.user, device: context.device, target: entry.target,
            created: entry.created,
            sequence: head.map { $0.seq + 1 } ?? 0, previous: head?.hash)
        switch entry.target {
        case .channel(let id):
            guard let channel = try channel(id) else { return nil }
            try rotateIfDue(channel)
            guard let epoch = try writingEpoch(of: channel),
                let chain = try chain(epoch.name, of: context.user, context.device)
            else { return nil }
            draft.epoch = epoch.name
            let content = try pack(
                entry.content, to: entry.target, created: entry.created, model: commonModel(in: epoch))
            return (try seal(draft, content, epoch: epoch.name, chain), [])
        case .user(let user):
            guard let readers = try readers(of: user) else { return nil }
            let content = try pack(
                entry.content, to: entry.target, created: entry.created, model: try commonModel(with: user))
            let listed = try otherDevices(of: user).count + otherDevices(of: context.user).count
            guard listed > 1 else { return (try seal(draft, content, for: readers[0]), []) }
            let message = try seal(draft, content, for: readers)
            let served = Set(message.wraps.map(\.party))
            let devices = readers.map { DeviceAddress(user: $0.user, device: $0.device) }
            return (message, devices.filter { !served.contains($0.party) })
        }
    }

    /// The content as it is encrypted: padded as the link asks for, or in steps where the message would else become too
    /// large. So what may be written does not depend on the link.
    ///
    /// - Parameter model: the phrase model that all readers hold; without it the content is longer, if anything.
    /// - Throws: `ProtocolError` 2001.
    func pack(
        _ content: JSONObject, to target: MessageTarget, created: Timestamp, model: PhraseModel? = nil
    ) throws(ProtocolError) -> [UInt8] {
        var size = 0
        for padding in [context.padding, .steps] {
            let packed = try MessageDraft.pack(content, padding: padding, model: model)
            size = MessageDraft.sizeMax(
                of: packed, author: context.user, device: context.device, target: target, created: created)
            if size <= Message.bytesMax { return packed }
        }
        throw .tooLarge("The message is too large.", actual: size, firstRefused: Message.bytesMax + 1)
    }

    private func seal(
        _ draft: MessageDraft, _ content: [UInt8], epoch: [UInt8], _ chain: SenderChain
    ) throws -> Message {
        var chain = chain
        let keyID = try EpochName(epoch).keyID
        let sealed = try chain.encrypt(content, salt: context.salt) { nonce in
            draft.associatedData(Message.Encryption(keyID: keyID, nonce: nonce, header: []))
        }
        try store(chain, epoch, of: context.user, context.device)
        return try draft.sealed(
            Message.Encryption(keyID: keyID, nonce: sealed.nonce, header: []), ciphertext: sealed.ciphertext,
            signedBy: context.signing)
    }

    private func seal(_ draft: MessageDraft, _ content: [UInt8], for reader: ReadingDevice) throws -> Message {
        var session = reader.session
        let keyID = session.id
        let sealed = try session.encrypt(content, salt: context.salt) { header, nonce in
            draft.associatedData(Message.Encryption(keyID: keyID, nonce: nonce, header: header))
        }
        try store(session, with: reader.user, reader.device)
        let message = try draft.sealed(
            Message.Encryption(keyID: keyID, nonce: sealed.nonce, header: sealed.header),
            ciphertext: sealed.ciphertext, signedBy: context.signing)
        try noteOpening(session, with: reader.user, reader.device, by: message.hash)
        return message
    }

    private func queue(_ message: Message, of entry: OutboxEntry) throws {
        _ = try spool.enqueue(
            NewItem(
                id: ItemID(message.hash.bytes), kind: .message, body: message.canonicalBytes,
                destination: context.homeParty, priority: message.priority, created: message.timestamp,
                lifetime: message.lifetime))
        try run(
            "UPDATE client_outbox SET state = 'sealed', hash = ?, epoch = ? WHERE row = ?",
            [Data(message.hash.bytes), message.epoch.map { Data($0) }, entry.row])
        try keepProof(of: message)
        try noteSealed(message, of: entry)
        try moveHead(to: message)
    }

    /// Notes this device's last message of a conversation.
    func moveHead(to message: Message) throws {
        try run(
            """
            INSERT INTO client_head (conversation, user, device, seq, hash) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (conversation, user, device) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
            """,
            [
                message.conversation.text, context.user.text, context.device.text, message.sequence,
                Data(message.hash.bytes),
            ])
    }

    /// Place of this device's last message in a conversation.
    func ownHead(_ conversation: String) throws -> (seq: Int64, hash: MessageHash)? {
        guard
            let row = try row(
                "SELECT seq, hash FROM client_head WHERE conversation = ? AND user = ? AND device = ?",
                [conversation, context.user.text, context.device.text]),
            let hash = MessageHash(row.blob("hash"))
        else { return nil }
        return (row["seq"], hash)
    }
}
