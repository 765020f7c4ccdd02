import CSodium
public import GodwitProtocol

/// Names that follow from keys (docs/protocol.md, section 2).
public enum NodeIDDerivation {
    /// The node id of a node signing key: the first 8 characters of base32 of Argon2id over the key, with 16 MiB and 3
    /// passes, so that looking for a key with a wanted id is dear (D-17). Takes some 30 ms and 16 MiB.
    ///
    /// - Throws: `outOfMemory` when 16 MiB cannot be had.
    public static func derive(from key: VerifyingKey) throws(CryptoError) -> NodeID {
        let label = Array("DCP1:node-id".utf8)
        let hash = try KeyDerivation.argon2id(
            passphrase: key.bytes, salt: label + [UInt8](repeating: 0, count: 16 - label.count),
            memoryKiB: 16 * 1024, passes: 3, count: 32)
        return try checked { () throws(ProtocolError) in
            try NodeID(hash.withBytes { Base32.encode($0.prefix(5)) })
        }
    }
}

public enum DeviceIDDerivation {
    /// The device id of a device signing key: base32 of the first 5 bytes of a labelled SHA-256.
    public static func derive(from key: VerifyingKey) throws(CryptoError) -> DeviceID {
        let hash = Digest.sha256(Array("DCP1:device-id".utf8), [0], key.bytes)
        return try checked { () throws(ProtocolError) in try DeviceID(Base32.encode(hash.prefix(5))) }
    }
}

/// The derived texts always have the form of their type; should that ever change, it shows as an error, not a crash.
private func checked<Name>(_ make: () throws(ProtocolError) -> Name) throws(CryptoError) -> Name {
    do { return try make() } catch { throw .malformed }
}
