import GodwitProtocol

/// Rotation (docs/protocol.md, section 4.2; E2E-11, D-13): a session follows from another by a secret that both ends have
/// kept of that one and an X25519 exchange with the other side's signed pre-key. No answer is waited for.
extension Session {
    /// False in sessions that an earlier version made.
    public var canRotate: Bool { export != nil }

    /// The session that follows from this one, for the side that rotates. While this one is unanswered, the new one's
    /// headers carry its keys of first contact too, so that it can be read whatever was lost.
    ///
    /// Rotate an answered session or one of first contact: the other side may not have any other.
    ///
    /// - Parameters:
    ///   - generation: higher than that of all sessions of the pair.
    ///   - signedPreKey: the other side's, whose signature was checked.
    /// - Throws: `parameters` where the session cannot be rotated or the generation does not grow; `invalidKey`.
    public func rotated(
        generation: UInt32, signedPreKey: AgreementPublicKey, signedPreKeyID: UInt32,
        from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> Session {
        guard generation > self.generation, pendingRotation == nil else { throw .parameters }
        let ephemeral = try AgreementKey.generate(from: random)
        let use = RotationUse(
            parent: id, generation: generation, ephemeral: ephemeral.publicKey, signedPreKeyID: signedPreKeyID)
        let agreement = try successor(use, try ephemeral.agree(with: signedPreKey), signedPreKey)
        return Session(
            agreement, generation: generation,
            ratchet: try RatchetState(initiating: agreement, remote: signedPreKey, from: random),
            pendingPreKey: pendingPreKey, pendingRotation: use)
    }

    /// The session that the other side has made of this one. Keep it only if `decrypt` of the message succeeds.
    ///
    /// - Parameters:
    ///   - use: from the header of the message.
    ///   - signedPreKey: the own key pair of the id in it.
    /// - Throws: `parameters` for a rotation of another session or one that does not grow; `invalidKey`.
    public func answering(_ use: RotationUse, signedPreKey: AgreementKey) throws(CryptoError) -> Session {
        guard use.parent == id, use.generation > generation else { throw .parameters }
        let agreement = try successor(use, try signedPreKey.agree(with: use.ephemeral), signedPreKey.publicKey)
        return Session(
            agreement, generation: use.generation,
            ratchet: RatchetState(responding: agreement, signedPreKey: signedPreKey))
    }

    private func successor(
        _ use: RotationUse, _ agreed: Secret, _ signedPreKey: AgreementPublicKey
    ) throws(CryptoError) -> X3DH.Agreement {
        guard let export else { throw .parameters }
        var info = ByteWriter(Array("DCP1:session-rotation".utf8) + [0])
        info.append(Base32.decode(use.parent) ?? [])
        info.append(bigEndian: use.generation)
        info.append(use.ephemeral.bytes)
        info.append(signedPreKey.bytes)
        return X3DH.Agreement(
            sharedKey: KeyDerivation.key(.joining([export, agreed]), info: info.bytes),
            associatedData: ratchet.associatedData)
    }
}
