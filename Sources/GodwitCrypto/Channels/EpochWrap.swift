public import GodwitProtocol

/// An epoch's secret for one device (docs/protocol.md, section 4.3): 48 bytes, under a key from the distribution's
/// ephemeral key with the device's signed pre-key and agreement key.
public enum EpochWrap {
    public static let count = EpochSecret.count + AEAD.tagCount

    /// For whom a wrap is.
    public struct Recipient: Hashable, Sendable {
        public var user: UserID
        public var device: DeviceID

        public init(user: UserID, device: DeviceID) {
            self.user = user
            self.device = device
        }
    }

    /// - Parameter ephemeral: made afresh for each distribution and used for all its wraps; the wrap keys have a fixed
    ///   nonce, so it must never serve two secrets.
    /// - Throws: `invalidKey` for keys of small order.
    public static func wrap(
        _ secret: EpochSecret, epoch: EpochName, ephemeral: AgreementKey, for recipient: Recipient,
        signedPreKey: AgreementPublicKey, identity: AgreementPublicKey
    ) throws(CryptoError) -> [UInt8] {
        let key = key(
            [try ephemeral.agree(with: signedPreKey), try ephemeral.agree(with: identity)], epoch, recipient)
        var clear = secret.secret.copyBytes()
        defer { clear.wipe() }
        return try AEAD.seal(clear, key: key, nonce: zeroNonce, associatedData: epoch.bytes)
    }

    /// - Throws: `authenticationFailed` when it is not for this device, these keys and this epoch; `malformed`,
    ///   `invalidKey`.
    public static func unwrap(
        _ wrapped: [UInt8], epoch: EpochName, ephemeral: AgreementPublicKey, for recipient: Recipient,
        signedPreKey: AgreementKey, identity: AgreementKey
    ) throws(CryptoError) -> EpochSecret {
        guard wrapped.count == count else { throw .malformed }
        let key = key(
            [try signedPreKey.agree(with: ephemeral), try identity.agree(with: ephemeral)], epoch, recipient)
        var clear = try AEAD.open(wrapped, key: key, nonce: zeroNonce, associatedData: epoch.bytes)
        defer { clear.wipe() }
        return try EpochSecret(Secret(clear))
    }

    // MARK: For a joiner

    /// Wraps the secret of an epoch that a join has started, for a joiner. Nothing of it is signed: the sponsor's agreement
    /// key goes into the wrap key, so that nobody but the two devices can make it.
    ///
    /// - Parameter ephemeral: made afresh for this and used for nothing else.
    /// - Returns: `EpochKey.keyCount` bytes: the ephemeral key, and the secret under what follows from it.
    /// - Throws: `invalidKey` for keys of small order.
    public static func seal(
        _ secret: EpochSecret, epoch: EpochName, ephemeral: AgreementKey, from sponsor: AgreementKey,
        for recipient: Recipient, signedPreKey: AgreementPublicKey, identity: AgreementPublicKey
    ) throws(CryptoError) -> [UInt8] {
        let key = key(
            [
                try ephemeral.agree(with: signedPreKey), try ephemeral.agree(with: identity),
                try sponsor.agree(with: signedPreKey),
            ], epoch, recipient, label: joinLabel)
        var clear = secret.secret.copyBytes()
        defer { clear.wipe() }
        return ephemeral.publicKey.bytes
            + (try AEAD.seal(clear, key: key, nonce: zeroNonce, associatedData: epoch.bytes))
    }

    /// - Throws: `authenticationFailed` when it is not by this sponsor or not for this device, these keys and this epoch;
    ///   `malformed`, `invalidKey`.
    public static func open(
        _ sealed: [UInt8], epoch: EpochName, from sponsor: AgreementPublicKey, for recipient: Recipient,
        signedPreKey: AgreementKey, identity: AgreementKey
    ) throws(CryptoError) -> EpochSecret {
        guard sealed.count == EpochKey.keyCount else { throw .malformed }
        let ephemeral = try AgreementPublicKey(Array(sealed.prefix(AgreementPublicKey.count)))
        let key = key(
            [
                try signedPreKey.agree(with: ephemeral), try identity.agree(with: ephemeral),
                try signedPreKey.agree(with: sponsor),
            ], epoch, recipient, label: joinLabel)
        var clear = try AEAD.open(
            Array(sealed.dropFirst(AgreementPublicKey.count)), key: key, nonce: zeroNonce, associatedData: epoch.bytes)
        defer { clear.wipe() }
        return try EpochSecret(Secret(clear))
    }

    private static let joinLabel = "DCP1:epoch-key"
    private static let zeroNonce = [UInt8](repeating: 0, count: AEAD.nonceCount)

    private static func key(
        _ agreed: [Secret], _ epoch: EpochName, _ recipient: Recipient, label: String = "DCP1:epoch-wrap"
    ) -> Secret {
        var info = ByteWriter(Array(label.utf8) + [0])
        info.append(epoch.bytes)
        info.append(lengthPrefixed: recipient.user.text)
        info.append(lengthPrefixed: recipient.device.text)
        return KeyDerivation.key(.joining(agreed), info: info.bytes)
    }
}
