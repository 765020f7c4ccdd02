public import GodwitProtocol

/// The name `E` of a channel epoch: the hash of its starting object, 32 bytes.
public struct EpochName: Hashable, Sendable {
    public static let count = 32
    public let bytes: [UInt8]

    /// - Throws: `malformed` unless there are 32 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .malformed }
        self.bytes = bytes
    }

    /// `encryption.key_id` of messages of the epoch: 16 characters of base32.
    public var keyID: String { Base32.encode(bytes.prefix(10)) }
}

/// The secret of a channel epoch (docs/protocol.md, section 4.3; D-14). Derive the chains of all member devices and
/// `next`, then let it go: whoever keeps it gives up forward secrecy.
public struct EpochSecret: Sendable, Equatable {
    public static let count = 32
    let secret: Secret

    /// - Throws: `invalidKey` unless there are 32 bytes.
    public init(_ secret: Secret) throws(CryptoError) {
        guard secret.count == Self.count else { throw .invalidKey }
        self.secret = secret
    }

    public static func generate(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> EpochSecret {
        try EpochSecret(.random(count, from: random))
    }

    /// What the epoch object signs, so that everybody can tell that all hold the same secret.
    public var commitment: [UInt8] {
        KeyDerivation.key(secret, info: Array("DCP1:epoch-commit".utf8)).copyBytes()
    }

    /// The value from which the epoch of a later join follows.
    public var next: EpochNext {
        EpochNext(checked: KeyDerivation.key(secret, info: Array("DCP1:epoch-next".utf8)))
    }

    /// The chain on which a member device sends in this epoch.
    public func chain(of device: DeviceID, user: UserID, epoch: EpochName) -> SenderChain {
        var info = ByteWriter(Array("DCP1:epoch-chain".utf8) + [0])
        info.append(epoch.bytes)
        info.append(lengthPrefixed: user.text)
        info.append(lengthPrefixed: device.text)
        return SenderChain(start: KeyDerivation.key(secret, info: info.bytes))
    }
}

/// What is kept of an epoch to make the next one when somebody joins.
public struct EpochNext: Sendable, Equatable {
    public let secret: Secret

    /// For what was stored. - Throws: `invalidKey` unless there are 32 bytes.
    public init(_ secret: Secret) throws(CryptoError) {
        guard secret.count == EpochSecret.count else { throw .invalidKey }
        self.secret = secret
    }

    init(checked secret: Secret) { self.secret = secret }

    /// The secret of the epoch that a join starts.
    ///
    /// - Parameter joinHash: SHA-256 of the signed bytes of the membership object, 32 bytes.
    /// - Throws: `malformed` for a hash of another length.
    public func joined(joinHash: [UInt8]) throws(CryptoError) -> EpochSecret {
        guard joinHash.count == 32 else { throw .malformed }
        return try EpochSecret(KeyDerivation.key(secret, info: Array("DCP1:epoch-join".utf8) + [0] + joinHash))
    }
}
