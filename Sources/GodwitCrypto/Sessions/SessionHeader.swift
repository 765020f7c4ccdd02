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

    public init(ephemeral: AgreementPublicKey, signedPreKeyID: UInt32, oneTimePreKeyID: UInt32?) {
        self.ephemeral = ephemeral
        self.signedPreKeyID = signedPreKeyID
        self.oneTimePreKeyID = oneTimePreKeyID == 0 ? nil : oneTimePreKeyID
    }
}

/// The bytes of `encryption.header` of a pairwise message (docs/protocol.md, section 4.2): 37 bytes in an answered
/// session (form 1), 77 until then (form 2).
public struct SessionHeader: Hashable, Sendable {
    public static let answeredCount = 37
    public static let preKeyCount = 77

    public var ratchet: RatchetHeader
    /// Set in form 2.
    public var preKey: PreKeyUse?

    public init(ratchet: RatchetHeader, preKey: PreKeyUse? = nil) {
        self.ratchet = ratchet
        self.preKey = preKey
    }

    /// - Throws: `malformed` for an unknown form or another length.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        switch try reader.byte() {
        case 1: preKey = nil
        case 2: preKey = try PreKeyUse(from: &reader)
        default: throw .malformed
        }
        ratchet = RatchetHeader(
            ratchetKey: try AgreementPublicKey(try reader.take(AgreementPublicKey.count)),
            previousCount: try reader.integer())
        try reader.finish()
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter([preKey == nil ? 1 : 2])
        preKey?.encode(into: &writer)
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
    }

    init(from reader: inout ByteReader) throws(CryptoError) {
        let ephemeral = try AgreementPublicKey(try reader.take(AgreementPublicKey.count))
        let signed: UInt32 = try reader.integer()
        self.init(ephemeral: ephemeral, signedPreKeyID: signed, oneTimePreKeyID: try reader.integer())
    }
}
