import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

/// Keys of messages that were read in another form: sealed again, because the own key was late. It must not stay, for it
/// opens what somebody has recorded on the way (E2E-04).
extension ClientTransaction {
    /// Something that waits is not read any more when its keys come; then its key goes.
    func stopReading(_ pending: Int64) throws {
        try run(
            """
            UPDATE client_pending SET waits_for = ?2 || waits_for
            WHERE pending = ?1 AND (waits_for GLOB 'session:*' OR waits_for GLOB 'epoch:*')
            """, [pending, Awaited.spendingPrefix])
        // Of one that was not wrapped for this device there is no key here.
        if database.changesCount == 0 { try run("DELETE FROM client_pending WHERE pending = ?", [pending]) }
    }

    /// Moves chain or session past a message that was read already. No session begins with it: its author may have ended
    /// that one since.
    ///
    /// - Throws: `Waiting` where the keys have not come yet.
    func spendKey(of message: Message) throws {
        guard
            try row("SELECT 1 FROM client_message WHERE hash = ? AND late IS NOT NULL", [Data(message.hash.bytes)])
                != nil
        else { return }
        switch message.address {
        case .channel: try spendChainKey(of: message)
        case .direct: try spendSessionKey(of: message)
        }
    }

    private func spendChainKey(of message: Message) throws {
        guard let name = message.epoch else { return }
        guard try epoch(name) != nil else { throw Waiting(.spending(.epoch(name))) }
        guard var chain = try chain(name, of: message.author, message.device) else { return }
        let sealed = SenderChain.Sealed(nonce: message.encryption.nonce, ciphertext: message.ciphertext)
        guard (try? chain.decrypt(sealed, aad: message.associatedData)) != nil else { return }
        try store(chain, name, of: message.author, message.device)
    }

    private func spendSessionKey(of message: Message) throws {
        let wrap = message.wraps.first { $0.party == context.party }
        guard wrap != nil || !BodyKey.names(message.encryption.keyID) else { return }
        let id = wrap?.session ?? message.encryption.keyID
        guard var session = try session(id, with: message.author, message.device) else {
            throw Waiting(.spending(.session(id)))
        }
        let hasOpened: Bool
        if let wrap {
            let sealed = Session.Sealed(header: wrap.header, nonce: wrap.nonce, ciphertext: wrap.wrapped)
            hasOpened = (try? BodyKey(unwrapping: sealed, through: &session, of: message.hash)) != nil
        } else {
            let sealed = Session.Sealed(
                header: message.encryption.header, nonce: message.encryption.nonce, ciphertext: message.ciphertext)
            hasOpened = (try? session.decrypt(sealed, aad: message.associatedData)) != nil
        }
        if hasOpened { try store(session, with: message.author, message.device) }
    }
}
