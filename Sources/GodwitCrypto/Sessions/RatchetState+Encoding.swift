/// The stored form: a version byte, the fields in order, counts checked against the limits. It holds keys in the clear;
/// the store that keeps it protects it, and leaves it out of backups (D-6).
extension RatchetState {
    private static let version: UInt8 = 2
    /// The first version: associated data of 64 bytes, without its length.
    private static let fixedVersion: UInt8 = 1

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    /// - Throws: `malformed` for another version, a wrong length, or counts beyond the limits.
    public init(decoding bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        try self.init(from: &reader)
        try reader.finish()
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(Self.version)
        writer.append(UInt8(associatedData.count))
        writer.append(associatedData)
        writer.append(root)
        writer.append(own.secret)
        let flags: UInt8 = (remote == nil ? 0 : 1) | (sending == nil ? 0 : 2) | (receiving == nil ? 0 : 4)
        writer.append(flags)
        if let remote { writer.append(remote.bytes) }
        sending?.encode(into: &writer)
        receiving?.encode(into: &writer)
        writer.append(bigEndian: previousCount)
        writer.append(UInt8(skipped.count))
        for chain in skipped {
            writer.append(chain.remote.bytes)
            chain.keys.encode(into: &writer)
        }
    }

    init(from reader: inout ByteReader) throws(CryptoError) {
        switch try reader.byte() {
        case Self.version: associatedData = try reader.take(Int(reader.byte()))
        case Self.fixedVersion: associatedData = try reader.take(64)
        default: throw .malformed
        }
        root = try reader.secret()
        own = try AgreementKey(try reader.secret())
        let flags = try reader.byte()
        guard flags < 8 else { throw .malformed }
        remote = flags & 1 == 0 ? nil : try AgreementPublicKey(try reader.take(AgreementPublicKey.count))
        sending = flags & 2 == 0 ? nil : try ChainKey(from: &reader)
        receiving = flags & 4 == 0 ? nil : try ChainKey(from: &reader)
        previousCount = try reader.integer()
        let chains = try reader.byte()
        guard chains <= Self.skippedChainsMax else { throw .malformed }
        for _ in 0..<chains {
            let remote = try AgreementPublicKey(try reader.take(AgreementPublicKey.count))
            skipped.append(SkippedChain(remote: remote, keys: try SkippedKeys(from: &reader)))
        }
    }
}
