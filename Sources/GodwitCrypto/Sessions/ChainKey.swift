/// A symmetric chain (docs/protocol.md, section 4.2, KDF_CK): from each key follow one message key and the next chain
/// key, and none leads back.
struct ChainKey: Sendable, Equatable {
    private(set) var key: Secret
    /// Position of the next message key, from 0.
    private(set) var position: UInt64 = 0

    init(_ key: Secret) { self.key = key }

    /// The message key at `position`; moves on by one.
    mutating func advance() throws(CryptoError) -> Secret {
        guard position < .max else { throw .exhausted }
        let message = KeyDerivation.hmac(key, 1)
        key = KeyDerivation.hmac(key, 2)
        position += 1
        return message
    }

    /// Moves on to `target`, keeping the keys on the way.
    ///
    /// - Throws: `tooFarAhead` when that are more than `SkippedKeys.countMax`; nothing has changed then.
    mutating func skip(to target: UInt64, keeping skipped: inout SkippedKeys) throws(CryptoError) {
        guard target > position else { return }
        guard target - position <= UInt64(SkippedKeys.countMax) else { throw .tooFarAhead }
        while position < target {
            let at = position
            skipped.keep(try advance(), at: at)
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(key)
        writer.append(bigEndian: position)
    }

    init(from reader: inout ByteReader) throws(CryptoError) {
        key = try reader.secret()
        position = try reader.integer()
    }
}
