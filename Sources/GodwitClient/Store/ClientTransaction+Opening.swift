import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCompression
import GodwitCrypto
import GodwitProtocol

/// Reading: verify, decrypt, unpack.
extension ClientTransaction {
    /// A message's clear content.
    struct Opened {
        var content: JSONObject
        /// Nothing before it is readable here, so nothing before it is waited for.
        var starts: Bool
    }

    func take(_ message: Message) throws {
        let author = Party.device(message.author, message.device)
        guard author != context.party else { return }
        guard try !isTaken(message) else { return try spendKey(of: message) }
        if case .direct(let address) = message.address, address.user != context.user, message.author != context.user {
            throw Rejected(.misdirected, "A direct message for another user arrived here.")
        }
        guard
            let known = try message.isAmongOwn
                ? device(message.author, message.device) : authorDevice(message.author, message.device)
        else {
            throw Waiting(.device(message.author, message.device))
        }
        // The signature first, then the ratchet (D-2).
        try KeyChecks.verify(message, signedBy: known.signingKey)
        let opened =
            switch message.address {
            case .channel: try openChannel(message)
            case .direct: try openDirect(message, known)
            }
        guard !message.isAmongOwn else { return try takeOwn(message, opened.content) }
        try insert(message, opened.content, starts: opened.starts)
        try noteLink(ChainLink(message), starts: opened.starts)
        try release(message)
        try forgetChains(before: message)
        if case .direct = message.address, message.author != context.user, try !isBlocked(message.author) {
            delivered[author, default: []].append(message.hash.bytes)
        }
    }

    private func openChannel(_ message: Message) throws -> Opened {
        guard let name = message.epoch, case .channel(let id) = message.conversation else {
            throw Rejected(.malformed, "A message to a channel names no epoch.")
        }
        guard try channel(id)?.state != .left else { throw BeforeJoining() }
        guard let epoch = try epoch(name) else { throw Waiting(.epoch(name)) }
        guard let channel = try channel(id) else { throw BeforeJoining() }
        guard epoch.next != nil else {
            if try sharesHistory(channel) { throw EarlierEpoch() }
            throw BeforeJoining()
        }
        guard epoch.channel == channel.row,
            message.encryption.keyID == (try EpochName(name)).keyID, message.encryption.header.isEmpty
        else { throw Rejected(.epochMismatch, "A message names an epoch that is not its channel's.") }
        guard let hasSeenComing = try hasSeenComing(message.author, message.device, into: channel) else {
            // Who was in between this device's leaving off and its list of members is not known.
            if epoch.membership < channel.listed { throw Waiting(.epoch(name)) }
            throw Rejected.notInEpoch
        }
        guard var chain = try chain(name, of: message.author, message.device) else {
            if epoch.membership < channel.listed { throw CryptoError.keyGone }
            let members = try members(of: channel, at: epoch.membership).devices
            guard members.contains(.device(message.author, message.device)) else { throw Rejected.notInEpoch }
            // The chain was read to its end and has gone; what comes after that comes too late for it.
            throw CryptoError.keyGone
        }
        let padded = try chain.decrypt(
            SenderChain.Sealed(nonce: message.encryption.nonce, ciphertext: message.ciphertext),
            aad: message.associatedData)
        try store(chain, name, of: message.author, message.device)
        let position = try MessageNonce(message.encryption.nonce).position
        return Opened(content: try self.unpack(padded), starts: position == 0 && !hasSeenComing)
    }

    private func openDirect(_ message: Message, _ known: KnownDevice) throws -> Opened {
        guard !BodyKey.names(message.encryption.keyID) else { return try openShared(message, known) }
        let sealed = Session.Sealed(
            header: message.encryption.header, nonce: message.encryption.nonce, ciphertext: message.ciphertext)
        let position = try MessageNonce(message.encryption.nonce).position
        if var session = try session(message.encryption.keyID, with: message.author, message.device) {
            let padded = try session.decrypt(sealed, aad: message.associatedData)
            try store(session, with: message.author, message.device)
            return Opened(content: try self.unpack(padded), starts: false)
        }
        var answer = try answering(message, known)
        let padded = try answer.decrypt(sealed, aad: message.associatedData)
        try keep(answer, with: message.author, message.device)
        // The first message of a session at another place than the first: it was opened for a device that came later.
        return Opened(content: try self.unpack(padded), starts: position == 0 && answer.parent == nil)
    }

    /// The session that a first message opens. One that cannot be opened here may be for another device of this user, of
    /// whose author this one was not known yet: then its key is what is missing.
    private func answering(_ message: Message, _ known: KnownDevice) throws -> Answer {
        do {
            return try answeringSession(to: message, initiator: known)
        } catch let rejected as Rejected {
            guard rejected.code == .unreadable, try !otherDevices(of: context.user).isEmpty else { throw rejected }
            throw Waiting(.bodyKey(message.hash))
        }
    }

    /// - Throws: `ProtocolError` 9000 when a phrase model that this device has named is gone: the message must come
    ///   again when it is back.
    func unpack(_ padded: [UInt8]) throws(ProtocolError) -> JSONObject {
        let packed = try Padding.remove(from: padded)
        do {
            return try ClearContent(decoding: try ContentCodec.unpack(packed, models: context.models)).object
        } catch {
            guard let number = error.details["model"]?.integer, (1...127).contains(number) else { throw error }
            throw ProtocolError(
                .internalError, "Phrase model \(number), which this device has announced, is missing here.",
                hint: "Put its file back: `godwit dictionary inspect` says where it is looked for.")
        }
    }

    private func insert(_ message: Message, _ content: JSONObject, starts: Bool) throws {
        try run(
            """
            INSERT INTO client_message
              (hash, conversation, user, device, seq, prev, timestamp, received, type, content, starts, is_read)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (hash) DO UPDATE SET prev = excluded.prev, timestamp = excluded.timestamp, type = excluded.type,
              content = excluded.content, synced = 0, lost = NULL,
              shown = CASE WHEN user = excluded.user AND device = excluded.device THEN shown END,
              conversation = excluded.conversation, user = excluded.user, device = excluded.device, seq = excluded.seq
            """,
            [
                Data(message.hash.bytes), message.conversation.text, message.author.text, message.device.text,
                message.sequence, message.previous.map { Data($0.bytes) }, message.timestamp.milliseconds,
                now.milliseconds, message.type.rawValue, Data(content.canonicalBytes()),
                starts || message.sequence == 0, message.author == context.user,
            ])
        try keepProof(of: message)
        if let deleter = try deleter(of: message) {
            try run(
                "UPDATE client_message SET content = ?, hole = 'deleted', deleted_by = ? WHERE hash = ?",
                [Self.emptied, deleter, Data(message.hash.bytes)])
        } else {
            try relate(message.hash, content, by: message.author)
            try noteVouch(message, content)
            try noteMove(message, content)
        }
    }
}

extension Rejected {
    fileprivate static var notInEpoch: Rejected {
        Rejected(.epochMismatch, "A message's author is not in its epoch.")
    }
}
