/// Four random bytes drawn each time a device opens its store, so that a store which came back from an old copy never
/// repeats a key with a nonce (D-6).
public struct NonceSalt: Hashable, Sendable {
    public static let count = 4
    public let bytes: [UInt8]

    /// - Throws: `malformed` unless there are 4 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .malformed }
        self.bytes = bytes
    }

    public static func draw(from random: some RandomSource = SystemRandom()) throws(CryptoError) -> NonceSalt {
        try NonceSalt(random.bytes(count))
    }
}

/// The nonce of a message: `salt (4) ‖ u64(position in the sending chain)`, 12 bytes.
public struct MessageNonce: Hashable, Sendable {
    public static let count = 12
    public let salt: NonceSalt
    /// Position in the chain, from 0.
    public let position: UInt64

    public init(salt: NonceSalt, position: UInt64) {
        self.salt = salt
        self.position = position
    }

    /// - Throws: `malformed` unless there are 12 bytes.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        guard bytes.count == Self.count else { throw .malformed }
        var reader = ByteReader(bytes)
        salt = try NonceSalt(try reader.take(NonceSalt.count))
        position = try reader.integer()
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(salt.bytes)
        writer.append(bigEndian: position)
        return writer.bytes
    }
}
