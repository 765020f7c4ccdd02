import GodwitProtocol

/// What a ratchet message says about its sender's ratchet.
public struct RatchetHeader: Hashable, Sendable {
    public var ratchetKey: AgreementPublicKey
    /// Length of the sending chain before this one (`pn`).
    public var previousCount: UInt32

    public init(ratchetKey: AgreementPublicKey, previousCount: UInt32) {
        self.ratchetKey = ratchetKey
        self.previousCount = previousCount
    }
}

/// Which keys the initiator used at first contact.
public struct PreKeyUse: Hashable, Sendable {
    public var ephemeral: AgreementPublicKey
    public var signedPreKeyID: UInt32
    /// Nil when no one-time pre-key was left. Ids are 1 or more; 0 on the wire says "none".
    public var oneTimePreKeyID: UInt32?
    /// Set where the responder has a KEM key.
    public var kem: KEMUse?

    public init(
        ephemeral: AgreementPublicKey, signedPreKeyID: UInt32, oneTimePreKeyID: UInt32?, kem: KEMUse? = nil
    ) {
        self.ephemeral = ephemeral
        self.signedPreKeyID = signedPreKeyID
        self.oneTimePreKeyID = oneTimePreKeyID == 0 ? nil : oneTimePreKeyID
        self.kem = kem
    }
}

/// The KEM pre-key that the initiator used, and what it made with it.
public struct KEMUse: Hashable, Sendable {
    public var id: UInt32
    /// 1,088 bytes.
    public var ciphertext: [UInt8]

    public init(id: UInt32, ciphertext: [UInt8]) {
        self.id = id
        self.ciphertext = ciphertext
    }
}

/// What a session that follows from another one was made of (docs/protocol.md, section 4.2, *Rotation*).
public struct RotationUse: Hashable, Sendable {
    /// Id of the session whose secret was mixed in.
    public var parent: String
    /// 1 or more; of two sessions of a pair the higher one is newer.
    public var generation: UInt32
    public var ephemeral: AgreementPublicKey
    public var signedPreKeyID: UInt32

    public init(parent: String, generation: UInt32, ephemeral: AgreementPublicKey, signedPreKeyID: UInt32) {
        self.parent = parent
        self.generation = generation
        self.ephemeral = ephemeral
        self.signedPreKeyID = signedPreKeyID
    }
}

/// The bytes of `encryption.header` of a pairwise message (docs/protocol.md, section 4.2): 37 bytes in an answered
/// session (form 1); until then also the keys of first contact (forms 2 and 3), of a rotation (form 4), or of both
/// (forms 5 and 6).
public struct SessionHeader: Hashable, Sendable {
    public static let answeredCount = 37
    /// The longest form.
    public static let countMax = answeredCount + 40 + 4 + KEMPublicKey.ciphertextCount + 50

    public var ratchet: RatchetHeader
    /// Set until the first answer to a first contact.
    public var preKey: PreKeyUse?
    /// Set until the first answer in a session that follows from another one.
    public var rotation: RotationUse?

    public init(ratchet: RatchetHeader, preKey: PreKeyUse? = nil, rotation: RotationUse? = nil) {
        self.ratchet = ratchet
        self.preKey = preKey
        self.rotation = rotation
    }

    /// - Throws: `malformed` for an unknown form or another length.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        let form = try reader.byte()
        guard (1...6).contains(form) else { throw .malformed }
        preKey =
            switch form {
            case 2, 5: try PreKeyUse(from: &reader, hasKEM: false)
            case 3, 6: try PreKeyUse(from: &reader, hasKEM: true)
            default: nil
            }
        rotation = form >= 4 ? try RotationUse(from: &reader) : nil
        ratchet = RatchetHeader(
            ratchetKey: try AgreementPublicKey(try reader.take(AgreementPublicKey.count)),
            previousCount: try reader.integer())
        try reader.finish()
    }

    public var bytes: [UInt8] {
        let contact: UInt8 = preKey == nil ? 1 : preKey?.kem == nil ? 2 : 3
        var writer = ByteWriter([rotation == nil ? contact : contact + 3])
        preKey?.encode(into: &writer)
        rotation?.encode(into: &writer)
        writer.append(ratchet.ratchetKey.bytes)
        writer.append(bigEndian: ratchet.previousCount)
        return writer.bytes
    }
}

extension PreKeyUse {
    func encode(into writer: inout ByteWriter) {
        writer.append(ephemeral.bytes)
        writer.append(bigEndian: signedPreKeyID)
        writer.append(bigEndian: oneTimePreKeyID ?? 0)
        guard let kem else { return }
        writer.append(bigEndian: kem.id)
        writer.append(kem.ciphertext)
    }

    init(from reader: inout ByteReader, hasKEM: Bool) throws(CryptoError) {
        let ephemeral = try AgreementPublicKey(try reader.take(AgreementPublicKey.count))
        let signed: UInt32 = try reader.integer()
        let oneTime: UInt32 = try reader.integer()
        let kem =
            hasKEM
            ? KEMUse(id: try reader.integer(), ciphertext: try reader.take(KEMPublicKey.ciphertextCount)) : nil
        self.init(ephemeral: ephemeral, signedPreKeyID: signed, oneTimePreKeyID: oneTime, kem: kem)
    }
}

extension RotationUse {
    private static let parentCount = 10

    func encode(into writer: inout ByteWriter) {
        writer.append(Base32.decode(parent) ?? [])
        writer.append(bigEndian: generation)
        writer.append(ephemeral.bytes)
        writer.append(bigEndian: signedPreKeyID)
    }

    /// - Throws: `malformed` for generation 0, which no rotation has.
    init(from reader: inout ByteReader) throws(CryptoError) {
        let parent = Base32.encode(try reader.take(Self.parentCount))
        let generation: UInt32 = try reader.integer()
        guard generation > 0 else { throw .malformed }
        self.init(
            parent: parent, generation: generation,
            ephemeral: try AgreementPublicKey(try reader.take(AgreementPublicKey.count)),
            signedPreKeyID: try reader.integer())
    }
}
