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

    /// The session on which a user is written to: of all with devices that the user still lists, the one with the
    /// smallest id. Two devices that open sessions towards each other at the same time so come to agree on one.
    func sendingSession(with user: UserID) throws -> (device: DeviceID, session: Session)? {
        let candidates = try rows(
            """
            SELECT s.device, s.state FROM client_session s
              JOIN client_device d ON d.user = s.user AND d.device = s.device
            WHERE s.user = ? ORDER BY s.session
            """, [user.text])
        for row in candidates {
            let session = try Self.stored { try Session(decoding: row.blob("state")) }
            guard session.ratchet.canSend else { continue }
            return (try Self.stored { try DeviceID(row["device"] as String) }, session)
        }
        return nil
    }

    func store(_ session: Session, with user: UserID, _ device: DeviceID) throws {
        try run(
            """
            INSERT INTO client_session (user, device, session, state, used) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (user, device, session) DO UPDATE SET state = excluded.state, used = excluded.used
            """, [user.text, device.text, session.id, Data(session.encoded()), now.milliseconds])
    }

    /// First contact (X3DH) with the device whose pre-key a lookup brought, unless there is a session already.
    func openSession(with found: UserLookupResult.Found) throws {
        let (user, preKey) = (found.deviceList.userID, found.signedPreKey)
        guard try sendingSession(with: user) == nil else { return }
        guard preKey.userID == user, let known = try device(user, preKey.device) else {
            throw Rejected(.malformed, "The looked-up pre-key belongs to no listed device of the user.")
        }
        try KeyChecks.verify(preKey.object, signedBy: known.signingKey, purpose: .preKey)
        let bundle = X3DH.Bundle(
            identity: try AgreementPublicKey(known.agreementKey), signedPreKey: try AgreementPublicKey(preKey.key),
            oneTimePreKey: try found.oneTimePreKey.map { try AgreementPublicKey($0.key) })
        let session = try Session.initiate(
            identity: context.agreement, bundle: bundle, signedPreKeyID: preKey.id,
            oneTimePreKeyID: found.oneTimePreKey?.id)
        try store(session, with: user, preKey.device)
    }

    /// The session of a first message, made from this device's pre-keys. The caller stores it, and drops the one-time
    /// pre-key, once the message was decrypted.
    func answeringSession(to message: Message, initiator: KnownDevice) throws -> (session: Session, oneTime: UInt32?) {
        let header = try SessionHeader(message.encryption.header)
        guard let use = header.preKey else { throw Waiting(.session(message.encryption.keyID)) }
        guard let signedPreKey = try signedPreKey(use.signedPreKeyID) else {
            throw Rejected(.unreadable, "A first message uses a pre-key that this device does not have.")
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
            initiator: try AgreementPublicKey(initiator.agreementKey), preKey: use)
        guard session.id == message.encryption.keyID else {
            throw Rejected(.unreadable, "A first message names another session than its keys give.")
        }
        return (session, use.oneTimePreKeyID)
    }

    // MARK: Pre-keys

    func signedPreKey(_ id: UInt32) throws -> AgreementKey? {
        try row("SELECT secret FROM client_signed_pre_key WHERE id = ?", [Int64(id)])
            .map { row in try Self.stored { try AgreementKey(Secret(row.blob("secret"))) } }
    }

    /// The newest signed pre-key, as it is published.
    func currentPreKey() throws -> SignedPreKey {
        guard let row = try row("SELECT object FROM client_signed_pre_key ORDER BY id DESC LIMIT 1") else {
            throw ProtocolError(
                .internalError, "The device's store has no pre-key.",
                hint: "The store is damaged; enrol as a new device.")
        }
        return try Self.stored { try SignedPreKey(JSONObject.parse(row.blob("object"))) }
    }

    /// Makes a signed pre-key and one-time pre-keys.
    func makePreKeys(oneTime count: Int) throws {
        let key = try AgreementKey.generate()
        try run(
            "INSERT INTO client_signed_pre_key (secret, object) VALUES (?, ?)",
            [Data(key.secret.copyBytes()), Data()])
        let id = database.lastInsertedRowID
        let unsigned: JSONObject = [
            "user_id": .string(context.user.text), "device": .string(context.device.text), "id": .integer(id),
            "key": .string(key.publicKey.text), "created": .string(now.description),
        ]
        let object = context.signing.signed(unsigned, purpose: .preKey)
        try run(
            "UPDATE client_signed_pre_key SET object = ? WHERE id = ?", [Data(object.canonicalBytes()), id])
        for _ in 0..<count {
            try run(
                "INSERT INTO client_one_time_key (secret) VALUES (?)",
                [Data(try AgreementKey.generate().secret.copyBytes())])
        }
    }

    func oneTimePreKeys() throws -> [OneTimePreKey] {
        try rows("SELECT id, secret FROM client_one_time_key ORDER BY id").map { row in
            let key = try AgreementKey(Secret(row.blob("secret")))
            return OneTimePreKey(id: UInt32(row["id"] as Int64), key: key.publicKey.bytes)
        }
    }
}
