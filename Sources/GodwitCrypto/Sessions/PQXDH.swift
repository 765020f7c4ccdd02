import GodwitProtocol

/// Key agreement at first contact with a device that has a KEM key (docs/protocol.md, section 4.1; G-101): X3DH with a
/// secret of ML-KEM-768 besides, after Signal's PQXDH. Who recorded the first message reads nothing with a quantum
/// computer alone, and a broken KEM leaves what X3DH gives.
public enum PQXDH {
    private static let info = "DCP1:pqxdh_X25519_SHA-256_ML-KEM-768"

    /// The initiator's side.
    ///
    /// - Parameters:
    ///   - kem: the responder's KEM pre-key.
    ///   - encapsulation: made with `kem`; its ciphertext goes to the responder.
    /// - Throws: `invalidKey` when one of the keys gives an all-zero result.
    public static func initiate(
        identity: AgreementKey, ephemeral: AgreementKey, bundle: X3DH.Bundle, kem: KEMPublicKey,
        encapsulation: KEMPublicKey.Encapsulation
    ) throws(CryptoError) -> X3DH.Agreement {
        X3DH.agreement(
            try X3DH.results(identity: identity, ephemeral: ephemeral, bundle: bundle) + [encapsulation.secret],
            initiator: identity.publicKey, responder: bundle.identity, info: info,
            binding: binding(kem, encapsulation.ciphertext))
    }

    /// The responder's side.
    ///
    /// - Parameters:
    ///   - kem: the KEM key of the id in the header.
    ///   - ciphertext: from the header.
    /// - Throws: `invalidKey` when one of the keys gives an all-zero result, `malformed` for a ciphertext of another
    ///   length.
    public static func respond(
        identity: AgreementKey, signedPreKey: AgreementKey, oneTimePreKey: AgreementKey?, kem: KEMKey,
        initiator: AgreementPublicKey, ephemeral: AgreementPublicKey, ciphertext: [UInt8]
    ) throws(CryptoError) -> X3DH.Agreement {
        let results = try X3DH.results(
            identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, initiator: initiator,
            ephemeral: ephemeral)
        return X3DH.agreement(
            results + [try kem.decapsulate(ciphertext)], initiator: initiator, responder: identity.publicKey,
            info: info, binding: binding(kem.publicKey, ciphertext))
    }

    /// Ties key and ciphertext of the KEM to all that the session carries, as PQXDH does with the key.
    private static func binding(_ kem: KEMPublicKey, _ ciphertext: [UInt8]) -> [UInt8] {
        SHA256Digest.of(Array("DCP1:pqxdh-kem".utf8) + [0], kem.bytes, ciphertext)
    }
}
