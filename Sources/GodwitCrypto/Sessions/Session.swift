/// A pairwise session: what X3DH agreed, the ratchet, and whether the first answer has come.
///
/// A value; the rules of `RatchetState` about storing before sending hold here too. One device may have several sessions
/// with another; `id` is what `encryption.key_id` names.
public struct Session: Sendable, Equatable {
    /// 16 characters of base32, the same on both sides.
    public let id: String
    public private(set) var ratchet: RatchetState
    /// The initiator's keys, repeated in each header until the first answer arrives.
    public private(set) var pendingPreKey: PreKeyUse?

    /// An encrypted message, as it stands in `content` and `encryption`.
    public struct Sealed: Hashable, Sendable {
        public var header: [UInt8]
        public var nonce: [UInt8]
        public var ciphertext: [UInt8]

        public init(header: [UInt8], nonce: [UInt8], ciphertext: [UInt8]) {
            self.header = header
            self.nonce = nonce
            self.ciphertext = ciphertext
        }
    }

    /// Opens a session towards the device of `bundle`, whose signatures were checked before.
    ///
    /// - Parameters:
    ///   - signedPreKeyID: id of `bundle.signedPreKey`.
    ///   - oneTimePreKeyID: id of `bundle.oneTimePreKey`; 1 or more, nil where the bundle has none.
    /// - Throws: `invalidKey` for keys of small order; `parameters` when key and id of the one-time pre-key do not go
    ///   together.
    public static func initiate(
        identity: AgreementKey, bundle: X3DH.Bundle, signedPreKeyID: UInt32, oneTimePreKeyID: UInt32?,
        from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> Session {
        guard (bundle.oneTimePreKey == nil) == (oneTimePreKeyID == nil), oneTimePreKeyID != 0 else {
            throw .parameters
        }
        let ephemeral = try AgreementKey.generate(from: random)
        let agreement = try X3DH.initiate(identity: identity, ephemeral: ephemeral, bundle: bundle)
        return Session(
            id: agreement.sessionID,
            ratchet: try RatchetState(initiating: agreement, remote: bundle.signedPreKey, from: random),
            pendingPreKey: PreKeyUse(
                ephemeral: ephemeral.publicKey, signedPreKeyID: signedPreKeyID, oneTimePreKeyID: oneTimePreKeyID))
    }

    /// The session of a first message whose header has form 2. Keep it only if `decrypt` of that message succeeds, and
    /// delete the one-time pre-key then.
    ///
    /// - Parameters:
    ///   - initiator: the agreement key of the author's signed device entry.
    ///   - preKey: from the header; the private keys are those of its ids.
    /// - Throws: `parameters` when the header names a one-time pre-key and none is given, or the other way round;
    ///   `invalidKey`.
    public static func respond(
        identity: AgreementKey, signedPreKey: AgreementKey, oneTimePreKey: AgreementKey?,
        initiator: AgreementPublicKey, preKey: PreKeyUse
    ) throws(CryptoError) -> Session {
        guard (oneTimePreKey == nil) == (preKey.oneTimePreKeyID == nil) else { throw .parameters }
        let agreement = try X3DH.respond(
            identity: identity, signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, initiator: initiator,
            ephemeral: preKey.ephemeral)
        return Session(
            id: agreement.sessionID, ratchet: RatchetState(responding: agreement, signedPreKey: signedPreKey),
            pendingPreKey: nil)
    }

    /// Encrypts the next message. Store the session before the result leaves (D-6).
    ///
    /// - Parameter aad: gives the associated data from the header's and the nonce's bytes.
    /// - Throws: as `RatchetState.encrypt`; the session is unchanged then.
    public mutating func encrypt(
        _ content: [UInt8], salt: NonceSalt, aad: (_ header: [UInt8], _ nonce: [UInt8]) -> [UInt8]
    ) throws(CryptoError) -> Sealed {
        var header: [UInt8] = []
        let preKey = pendingPreKey
        let message = try ratchet.encrypt(content, salt: salt) { ratchetHeader, nonce in
            header = SessionHeader(ratchet: ratchetHeader, preKey: preKey).bytes
            return aad(header, nonce.bytes)
        }
        return Sealed(header: header, nonce: message.nonce.bytes, ciphertext: message.ciphertext)
    }

    /// Decrypts a message of this session; the first one that succeeds ends form 2 of the headers.
    ///
    /// - Throws: as `RatchetState.decrypt`, `malformed` for header or nonce; the session is unchanged then.
    public mutating func decrypt(
        _ sealed: Sealed, aad: [UInt8], from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> [UInt8] {
        let header = try SessionHeader(sealed.header)
        let message = RatchetMessage(
            header: header.ratchet, nonce: try MessageNonce(sealed.nonce), ciphertext: sealed.ciphertext)
        let content = try ratchet.decrypt(message, aad: aad, from: random)
        pendingPreKey = nil
        return content
    }
}

extension Session {
    private static let version: UInt8 = 1
    private static let idCount = 16

    /// The stored form, with keys in the clear; see `RatchetState.encoded()`.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter([Self.version])
        writer.append(id)
        writer.append(pendingPreKey == nil ? 0 : 1)
        pendingPreKey?.encode(into: &writer)
        ratchet.encode(into: &writer)
        return writer.bytes
    }

    /// - Throws: `malformed` for anything that `encoded()` does not write.
    public init(decoding bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        guard try reader.byte() == Self.version else { throw .malformed }
        id = String(decoding: try reader.take(Self.idCount), as: UTF8.self)
        switch try reader.byte() {
        case 0: pendingPreKey = nil
        case 1: pendingPreKey = try PreKeyUse(from: &reader)
        default: throw .malformed
        }
        ratchet = try RatchetState(from: &reader)
        try reader.finish()
    }
}
