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
    mutating func opens(_ message: Message) -> Bool {
        if let epoch = message.epoch {
            let name = ChainName(epoch: epoch, user: message.author.text, device: message.device.text)
            let sealed = SenderChain.Sealed(nonce: message.encryption.nonce, ciphertext: message.ciphertext)
            return (try? chains[name]?.decrypt(sealed, aad: message.associatedData)) != nil
        }
        let sealed = Session.Sealed(
            header: message.encryption.header, nonce: message.encryption.nonce, ciphertext: message.ciphertext)
        let id = message.encryption.keyID
        if sessions[id] == nil { sessions[id] = answered(message) }
        return (try? sessions[id]?.decrypt(sealed, aad: message.associatedData)) != nil
    }

    /// A session made anew from the pre-keys that are left.
    private func answered(_ message: Message) -> Session? {
        guard let use = (try? SessionHeader(message.encryption.header))?.preKey,
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
