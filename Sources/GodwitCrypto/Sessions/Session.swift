/// A pairwise session: what was agreed at first contact or made of an earlier session, the ratchet, and whether the
/// other side is known to have it.
///
/// A value; the rules of `RatchetState` about storing before sending hold here too. One device may have several sessions
/// with another; `id` is what `encryption.key_id` names.
public struct Session: Sendable, Equatable {
    /// 16 characters of base32, the same on both sides.
    public let id: String
    /// How many rotations lie before it, over both sides: 0 after first contact.
    public let generation: UInt32
    /// What a session that follows from this one is made of. Nil in sessions that an earlier version made.
    let export: Secret?
    public private(set) var ratchet: RatchetState
    /// The initiator's keys, repeated in each header until the first answer, or word that the session is there, arrives.
    public private(set) var pendingPreKey: PreKeyUse?
    /// The same of a rotation.
    public private(set) var pendingRotation: RotationUse?

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

    init(
        _ agreement: X3DH.Agreement, generation: UInt32 = 0, ratchet: RatchetState, pendingPreKey: PreKeyUse? = nil,
        pendingRotation: RotationUse? = nil
    ) {
        id = agreement.sessionID
        self.generation = generation
        export = KeyDerivation.key(agreement.sharedKey, info: Array("DCP1:session-export".utf8))
        self.ratchet = ratchet
        self.pendingPreKey = pendingPreKey
        self.pendingRotation = pendingRotation
    }

    /// True on the side that opened the session, until an answer or a receipt shows that the other side has it.
    public var isUnanswered: Bool { pendingPreKey != nil || pendingRotation != nil }

    /// The other side has said that it read a message of this session: headers need not repeat what makes the session.
    /// Whoever forges that makes later messages unreadable and no more, as if they had been withheld.
    public mutating func noteReceived() {
        pendingPreKey = nil
        pendingRotation = nil
    }

    /// Encrypts the next message. Store the session before the result leaves (D-6).
    ///
    /// - Parameter aad: gives the associated data from the header's and the nonce's bytes.
    /// - Throws: as `RatchetState.encrypt`; the session is unchanged then.
    public mutating func encrypt(
        _ content: [UInt8], salt: NonceSalt, aad: (_ header: [UInt8], _ nonce: [UInt8]) -> [UInt8]
    ) throws(CryptoError) -> Sealed {
        var header: [UInt8] = []
        let (preKey, rotation) = (pendingPreKey, pendingRotation)
        let message = try ratchet.encrypt(content, salt: salt) { ratchetHeader, nonce in
            header = SessionHeader(ratchet: ratchetHeader, preKey: preKey, rotation: rotation).bytes
            return aad(header, nonce.bytes)
        }
        return Sealed(header: header, nonce: message.nonce.bytes, ciphertext: message.ciphertext)
    }

    /// Decrypts a message of this session; the first one that succeeds ends the longer forms of the headers.
    ///
    /// - Throws: as `RatchetState.decrypt`, `malformed` for header or nonce; the session is unchanged then.
    public mutating func decrypt(
        _ sealed: Sealed, aad: [UInt8], from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) -> [UInt8] {
        let header = try SessionHeader(sealed.header)
        let message = RatchetMessage(
            header: header.ratchet, nonce: try MessageNonce(sealed.nonce), ciphertext: sealed.ciphertext)
        let content = try ratchet.decrypt(message, aad: aad, from: random)
        noteReceived()
        return content
    }
}

extension Session {
    private static let version: UInt8 = 2
    /// The first version, without generation, export and the newer headers.
    private static let plainVersion: UInt8 = 1
    private static let idCount = 16

    /// The stored form, with keys in the clear; see `RatchetState.encoded()`.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter([Self.version])
        writer.append(id)
        writer.append(bigEndian: generation)
        let flags: UInt8 =
            (pendingPreKey == nil ? 0 : 1) | (pendingPreKey?.kem == nil ? 0 : 2) | (pendingRotation == nil ? 0 : 4)
            | (export == nil ? 0 : 8)
        writer.append(flags)
        pendingPreKey?.encode(into: &writer)
        pendingRotation?.encode(into: &writer)
        if let export { writer.append(export) }
        ratchet.encode(into: &writer)
        return writer.bytes
    }

    /// - Throws: `malformed` for anything that `encoded()` of this or the first version does not write.
    public init(decoding bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        let version = try reader.byte()
        guard version == Self.version || version == Self.plainVersion else { throw .malformed }
        id = String(decoding: try reader.take(Self.idCount), as: UTF8.self)
        generation = version == Self.plainVersion ? 0 : try reader.integer()
        let flags = try reader.byte()
        guard flags < (version == Self.plainVersion ? 2 : 16), flags & 3 != 2 else { throw .malformed }
        pendingPreKey = flags & 1 == 0 ? nil : try PreKeyUse(from: &reader, hasKEM: flags & 2 != 0)
        pendingRotation = flags & 4 == 0 ? nil : try RotationUse(from: &reader)
        export = flags & 8 == 0 ? nil : try reader.secret()
        ratchet = try RatchetState(from: &reader)
        try reader.finish()
    }
}
