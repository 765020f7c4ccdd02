/// One device's chain in a channel epoch, as a value, for the device itself and for its readers (docs/protocol.md,
/// section 4.3; D-14). The associated data of the caller stands alone; there is no ratchet header.
///
/// As with `RatchetState`, the author stores the advanced chain before a ciphertext leaves (D-6).
public struct SenderChain: Sendable, Equatable {
    /// How far a message may run ahead of what was read, and how many skipped keys are kept.
    public static let aheadMax = SkippedKeys.countMax
    private static let version: UInt8 = 1

    /// A message of the chain.
    public struct Sealed: Hashable, Sendable {
        public var nonce: [UInt8]
        public var ciphertext: [UInt8]

        public init(nonce: [UInt8], ciphertext: [UInt8]) {
            self.nonce = nonce
            self.ciphertext = ciphertext
        }
    }

    private var chain: ChainKey
    private var skipped = SkippedKeys()

    init(start: Secret) { chain = ChainKey(start) }

    /// Position of the next message.
    public var position: UInt64 { chain.position }
    /// Number of passed-over keys that are kept.
    public var skippedCount: Int { skipped.count }

    /// Encrypts the next message of the own chain.
    ///
    /// - Parameter aad: gives the associated data from the nonce's bytes.
    public mutating func encrypt(
        _ content: [UInt8], salt: NonceSalt, aad: (_ nonce: [UInt8]) -> [UInt8]
    ) throws(CryptoError) -> Sealed {
        var next = chain
        let nonce = MessageNonce(salt: salt, position: next.position)
        let key = try next.advance()
        let ciphertext = try MessageCipher.seal(
            content, chainKey: key, nonce: nonce, associatedData: aad(nonce.bytes))
        chain = next
        return Sealed(nonce: nonce.bytes, ciphertext: ciphertext)
    }

    /// Decrypts a message in whatever order it comes; each key serves once.
    ///
    /// - Throws: `authenticationFailed`, `keyGone`, `tooFarAhead` beyond 2,000 skipped positions, `malformed`; the chain
    ///   is unchanged then.
    public mutating func decrypt(_ sealed: Sealed, aad: [UInt8]) throws(CryptoError) -> [UInt8] {
        let nonce = try MessageNonce(sealed.nonce)
        var next = self
        let key = try next.key(at: nonce.position)
        let content = try MessageCipher.open(
            sealed.ciphertext, chainKey: key, nonce: nonce, associatedData: aad)
        self = next
        return content
    }

    private mutating func key(at position: UInt64) throws(CryptoError) -> Secret {
        if position < chain.position {
            guard let key = skipped.take(at: position) else { throw .keyGone }
            return key
        }
        try chain.skip(to: position, keeping: &skipped)
        return try chain.advance()
    }

    /// The stored form, with keys in the clear; see `RatchetState.encoded()`.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter([Self.version])
        chain.encode(into: &writer)
        skipped.encode(into: &writer)
        return writer.bytes
    }

    /// - Throws: `malformed` for anything that `encoded()` does not write.
    public init(decoding bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        guard try reader.byte() == Self.version else { throw .malformed }
        chain = try ChainKey(from: &reader)
        skipped = try SkippedKeys(from: &reader)
        try reader.finish()
    }
}
