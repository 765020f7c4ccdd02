import FoundationEssentials
import GRDB
import GodwitCrypto
import GodwitProtocol

extension ClientTransaction {
    func session(_ id: String, with user: UserID, _ device: DeviceID) throws -> Session? {
        try row(
            "SELECT state FROM client_session WHERE user = ? AND device = ? AND session = ?",
            [user.text, device.text, id]
        ).map { row in try Self.stored { try Session(decoding: row.blob("state")) } }
    }

    /// - Parameter parent: the session that it follows from.
    func store(_ session: Session, with user: UserID, _ device: DeviceID, parent: String? = nil) throws {
        try run(
            """
            INSERT INTO client_session
              (user, device, session, state, used, generation, parent, ratchet_key, position, since, last)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
            ON CONFLICT (user, device, session) DO UPDATE SET state = excluded.state, used = excluded.used,
              since = CASE WHEN ratchet_key = excluded.ratchet_key AND position > 0 THEN since ELSE excluded.since END,
              ratchet_key = excluded.ratchet_key, position = excluded.position, last = excluded.last
            """,
            [
                user.text, device.text, session.id, Data(session.encoded()), now.milliseconds,
                Int64(session.generation), parent, Data(session.ratchet.ratchetKey.bytes),
                Int64(session.ratchet.sendingPosition), try exactAge(),
            ])
    }

    /// Notes the first message of a session that its reader may not have yet, so that a receipt for it ends the long
    /// headers.
    func noteOpening(_ session: Session, with user: UserID, _ device: DeviceID, by hash: MessageHash) throws {
        guard session.isUnanswered else { return }
        try run(
            """
            UPDATE client_session SET opened = coalesce(opened, ?) WHERE user = ? AND device = ? AND session = ?
            """, [Data(hash.bytes), user.text, device.text, session.id])
    }

    /// A device has read a message: it has the session that the message opened.
    ///
    /// - Parameter item: the beginning of the message's hash.
    func noteReceived(_ item: [UInt8], by user: UserID, _ device: DeviceID) throws {
        let rest = 32 - item.count
        for row in try rows(
            "SELECT session, state FROM client_session WHERE user = ? AND device = ? AND opened BETWEEN ? AND ?",
            [
                user.text, device.text, Data(item + [UInt8](repeating: 0, count: rest)),
                Data(item + [UInt8](repeating: 255, count: rest)),
            ])
        {
            var session = try Self.stored { try Session(decoding: row.blob("state")) }
            session.noteReceived()
            try run(
                "UPDATE client_session SET state = ?, opened = NULL WHERE user = ? AND device = ? AND session = ?",
                [Data(session.encoded()), user.text, device.text, row["session"] as String])
        }
    }

    // MARK: First contact

    /// First contact with each device whose pre-keys a lookup brought and with which there is no session.
    ///
    /// - Throws: the first failure, if there is a session with no device of the user then. Others are warnings.
    func openSessions(with found: UserLookupResult.Found) throws {
        let user = found.deviceList.userID
        var failure: Rejected?
        for bundle in found.bundles {
            do {
                try inSavepoint { try self.openSession(with: bundle, of: user) }
            } catch let rejected as Rejected {
                failure = failure ?? rejected
            } catch let error as ProtocolError where !error.isOfStore {
                failure = failure ?? Rejected(error)
            } catch is CryptoError {
                failure = failure ?? Rejected(.malformed, "The keys that a lookup brought cannot be used.")
            }
        }
        guard let failure else { return }
        guard try hasSession(with: user) else { throw failure }
        try warn(failure, about: user.text)
    }

    /// The newest signed pre-keys of a user with whose devices there are sessions.
    func takeRefresh(_ result: UserLookupResult) throws {
        guard let found = result.found else { return }
        try introduce(result.userID, publicKey: found.publicKey, list: found.deviceList)
        for bundle in found.bundles {
            guard let known = try device(result.userID, bundle.device) else { continue }
            try keepPreKey(of: bundle, result.userID, known)
        }
    }

    /// Checks a device's signed pre-key and remembers it.
    @discardableResult
    private func keepPreKey(
        of bundle: DeviceBundle, _ user: UserID, _ known: KnownDevice
    ) throws -> AgreementPublicKey {
        let preKey = bundle.signedPreKey
        guard preKey.userID == user else {
            throw Rejected(.malformed, "The looked-up pre-key belongs to no listed device of the user.")
        }
        try KeyChecks.verify(preKey.object, signedBy: known.signingKey, purpose: .preKey)
        let key = try AgreementPublicKey(preKey.key)
        try run(
            """
            INSERT INTO client_peer_key (user, device, id, key, came, received) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (user, device) DO UPDATE SET id = excluded.id, key = excluded.key, came = excluded.came,
              received = excluded.received WHERE excluded.id >= id
            """,
            [user.text, bundle.device.text, Int64(preKey.id), Data(key.bytes), try exactAge(), now.milliseconds])
        return key
    }

    /// First contact with one device (PQXDH, or X3DH where the device's entry names no KEM), unless there is a session
    /// already.
    private func openSession(with bundle: DeviceBundle, of user: UserID) throws {
        // A device writes to itself as little as it asks for its own keys.
        guard user != context.user || bundle.device != context.device else { return }
        guard let known = try device(user, bundle.device) else {
            throw Rejected(.malformed, "The looked-up pre-key belongs to no listed device of the user.")
        }
        let signed = try keepPreKey(of: bundle, user, known)
        guard try !hasSession(with: user, bundle.device) else { return }
        let session = try Session.initiate(
            identity: context.agreement,
            bundle: X3DH.Bundle(
                identity: try AgreementPublicKey(known.agreementKey), signedPreKey: signed,
                oneTimePreKey: try bundle.oneTimePreKey.map { try AgreementPublicKey($0.key) }),
            signedPreKeyID: bundle.signedPreKey.id, oneTimePreKeyID: bundle.oneTimePreKey?.id,
            kem: try kem(of: bundle, user, known))
        try store(session, with: user, bundle.device)
    }

    /// The KEM pre-key that must be used: none, only if the device's signed entry names no KEM.
    private func kem(of bundle: DeviceBundle, _ user: UserID, _ known: KnownDevice) throws -> KEMBundle? {
        guard known.kem != nil else { return nil }
        guard known.kem == KEMPreKey.kind, let preKey = bundle.kemPreKey, preKey.userID == user else {
            throw Rejected(
                .downgrade, "A device has a post-quantum key, and none that can be used came with its pre-keys.",
                hint: "Somebody on the way may have left it out, or the device speaks a newer version.")
        }
        try KeyChecks.verify(preKey.object, signedBy: known.signingKey, purpose: .preKey)
        return KEMBundle(id: preKey.id, key: try KEMPublicKey(preKey.key))
    }
}
