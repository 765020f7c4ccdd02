import GRDB
import GodwitCrypto
import GodwitProtocol

/// The key tables of a copied store, and what can be decrypted with them.
struct StolenKeys {
    private var sessions: [String: Session] = [:]
    private struct ChainName: Hashable {
        var epoch: [UInt8]
        var user: String
        var device: String
    }
    private var chains: [ChainName: SenderChain] = [:]
    private var signedPreKeys: [Int64: AgreementKey] = [:]
    private var oneTimeKeys: [Int64: AgreementKey] = [:]
    private var kemKeys: [Int64: KEMKey] = [:]
    private var devices: [String: [UInt8]] = [:]
    private let identity: AgreementKey

    /// - Parameter directory: of the copy.
    init(_ directory: String) throws {
        let probe = try StoreProbe(directory)
        guard let row = try probe.rows("SELECT agreement_secret FROM client_identity").first else {
            throw ProtocolError(.internalError, "The copy has no identity.")
        }
        identity = try AgreementKey(Secret(row.bytes("agreement_secret")))
        for row in try probe.rows("SELECT session, state FROM client_session") {
            sessions[row["session"]] = try Session(decoding: row.bytes("state"))
        }
        for row in try probe.rows("SELECT epoch, user, device, state FROM client_chain") {
            chains[ChainName(epoch: row.bytes("epoch"), user: row["user"], device: row["device"])] = try SenderChain(
                decoding: row.bytes("state"))
        }
        for row in try probe.rows("SELECT id, secret FROM client_signed_pre_key") {
            signedPreKeys[row["id"]] = try AgreementKey(Secret(row.bytes("secret")))
        }
        for row in try probe.rows("SELECT id, secret FROM client_one_time_key") {
            oneTimeKeys[row["id"]] = try AgreementKey(Secret(row.bytes("secret")))
        }
        for row in try probe.rows("SELECT id, seed FROM client_kem_pre_key") {
            kemKeys[row["id"]] = try KEMKey(Secret(row.bytes("seed")))
        }
        for row in try probe.rows("SELECT device, agreement_key FROM client_device") {
            devices[row["device"]] = row.bytes("agreement_key")
        }
        try probe.close()
    }

    /// Tries everything that the tables hold. What succeeds moves the stolen keys on, as it would for the device.
    ///
    /// - Parameter reader: the device whose keys these are.
    mutating func opens(_ message: Message, for reader: Party) -> Bool {
        if let epoch = message.epoch {
            let name = ChainName(epoch: epoch, user: message.author.text, device: message.device.text)
            let sealed = SenderChain.Sealed(nonce: message.encryption.nonce, ciphertext: message.ciphertext)
            return (try? chains[name]?.decrypt(sealed, aad: message.associatedData)) != nil
        }
        guard let way = SessionWay(message, to: reader) else { return false }
        if sessions[way.session] == nil { sessions[way.session] = answered(message, way.header) }
        guard var session = sessions[way.session] else { return false }
        do {
            if let wrapped = way.wrapped {
                _ = try BodyKey(unwrapping: wrapped, through: &session, of: message.hash)
            } else {
                let sealed = Session.Sealed(
                    header: way.header, nonce: message.encryption.nonce, ciphertext: message.ciphertext)
                _ = try session.decrypt(sealed, aad: message.associatedData)
            }
        } catch { return false }
        sessions[way.session] = session
        return true
    }

    /// A session made anew from the pre-keys that are left.
    private func answered(_ message: Message, _ header: [UInt8]) -> Session? {
        guard let use = (try? SessionHeader(header))?.preKey,
            let signedPreKey = signedPreKeys[Int64(use.signedPreKeyID)],
            let initiator = devices[message.device.text].flatMap({ try? AgreementPublicKey($0) })
        else { return nil }
        let oneTime = use.oneTimePreKeyID.flatMap { oneTimeKeys[Int64($0)] }
        let kem = use.kem.flatMap { kemKeys[Int64($0.id)] }
        guard (oneTime == nil) == (use.oneTimePreKeyID == nil), (kem == nil) == (use.kem == nil) else { return nil }
        return try? Session.respond(
            identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTime, kem: kem, initiator: initiator,
            preKey: use)
    }
}

/// The session over which a direct message comes to a device: itself, or the key of its body (D-13).
struct SessionWay {
    var session: String
    var header: [UInt8]
    /// The key of a body that several devices read.
    var wrapped: Session.Sealed?

    /// Nil where a message for several devices has nothing for this one.
    init?(_ message: Message, to reader: Party) {
        if let wrap = message.wraps.first(where: { $0.party == reader }) {
            (session, header) = (wrap.session, wrap.header)
            wrapped = Session.Sealed(header: wrap.header, nonce: wrap.nonce, ciphertext: wrap.wrapped)
        } else if message.wraps.isEmpty, !BodyKey.names(message.encryption.keyID) {
            (session, header) = (message.encryption.keyID, message.encryption.header)
        } else {
            return nil
        }
    }
}
