public import GodwitProtocol

/// The key of a message's body that several devices read (D-13): drawn for one message, wrapped for each device through
/// its session. docs/protocol.md §5.
///
/// The message names the key by a hash, so that one ciphertext cannot be shown as two texts under two keys.
public struct BodyKey: Sendable {
    public static let count = 32
    /// Bytes of the hash that names a key.
    static let nameCount = 20

    private let secret: Secret

    /// - Throws: `malformed` unless there are 32 bytes.
    public init(_ secret: Secret) throws(CryptoError) {
        guard secret.count == Self.count else { throw .malformed }
        self.secret = secret
    }

    public static func draw(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> BodyKey {
        try BodyKey(Secret.random(count, from: random))
    }

    /// What `encryption.key_id` says: 32 characters of base32.
    public var keyID: String {
        var clear = secret.copyBytes()
        defer { clear.wipe() }
        let hash = Digest.sha256(Array("DCP1:body-key".utf8), [0], clear)
        return Base32.encode(hash.prefix(Self.nameCount))
    }

    /// Whether a `key_id` has the form of one that names a body's key, and no session's.
    public static func names(_ keyID: String) -> Bool {
        keyID.utf8.count == 32 && Base32.decode(keyID)?.count == nameCount
    }

    /// Encrypts the body. Call once: the nonce's position is 0, for the key serves one message.
    ///
    /// - Parameter aad: gives the associated data from the nonce's bytes.
    public func seal(
        _ content: [UInt8], salt: NonceSalt, aad: (_ nonce: [UInt8]) -> [UInt8]
    ) throws(CryptoError) -> (nonce: [UInt8], ciphertext: [UInt8]) {
        let nonce = MessageNonce(salt: salt, position: 0).bytes
        return (nonce, try AEAD.seal(content, key: secret, nonce: nonce, associatedData: aad(nonce)))
    }

    /// - Throws: `authenticationFailed`, `malformed`.
    public func open(_ ciphertext: [UInt8], nonce: [UInt8], aad: [UInt8]) throws(CryptoError) -> [UInt8] {
        try AEAD.open(ciphertext, key: secret, nonce: nonce, associatedData: aad)
    }

    // MARK: Wraps

    /// The key for one device. Store the session before the result leaves (D-6).
    public func wrapped(
        through session: inout Session, of message: MessageHash, salt: NonceSalt
    ) throws(CryptoError) -> Session.Sealed {
        var clear = secret.copyBytes()
        defer { clear.wipe() }
        return try session.encrypt(clear, salt: salt) { header, _ in Self.associatedData(message, header) }
    }

    /// - Throws: as `Session.decrypt`; `malformed` for what is no key.
    public init(
        unwrapping wrap: Session.Sealed, through session: inout Session, of message: MessageHash
    ) throws(CryptoError) {
        var clear = try session.decrypt(wrap, aad: Self.associatedData(message, wrap.header))
        defer { clear.wipe() }
        try self.init(Secret(clear))
    }

    /// A wrap belongs to one message, and cannot be put beside another.
    private static func associatedData(_ message: MessageHash, _ header: [UInt8]) -> [UInt8] {
        Array("DCP1:body-wrap".utf8) + [0] + message.bytes + header
    }
}
