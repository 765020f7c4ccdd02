import GodwitProtocol

/// Key agreement at first contact (docs/protocol.md, section 4.1; E2E-03, E2E-17).
///
/// Who signed the pre-key and the agreement keys must have been checked before.
public enum X3DH {
    /// What both sides hold afterwards.
    public struct Agreement: Sendable, Equatable {
        /// 32 bytes, the first root key of the ratchet.
        public let sharedKey: Secret
        /// `IK_A ‖ IK_B`, 64 bytes; with a KEM the digest of its key and ciphertext besides, 96 bytes.
        public let associatedData: [UInt8]

        /// Name of the session: 16 characters of base32.
        public var sessionID: String {
            KeyDerivation.key(sharedKey, info: Array("DCP1:session-id".utf8))
                .withBytes { Base32.encode($0.prefix(10)) }
        }
    }

    /// The public keys of the responder's bundle.
    public struct Bundle: Hashable, Sendable {
        public var identity: AgreementPublicKey
        public var signedPreKey: AgreementPublicKey
        public var oneTimePreKey: AgreementPublicKey?

        public init(
            identity: AgreementPublicKey, signedPreKey: AgreementPublicKey, oneTimePreKey: AgreementPublicKey?
        ) {
            self.identity = identity
            self.signedPreKey = signedPreKey
            self.oneTimePreKey = oneTimePreKey
        }
    }

    /// The initiator's side.
    ///
    /// - Throws: `invalidKey` when one of the keys gives an all-zero result.
    public static func initiate(
        identity: AgreementKey, ephemeral: AgreementKey, bundle: Bundle
    ) throws(CryptoError) -> Agreement {
        agreement(
            try results(identity: identity, ephemeral: ephemeral, bundle: bundle), initiator: identity.publicKey,
            responder: bundle.identity)
    }

    /// The responder's side.
    ///
    /// - Parameter oneTimePreKey: the private key of the id in the header; delete it once the message was read.
    /// - Throws: `invalidKey` when one of the keys gives an all-zero result.
    public static func respond(
        identity: AgreementKey, signedPreKey: AgreementKey, oneTimePreKey: AgreementKey?,
        initiator: AgreementPublicKey, ephemeral: AgreementPublicKey
    ) throws(CryptoError) -> Agreement {
        agreement(
            try results(
                identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, initiator: initiator,
                ephemeral: ephemeral),
            initiator: initiator, responder: identity.publicKey)
    }

    static func results(
        identity: AgreementKey, ephemeral: AgreementKey, bundle: Bundle
    ) throws(CryptoError) -> [Secret] {
        var results = [
            try identity.agree(with: bundle.signedPreKey),
            try ephemeral.agree(with: bundle.identity),
            try ephemeral.agree(with: bundle.signedPreKey),
        ]
        if let oneTime = bundle.oneTimePreKey { results.append(try ephemeral.agree(with: oneTime)) }
        return results
    }

    static func results(
        identity: AgreementKey, signedPreKey: AgreementKey, oneTimePreKey: AgreementKey?,
        initiator: AgreementPublicKey, ephemeral: AgreementPublicKey
    ) throws(CryptoError) -> [Secret] {
        var results = [
            try signedPreKey.agree(with: initiator),
            try identity.agree(with: ephemeral),
            try signedPreKey.agree(with: ephemeral),
        ]
        if let oneTimePreKey { results.append(try oneTimePreKey.agree(with: ephemeral)) }
        return results
    }

    /// - Parameter binding: follows the identity keys in the associated data.
    static func agreement(
        _ results: [Secret], initiator: AgreementPublicKey, responder: AgreementPublicKey,
        info: String = "DCP1:x3dh", binding: [UInt8] = []
    ) -> Agreement {
        // The 32 bytes of 0xFF keep the input apart from any encoding of a key (X3DH, section 2.2).
        let input = Secret.joining([Secret([UInt8](repeating: 0xFF, count: 32))] + results)
        return Agreement(
            sharedKey: KeyDerivation.key(input, info: Array(info.utf8)),
            associatedData: initiator.bytes + responder.bytes + binding)
    }
}

extension Secret {
    /// The concatenation of secrets.
    static func joining(_ parts: [Secret]) -> Secret {
        Secret(count: parts.reduce(0) { $0 + $1.count }) { (output: UnsafeMutableRawBufferPointer) in
            var offset = 0
            for part in parts {
                part.withBytes { UnsafeMutableRawBufferPointer(rebasing: output[offset...]).copyMemory(from: $0) }
                offset += part.count
            }
        }
    }
}
