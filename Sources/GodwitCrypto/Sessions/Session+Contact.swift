/// A KEM pre-key of the device that is written to for the first time.
public struct KEMBundle: Hashable, Sendable {
    public var id: UInt32
    public var key: KEMPublicKey

    public init(id: UInt32, key: KEMPublicKey) {
        self.id = id
        self.key = key
    }
}

/// First contact, from both ends.
extension Session {
    /// Opens a session towards the device of `bundle`, whose signatures were checked before.
    ///
    /// - Parameters:
    ///   - signedPreKeyID: id of `bundle.signedPreKey`.
    ///   - oneTimePreKeyID: id of `bundle.oneTimePreKey`; 1 or more, nil where the bundle has none.
    ///   - kem: the device's KEM pre-key. Nil only for a device whose signed entry says that it has none.
    /// - Throws: `invalidKey` for keys of small order; `parameters` when key and id of the one-time pre-key do not go
    ///   together.
    public static func initiate(
        identity: AgreementKey, bundle: X3DH.Bundle, signedPreKeyID: UInt32, oneTimePreKeyID: UInt32?,
        kem: KEMBundle? = nil, from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> Session {
        let encapsulation = try kem?.key.encapsulate()
        return try initiate(
            identity: identity, bundle: bundle, signedPreKeyID: signedPreKeyID, oneTimePreKeyID: oneTimePreKeyID,
            kem: kem, encapsulation: encapsulation, from: random)
    }

    /// The same with the encapsulation given, as vectors need it.
    static func initiate(
        identity: AgreementKey, bundle: X3DH.Bundle, signedPreKeyID: UInt32, oneTimePreKeyID: UInt32?,
        kem: KEMBundle?, encapsulation: KEMPublicKey.Encapsulation?, from random: some RandomSource
    ) throws(CryptoError) -> Session {
        guard (bundle.oneTimePreKey == nil) == (oneTimePreKeyID == nil), oneTimePreKeyID != 0 else {
            throw .parameters
        }
        let ephemeral = try AgreementKey.generate(from: random)
        var use = PreKeyUse(
            ephemeral: ephemeral.publicKey, signedPreKeyID: signedPreKeyID, oneTimePreKeyID: oneTimePreKeyID)
        let agreement: X3DH.Agreement
        if let kem, let encapsulation {
            use.kem = KEMUse(id: kem.id, ciphertext: encapsulation.ciphertext)
            agreement = try PQXDH.initiate(
                identity: identity, ephemeral: ephemeral, bundle: bundle, kem: kem.key, encapsulation: encapsulation)
        } else {
            agreement = try X3DH.initiate(identity: identity, ephemeral: ephemeral, bundle: bundle)
        }
        return Session(
            agreement, ratchet: try RatchetState(initiating: agreement, remote: bundle.signedPreKey, from: random),
            pendingPreKey: use)
    }

    /// The session of a first message. Keep it only if `decrypt` of that message succeeds, and delete the one-time
    /// pre-key then.
    ///
    /// - Parameters:
    ///   - kem: the private key of the KEM pre-key that the header names.
    ///   - initiator: the agreement key of the author's signed device entry.
    ///   - preKey: from the header; the private keys are those of its ids.
    /// - Throws: `parameters` when the header names a one-time pre-key or a KEM pre-key and none is given, or the other
    ///   way round; `invalidKey`.
    public static func respond(
        identity: AgreementKey, signedPreKey: AgreementKey, oneTimePreKey: AgreementKey?, kem: KEMKey? = nil,
        initiator: AgreementPublicKey, preKey: PreKeyUse
    ) throws(CryptoError) -> Session {
        guard (oneTimePreKey == nil) == (preKey.oneTimePreKeyID == nil), (kem == nil) == (preKey.kem == nil) else {
            throw .parameters
        }
        let agreement: X3DH.Agreement
        if let kem, let use = preKey.kem {
            agreement = try PQXDH.respond(
                identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, kem: kem,
                initiator: initiator, ephemeral: preKey.ephemeral, ciphertext: use.ciphertext)
        } else {
            agreement = try X3DH.respond(
                identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, initiator: initiator,
                ephemeral: preKey.ephemeral)
        }
        return Session(agreement, ratchet: RatchetState(responding: agreement, signedPreKey: signedPreKey))
    }
}
