import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Sessions that another device has opened or rotated, made from this device's pre-keys.
extension ClientTransaction {
    /// A session made from a message, kept once the message was decrypted.
    struct Answer {
        /// Own pre-keys that went into a session.
        struct Use {
            var session: Session
            var signedPreKey: UInt32
            var oneTime: UInt32?
        }

        /// The session of the message.
        var session: Session { use.session }
        var use: Use
        /// The session of first contact, where the message's one follows from it and it was not known yet.
        var contact: Use?
        /// The session that the message's one follows from.
        var parent: String?

        mutating func decrypt(_ sealed: Session.Sealed, aad: [UInt8]) throws(CryptoError) -> [UInt8] {
            try use.session.decrypt(sealed, aad: aad)
        }
    }

    /// The session of a message in a session that is not known. The caller calls `keep` once the message was decrypted.
    ///
    /// - Throws: `Waiting` for the message that makes it, or the session that it follows from, known.
    func answeringSession(to message: Message, initiator: KnownDevice) throws -> Answer {
        let author = Author(user: message.author, device: message.device, keys: initiator)
        return try answeringSession(message.encryption.keyID, header: message.encryption.header, of: author)
    }

    /// The same for a key of a body, wrapped through a session.
    func answeringSession(to wrap: BodyWrap, of message: Message, initiator: KnownDevice) throws -> Answer {
        let author = Author(user: message.author, device: message.device, keys: initiator)
        return try answeringSession(wrap.session, header: wrap.header, of: author)
    }

    /// The same for a message that was sealed again.
    func answeringSession(to resealed: ResealedMessage, initiator: KnownDevice) throws -> Answer {
        let author = Author(user: resealed.from.user, device: resealed.from.device, keys: initiator)
        return try answeringSession(resealed.encryption.keyID, header: resealed.encryption.header, of: author)
    }

    /// Who has opened or rotated a session.
    private struct Author {
        var user: UserID
        var device: DeviceID
        var keys: KnownDevice
    }

    private func answeringSession(_ id: String, header bytes: [UInt8], of author: Author) throws -> Answer {
        let header = try SessionHeader(bytes)
        guard header.preKey != nil || header.rotation != nil else { throw Waiting(.session(id)) }
        try requireUnopened(id)
        let answer: Answer
        if let rotation = header.rotation {
            answer = try self.answer(rotation, header.preKey, author)
        } else if let use = header.preKey {
            answer = Answer(use: try firstContact(use, author.keys))
        } else {
            throw Waiting(.session(id))
        }
        guard answer.session.id == id else { throw Rejected.otherSession }
        return answer
    }

    private func answer(
        _ rotation: RotationUse, _ contact: PreKeyUse?, _ author: Author
    ) throws -> Answer {
        var opened: Answer.Use?
        let parent: Session
        if let known = try session(rotation.parent, with: author.user, author.device) {
            parent = known
        } else if let contact {
            try requireUnopened(rotation.parent)
            let use = try firstContact(contact, author.keys)
            guard use.session.id == rotation.parent else { throw Rejected.otherSession }
            opened = use
            parent = use.session
        } else {
            throw Waiting(.session(rotation.parent))
        }
        guard let signedPreKey = try signedPreKey(rotation.signedPreKeyID) else { throw Rejected.preKeyGone }
        return Answer(
            use: .init(
                session: try parent.answering(rotation, signedPreKey: signedPreKey),
                signedPreKey: rotation.signedPreKeyID),
            contact: opened, parent: parent.id)
    }

    private func firstContact(_ use: PreKeyUse, _ initiator: KnownDevice) throws -> Answer.Use {
        guard let signedPreKey = try signedPreKey(use.signedPreKeyID) else { throw Rejected.preKeyGone }
        guard try device(context.user, context.device)?.kem == nil || use.kem != nil else {
            throw Rejected(
                .downgrade, "A first message leaves out the post-quantum key that this device has.",
                hint: "Its author's program is old, or was given a device list that is not the signed one.")
        }
        var oneTime: AgreementKey?
        if let id = use.oneTimePreKeyID {
            guard
                let row = try row("SELECT secret FROM client_one_time_key WHERE id = ?", [Int64(id)])
            else { throw Rejected(.unreadable, "A first message uses a one-time pre-key for the second time.") }
            oneTime = try Self.stored { try AgreementKey(Secret(row.blob("secret"))) }
        }
        let session = try Session.respond(
            identity: context.agreement, signedPreKey: signedPreKey, oneTimePreKey: oneTime,
            kem: try use.kem.map { try self.kemKey($0.id) },
            initiator: try AgreementPublicKey(initiator.agreementKey), preKey: use)
        return Answer.Use(session: session, signedPreKey: use.signedPreKeyID, oneTime: use.oneTimePreKeyID)
    }

    /// A session is opened once: without a one-time pre-key nothing else would stop a first message that comes again.
    private func requireUnopened(_ session: String) throws {
        guard try row("SELECT 1 FROM client_opened WHERE session = ?", [session]) == nil else {
            throw Rejected(.unreadable, "A first message opens a session for the second time.")
        }
    }

    /// The message was read: its sessions are there, and its keys must not open one again.
    func keep(_ answer: Answer, with user: UserID, _ device: DeviceID) throws {
        for use in [answer.contact, answer.use].compactMap(\.self) {
            let parent = use.session.id == answer.session.id ? answer.parent : nil
            try store(use.session, with: user, device, parent: parent)
            try run(
                "INSERT OR REPLACE INTO client_opened (session, signed_pre_key) VALUES (?, ?)",
                [use.session.id, Int64(use.signedPreKey)])
            if let oneTime = use.oneTime {
                try run("DELETE FROM client_one_time_key WHERE id = ?", [Int64(oneTime)])
            }
            arrived.append(.session(use.session.id))
        }
        try pruneSessions()
    }
}

extension Rejected {
    fileprivate static var preKeyGone: Rejected {
        Rejected(
            .unreadable, "A message uses a pre-key that this device does not have.",
            hint: "It was under way for longer than keys are kept; its author can send it again.")
    }

    fileprivate static var otherSession: Rejected {
        Rejected(.unreadable, "A first message names another session than its keys give.")
    }
}
